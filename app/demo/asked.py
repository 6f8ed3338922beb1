"""What the installation and the record say after the morning, asked the way anybody would.

Comes in: the API, a client's token, the record. Goes out: ``Told``. Refuses to know: what it should be.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, TypeAlias

import httpx

from app.client import Api
from app.demo import trends
from app.demo.trends import Trends

Json: TypeAlias = Mapping[str, Any]
"""A JSON object as it came, numbers as Decimal."""
TYPES = ("Observation", "DiagnosticReport", "DocumentReference", "Media")
"""What a client searches by patient."""
_MOST = 1000
_TIMEOUT_S = 30.0


class NotTold(Exception):  # noqa: N818 - it says what is missing
    """A question was not answered; the text is for a person."""


class Record(Protocol):
    """The record that readings are written to, as the demonstration looks into it; raises NotTold."""

    def held(self, line: httpx.Client) -> bytes:
        """Every resource that it holds, as NDJSON. Asked once, when nothing is on its way any more."""

    def sent(self, line: httpx.Client) -> Sequence[Json]:
        """For each resource its ``id``, how often it came (``puts``), and its ``versions``. Asked after ``held``."""

    def faults(self, line: httpx.Client) -> Json:
        """What went wrong there, and how often."""

    def misbehave(self, faults: Sequence[str]) -> None:
        """Misbehave from now on; called only for a scenario that has such faults."""


@dataclass(frozen=True, slots=True)
class Told:
    """``readings``, ``quarantine``, ``deliveries``, ``gaps``, ``balance``, ``verify`` are ``/api/v1``'s answers.

    ``pulled`` is a client's search by patient and type, one each, as the bytes that came; ``files`` are the contents
    to which they point, by their address, in the form in which they were asked for: their own. ``trends`` is what the
    time series holds. ``record`` has every resource that the record holds, ``held`` the same as NDJSON as it came,
    ``sent`` for each how often it came and in how many versions, ``record_faults`` what went wrong there.
    """

    readings: Sequence[Json]
    quarantine: Sequence[Json]
    deliveries: Sequence[Json]
    gaps: Sequence[Json]
    balance: Json
    verify: Json
    pulled: Mapping[tuple[str, str], bytes]
    files: Mapping[str, bytes]
    trends: Trends
    record: Sequence[Json]
    held: bytes
    sent: Sequence[Json]
    record_faults: Mapping[str, int]

    def seen(self, *types: str) -> list[Json]:
        """Every resource of these types, or of all, that was pulled."""
        bundles = [body for (_, type_), body in self.pulled.items() if not types or type_ in types]
        return [resource for body in bundles for resource in entries(body)]


def ask(api: Api, fhir: str, token: str, patients: Sequence[str], record: Record) -> Told:
    """Ask everything; raises NotTold or ClientFault."""
    with httpx.Client(timeout=_TIMEOUT_S, trust_env=False) as line:
        held = record.held(line)
        pulled = {(patient, type_): pull(line, fhir, token, type_, patient) for patient in patients for type_ in TYPES}
        return Told(
            readings=api.get("/readings", limit=_MOST)["items"],
            quarantine=api.get("/quarantine", limit=_MOST)["items"],
            deliveries=api.get("/deliveries", limit=_MOST)["items"],
            gaps=api.get("/gaps", limit=_MOST)["items"],
            balance=api.get("/ledger/balance"),
            verify=api.get("/ledger/verify"),
            pulled=pulled,
            files=_files(line, fhir, token, pulled),
            trends=trends.ask(api, patients),
            record=lines(held),
            held=held,
            sent=record.sent(line),
            record_faults=record.faults(line),
        )


def pull(line: httpx.Client, fhir: str, token: str, type_: str, patient: str) -> bytes:
    """Every resource of a type and a patient, as a client gets it; the morning is smaller than a page."""
    address = f"{fhir}/{type_}?patient={patient}&_count={_MOST}"
    return get(line, address, {"Authorization": f"Bearer {token}"})


def _files(line: httpx.Client, fhir: str, token: str, pulled: Mapping[tuple[str, str], bytes]) -> dict[str, bytes]:
    """Each content that a pulled resource points to, asked for in the media type that it is said to have."""
    return {
        str(one["url"]): get(
            line, f"{fhir}/{one['url']}", {"Authorization": f"Bearer {token}", "Accept": str(one["contentType"])}
        )
        for body in pulled.values()
        for resource in entries(body)
        for one in attachments(resource)
    }


def attachments(resource: Json) -> Iterator[Json]:
    """The attachments of a Media or a DocumentReference; none of any other resource."""
    if resource["resourceType"] == "Media":
        yield resource["content"]
    elif resource["resourceType"] == "DocumentReference":
        yield from (content["attachment"] for content in resource["content"])


def read(body: bytes) -> Any:  # noqa: ANN401 - a JSON value
    """A JSON document whose numbers keep their digits."""
    return json.loads(body, parse_float=Decimal)


def entries(bundle: bytes) -> list[Json]:
    """The resources of a searchset."""
    return [entry["resource"] for entry in read(bundle).get("entry", ())]


def lines(body: bytes) -> list[Json]:
    """The documents of NDJSON."""
    return [read(line) for line in body.splitlines() if line]


def get(line: httpx.Client, address: str, headers: Mapping[str, str] | None = None) -> bytes:
    """The body of a 200; raises NotTold for any other answer."""
    where = address.partition("?")[0]
    try:
        answer = line.get(address, headers=headers)
    except httpx.TransportError:
        raise NotTold(f"{where} did not answer. What was stored is safe. See the log named above.") from None
    if answer.status_code != httpx.codes.OK:
        raise NotTold(f"{where} answered {answer.status_code} instead of 200. See the log named above.")
    return answer.content
