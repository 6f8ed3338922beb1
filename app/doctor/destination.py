"""The records: whether each is FHIR R4, takes what is sent, and lets the token in.

Comes in: settings. Goes out: findings. Refuses to know: patients; the one resource that is asked for has a random name
that nobody has.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

from app.doctor import peers
from app.doctor.clock import by_distance
from app.doctor.finding import Finding, found
from app.setting_parts import RecordSettings
from app.settings import Settings
from fhir_export.push.statement import NOT_TAKEN, capability

_OK, _GONE = 200, frozenset({200, 404, 410})
_REFUSED = frozenset({401, 403})
_FHIR = {"Accept": "application/fhir+json", "Accept-Encoding": "identity"}
_LACKS = {
    "record.not_fhir_r4": "destination.not_fhir_r4",
    "record.not_json": "destination.not_json",
    "record.client_ids": "destination.client_ids",
    "record.one_by_one": "destination.one_by_one",
}


def look(settings: Settings) -> Iterator[Finding]:
    """See the module."""
    if not settings.destinations:
        yield found("destination.none")
    for name, record in settings.destinations.items():
        yield from _record(name, record)


def _record(name: str, record: RecordSettings) -> Iterator[Finding]:
    token = peers.token_of(record.token_file)
    if record.token_file is not None and token is None:
        yield found("destination.no_token", name=name)
    headers = _FHIR | ({"Authorization": f"Bearer {token}"} if token else {})
    answer = peers.ask(f"{record.url}/metadata", headers)
    if answer is None:
        yield found("destination.unreachable", name=name)
        return
    yield from by_distance(name, answer.ahead_s)
    if answer.status in _REFUSED:
        yield found("destination.token_refused", name=name, status=answer.status)
    elif (statement := _statement(answer)) is None:
        yield found("destination.no_fhir", name=name, status=answer.status)
    else:
        yield from by_statement(name, statement)
        yield from _token(name, record, headers)


def _statement(answer: peers.Answer) -> dict[str, Any] | None:
    try:
        read = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    is_one = isinstance(read, dict) and read.get("resourceType") == "CapabilityStatement"
    return read if is_one and answer.status == _OK else None


def by_statement(name: str, statement: dict[str, Any]) -> Iterator[Finding]:
    """What a CapabilityStatement lacks of what the exporter needs."""
    lacks = capability(statement).lacks
    types = [lack.partition(":")[2] for lack in lacks if lack.startswith(NOT_TAKEN)]
    for lack in lacks:
        if lack in _LACKS:
            yield found(_LACKS[lack], name=name)
    if "record.client_ids" not in lacks and not _says(statement):
        yield found("destination.client_ids_unsaid", name=name)
    if types:
        yield found("destination.types_not_taken", name=name, types=", ".join(types))


def _says(statement: dict[str, Any]) -> bool:
    """Whether it says that an update with a new id makes it; HAPI, which does so, says nothing."""
    rests = statement.get("rest")
    listed = [rest.get("resource") for rest in rests if isinstance(rest, dict)] if isinstance(rests, list) else []
    resources = [each for one in listed if isinstance(one, list) for each in one if isinstance(each, dict)]
    return any(each.get("type") == "Observation" and each.get("updateCreate") is True for each in resources)


def _token(name: str, record: RecordSettings, headers: dict[str, str]) -> Iterator[Finding]:
    """The statement is open to all; a resource is not."""
    answer = peers.ask(f"{record.url}/Patient/constantes-doctor-{secrets.token_hex(8)}", headers)
    if answer is None:
        yield found("destination.unreachable", name=name)
    elif answer.status in _REFUSED:
        yield found("destination.token_refused", name=name, status=answer.status)
    elif answer.status not in _GONE:
        yield found("destination.answered", name=name, status=answer.status)
