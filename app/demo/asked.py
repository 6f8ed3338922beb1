"""What the installation and the record say after the morning, asked the way anybody would.

Comes in: the API, a client's token, the record's address. Goes out: ``Told``. Refuses to know: what it should be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

import httpx

from app.client import Api

Json: TypeAlias = Mapping[str, Any]
"""A JSON object as it came, numbers as Decimal."""
_MOST = 1000
_TIMEOUT_S = 30.0


class NotTold(Exception):  # noqa: N818 - it says what is missing
    """A question was not answered; the text is for a person."""


@dataclass(frozen=True, slots=True)
class Told:
    """``readings``, ``quarantine``, ``deliveries``, ``gaps``, ``balance``, ``verify`` are ``/api/v1``'s answers.

    ``pulled`` is a client's search by patient, one a patient, as the bytes that came. ``record`` has every resource
    that the record holds, ``held`` the same as NDJSON as it came, ``sent`` for each how often it came and in how many
    versions, ``record_faults`` what went wrong there.
    """

    readings: Sequence[Json]
    quarantine: Sequence[Json]
    deliveries: Sequence[Json]
    gaps: Sequence[Json]
    balance: Json
    verify: Json
    pulled: Mapping[str, bytes]
    record: Sequence[Json]
    held: bytes
    sent: Sequence[Json]
    record_faults: Mapping[str, int]


def ask(api: Api, fhir: str, token: str, patients: Sequence[str], inspect: str) -> Told:
    """Ask everything; raises NotTold or ClientFault."""
    with httpx.Client(timeout=_TIMEOUT_S, trust_env=False) as line:
        kinds = read(_get(line, f"{inspect}/summary"))["resources"]
        held = b"".join(_get(line, f"{inspect}/resources?type={kind}") for kind in kinds)
        pulled = {patient: pull(line, fhir, token, patient) for patient in patients}
        return Told(
            readings=api.get("/readings", limit=_MOST)["items"],
            quarantine=api.get("/quarantine", limit=_MOST)["items"],
            deliveries=api.get("/deliveries", limit=_MOST)["items"],
            gaps=api.get("/gaps", limit=_MOST)["items"],
            balance=api.get("/ledger/balance"),
            verify=api.get("/ledger/verify"),
            pulled=pulled,
            record=_lines(held),
            held=held,
            sent=_lines(_get(line, f"{inspect}/puts")),
            record_faults=read(_get(line, f"{inspect}/faults"))["fired"],
        )


def pull(line: httpx.Client, fhir: str, token: str, patient: str) -> bytes:
    """Every Observation of a patient, as a client gets it; the morning is smaller than a page."""
    address = f"{fhir}/Observation?patient={patient}&_count={_MOST}"
    return _get(line, address, {"Authorization": f"Bearer {token}"})


def read(body: bytes) -> Any:  # noqa: ANN401 - a JSON value
    """A JSON document whose numbers keep their digits."""
    return json.loads(body, parse_float=Decimal)


def entries(bundle: bytes) -> list[Json]:
    """The resources of a searchset."""
    return [entry["resource"] for entry in read(bundle).get("entry", ())]


def _lines(body: bytes) -> list[Json]:
    return [read(line) for line in body.splitlines() if line]


def _get(line: httpx.Client, address: str, headers: Mapping[str, str] | None = None) -> bytes:
    where = address.partition("?")[0]
    try:
        answer = line.get(address, headers=headers)
    except httpx.TransportError:
        raise NotTold(f"{where} did not answer. What was stored is safe. See the log named above.") from None
    if answer.status_code != httpx.codes.OK:
        raise NotTold(f"{where} answered {answer.status_code} instead of 200. See the log named above.")
    return answer.content
