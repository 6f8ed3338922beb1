"""A ledger with a feed of observations as practice software finds it, and a client that may pull."""

import itertools
import secrets
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
from fastapi import FastAPI
from fhir.resources.R4B import get_fhir_model_class
from sqlalchemy import select
from starlette.exceptions import StarletteDeprecationWarning

from fhir_export import feed
from fhir_export.model import Body, Resource
from ingest.clock import parse, utc_text
from ingest.ledger.files import OpenLedger
from ingest.ledger.schema import AUDIT, METADATA
from registry import clients

with warnings.catch_warnings():
    # It asks for the successor of httpx, which this project does not use.
    warnings.simplefilter("ignore", StarletteDeprecationWarning)
    from starlette.testclient import TestClient as TestClient  # noqa: PLC0414 - given on from here

SECOND = 1_000_000
BASE = "https://constantes.example/fhir"
NOON = parse("2026-11-21T08:00:00Z")
LOINC = "http://loinc.org"
MDC = "urn:iso:std:iso:11073:10101"
OWN = "urn:oid:2.999.1.1"
KEY = bytes(range(32))


def patient(id_: str) -> Resource:
    """A test identity with a local number."""
    return Resource.of(
        {
            "resourceType": "Patient",
            "id": id_,
            "meta": {"source": "urn:oid:2.999.1"},
            "identifier": [{"system": "urn:oid:2.999.1.4", "value": f"IPP-{id_}"}],
            "name": [{"family": "EXEMPLE-FICTIF", "given": ["Camille"]}],
            "gender": "unknown",
        }
    )


def device(id_: str) -> Resource:
    """A plain device."""
    return Resource.of(
        {
            "resourceType": "Device",
            "id": id_,
            "meta": {"source": "urn:oid:2.999.1"},
            "identifier": [{"system": "urn:oid:2.999.1.2", "value": id_}],
            "status": "active",
        }
    )


def observation(
    id_: str, taken: str, *, person: str = "p1", by: str = "d1", value: str = "36.60", more: Body | None = None
) -> Resource:
    """A body temperature with the digits it came with."""
    body: Body = {
        "resourceType": "Observation",
        "id": id_,
        "meta": {
            "source": "urn:oid:2.999.1",
            "profile": [
                "https://interop.esante.gouv.fr/ig/fhir/mesures/StructureDefinition/mesures-fr-observation-body-temperature"
            ],
            "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}],
        },
        "identifier": [{"system": OWN, "value": id_}],
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "vital-signs",
                    }
                ]
            }
        ],
        "code": {"coding": [{"system": LOINC, "code": "8310-5"}, {"system": MDC, "code": "150364"}]},
        "subject": {"reference": f"Patient/{person}"},
        "effectiveDateTime": taken,
        "issued": "2026-11-21T04:30:01.204Z",
        "valueQuantity": {
            "value": Decimal(value),
            "unit": "°C",
            "system": "http://unitsofmeasure.org",
            "code": "Cel",
        },
        "device": {"reference": f"Device/{by}"},
    }
    return Resource.of({**body, **(more or {})})


@dataclass
class Clinic:
    """An open ledger, the application over it, and the means to add to both."""

    file: OpenLedger
    app: FastAPI
    now: int = NOON
    names: Iterator[int] = field(default_factory=itertools.count)

    def append(self, *versions: feed.Version) -> list[feed.Appended]:
        """Append to the feed, a second later than the last time."""
        self.now += SECOND
        return self.file.writer.write(lambda connection: feed.append(connection, versions, self.now))

    def take(
        self, count: int, *, person: str = "p1", by: str = "d1", site: str | None = "nord", first: str | None = None
    ) -> list[str]:
        """Append observations, one a minute from ``first``; returns their ids."""
        start = parse(first or "2026-11-21T06:00:00Z")
        ids = [f"{secrets.token_hex(16)}-body-temperature" for _ in range(count)]
        made = [
            feed.Version(
                observation(one, utc_text(start + n * 60 * SECOND)[:19] + "Z", person=person, by=by), person, by, site
            )
            for n, one in enumerate(ids)
        ]
        self.append(*made)
        return ids

    def client(self, *scopes: str, sites: Sequence[str] = ()) -> str:
        """Register a client; returns its token."""
        name = f"cabinet-{next(self.names)}"
        return self.file.writer.write(
            lambda connection: clients.add(connection, name, scopes or ("system/*.rs",), sites, self.now)
        )

    def rows(self) -> str:
        """Everything that is kept, as text."""
        with self.file.readers.connect() as connection:
            return repr([connection.execute(select(table)).all() for table in METADATA.sorted_tables])

    def audit(self) -> list[tuple[Any, ...]]:
        """Who, action, type, patient, resources of every audit row."""
        with self.file.readers.connect() as connection:
            rows = connection.execute(
                select(AUDIT.c.who, AUDIT.c.action, AUDIT.c.type, AUDIT.c.patient, AUDIT.c.resources).order_by(
                    AUDIT.c.position
                )
            )
            return [tuple(row) for row in rows]


def ids(bundle: dict[str, Any]) -> list[str]:
    """The ids in a bundle, in order."""
    return [entry["resource"]["id"] for entry in bundle.get("entry", [])]


def link(bundle: dict[str, Any], relation: str) -> str | None:
    """A link's address below the server, if there is one."""
    found = {one["relation"]: one["url"] for one in bundle["link"]}
    return found[relation].replace(BASE, "/fhir") if relation in found else None


def valid(answer: httpx.Response) -> dict[str, Any]:
    """The answer's resource, which FHIR R4's own model takes."""
    assert answer.headers["content-type"] == "application/fhir+json"
    body: dict[str, Any] = answer.json()
    get_fhir_model_class(body["resourceType"]).model_validate_json(answer.content)
    return body


def refused(answer: httpx.Response, status: int, code: str) -> None:
    """The answer is this refusal, as an OperationOutcome."""
    assert (answer.status_code, valid(answer)["issue"][0]["details"]["coding"][0]["code"]) == (status, code)
    assert answer.headers["cache-control"] == "no-store"
