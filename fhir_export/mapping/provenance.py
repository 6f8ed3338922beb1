"""How resources came about, and how they were taken back: one Provenance for all resources of a reading.

Comes in: an ``Attributed`` reading and its resources; for a retraction the Provenance they were made under. Goes out:
a Provenance: which device, which gateway, by which rules, out of which message. Refuses to know: the message's bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from fhir_export.codes import ASSEMBLER, AUTHOR, CREATE, INFORMANT, MAPPING_VERSION, NULLIFY
from fhir_export.mapping import made
from fhir_export.mapping.datatypes import concept
from fhir_export.mapping.gateway import gateway_reference
from fhir_export.model import Body, Deployment, Resource
from ingest.clock import shifted_text, utc_text
from ingest.model import Instant
from registry.model import Attributed

PROVENANCE_SLUG = "provenance"
RETRACTION_SLUG = "retraction"


def provenance(attributed: Attributed, deployment: Deployment, targets: Sequence[Resource]) -> Resource:
    """The Provenance of a reading's resources."""
    timing, given_at = attributed.reading.timing, attributed.given_at
    body: Body = {
        **made.head("Provenance", attributed, deployment, PROVENANCE_SLUG),
        "target": [{"reference": target.reference} for target in targets],
        "occurredDateTime": made.taken(timing) if given_at is None else shifted_text(timing.taken_at, given_at),
        "recorded": made.issued_text(attributed),
        "activity": _activity(attributed),
        "agent": _agents(deployment, attributed.device.device, attributed.hub),
        "entity": [_message(deployment, attributed.sha), _rules(deployment)],
    }
    return Resource.of(body)


def retraction(first: Body, targets: Sequence[str], at: Instant) -> Resource:
    """The Provenance of taking ``targets`` (references) back at ``at``; ``first`` is the one they were made under.

    Its number is that of the attribution which comes next: ``retraction-2`` stands beside ``provenance-2``. Agents and
    entities are those of ``first``; a Binary, which has no status, is taken back by this word alone.
    """
    reading, _, number = first["id"].partition(f"-{PROVENANCE_SLUG}")
    body: Body = {
        **first,
        "id": f"{reading}-{RETRACTION_SLUG}-{int(number.lstrip('-') or 1) + 1}",
        "target": [{"reference": target} for target in targets],
        "occurredDateTime": shifted_text(first["occurredDateTime"], at),
        "recorded": utc_text(at),
        "activity": concept((NULLIFY,), "Mesure retirée : attribuée à tort à cette personne"),
    }
    return Resource.of(body)


def entered_in_error(body: Body) -> Body:
    """The same content, taken back: nothing but ``status`` differs, and the argument is left as it is."""
    return {**body, "status": "entered-in-error"}


def _activity(attributed: Attributed) -> Body:
    timing = attributed.reading.timing
    if not made.corrected(timing) or timing.offset is None:
        return concept((CREATE,))
    seconds = made.offset_s(timing.offset)
    # One sentence for each offset: kept out of the memory that ``concept`` has for the few that repeat.
    text = f"Heure de mesure corrigée : décalage d'horloge de {seconds} s mesuré à la connexion"
    return {**concept((CREATE,)), "text": text}


@lru_cache(4096)  # the same list for every reading of a device: nobody changes a body that is built
def _agents(deployment: Deployment, device: str, hub: str | None) -> list[Body]:
    agents: list[Body] = [
        {"type": concept((ASSEMBLER,)), "who": gateway_reference(deployment)},
        {"type": concept((AUTHOR,)), "who": made.device_reference(device)},
    ]
    if hub is not None:
        # By its identifier alone: a hub measures nothing, so no resource of it needs to be in the record.
        named = {"system": deployment.system(2), "value": hub}
        agents.append({"type": concept((INFORMANT,)), "who": {"type": "Device", "identifier": named}})
    return agents


def _message(deployment: Deployment, sha: bytes) -> Body:
    named = {"system": deployment.system(5), "value": sha.hex()}
    return {
        "role": "source",
        "what": {"identifier": named, "display": "SHA-256 of the device's message, as received"},
    }


@lru_cache(16)
def _rules(deployment: Deployment) -> Body:
    named = {"system": deployment.system(6), "value": f"mapping-{MAPPING_VERSION}"}
    return {
        "role": "source",
        "what": {"identifier": named, "display": f"Mapping rules, version {MAPPING_VERSION}"},
    }
