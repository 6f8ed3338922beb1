"""What a server says of itself, held against what is needed of it. Pure.

Comes in: a CapabilityStatement. Goes out: ``Capability``, with what is missing or wrong by name. Refuses to know: HTTP,
how much of it matters to a row.

What a statement leaves out is taken for allowed: HAPI says nothing of ``updateCreate``, and not that it takes batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fhir_export.push.port import Capability

TYPES = (
    *("Patient", "Device", "Observation", "Provenance", "DiagnosticReport", "Media", "Binary", "DocumentReference"),
    "ImagingStudy",
)
"""What the project may send."""
_RELEASE = "4.0."  # R4 is 4.0.0 or 4.0.1 (hl7.org/fhir/R4/versions.html); 4.3 is R4B
_JSON = frozenset({"json", "application/fhir+json", "application/json"})

LACKS: Mapping[str, str] = {
    "record.not_fhir_r4": "It is not FHIR 4.0.x. Nothing is sent. Give the address of an R4 server.",
    "record.not_json": "It does not take JSON. Nothing is sent. Switch JSON on at the server.",
    "record.client_ids": "It refuses ids chosen by its clients. Nothing is sent. Allow update as create there.",
    "record.type_not_taken": "It does not let this type be updated. Such resources are parked until it does.",
    "record.one_by_one": "It takes neither batches nor transactions. Each resource goes alone, which is slower.",
}
"""What may be missing, for a person: what is so, what is safe, what to do. The type stands behind a colon."""
NOT_TAKEN = "record.type_not_taken"


def capability(statement: Mapping[str, Any]) -> Capability:
    """What a CapabilityStatement says, and what it lacks."""
    rest = _server(statement)
    does, types = _codes(rest), _types(rest)
    batch, transaction = "batch" in does, "transaction" in does
    observation = next((r for r in _objects(rest.get("resource")) if r.get("type") == "Observation"), {})
    lacks = {
        "record.not_fhir_r4": not str(statement.get("fhirVersion", _RELEASE)).startswith(_RELEASE),
        "record.not_json": _JSON.isdisjoint(_words(statement.get("format")) or _JSON),
        "record.client_ids": not _creates(observation),
        "record.one_by_one": not (batch or transaction),
    }
    found = [code for code, true in lacks.items() if true]
    found += [f"{NOT_TAKEN}:{type_}" for type_ in TYPES if types is not None and type_ not in types]
    return Capability(batch, transaction, types, tuple(found))


def meaning(lack: str) -> str:
    """The words for what is missing."""
    return LACKS[lack.partition(":")[0]]


def _server(statement: Mapping[str, Any]) -> Mapping[str, Any]:
    rests = _objects(statement.get("rest"))
    return next((rest for rest in rests if rest.get("mode", "server") == "server"), {})


def _types(rest: Mapping[str, Any]) -> frozenset[str] | None:
    """Types that may be updated under our ids; None when no interaction of any type is told."""
    resources = list(_objects(rest.get("resource")))
    if not any(_codes(resource) for resource in resources):
        return None
    return frozenset(str(r.get("type")) for r in resources if "update" in _codes(r) and _creates(r))


def _creates(resource: Mapping[str, Any]) -> bool:
    """FHIR R4, capabilitystatement.html: an update that brings a new id makes it; only a plain no counts as one."""
    return resource.get("updateCreate") is not False


def _codes(part: Mapping[str, Any]) -> set[object]:
    return {interaction.get("code") for interaction in _objects(part.get("interaction"))}


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else iter(())


def _words(value: object) -> Sequence[str]:
    return [one.partition(";")[0] for one in value if isinstance(one, str)] if isinstance(value, list) else ()
