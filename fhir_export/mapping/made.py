"""What every resource made of a reading has: its id, its times, the sentences that disclose what was done to them.

Comes in: an ``Attributed`` reading. Goes out: pieces of bodies. Refuses to know: types of resources, codes of kinds.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from fhir_export.codes import CLOCK_SLUG
from fhir_export.mapping.datatypes import meta
from fhir_export.mapping.devices import device_id
from fhir_export.model import Body, Deployment
from fhir_export.profiles import FLAGS
from ingest.clock import SECOND, shifted_text, utc_text
from ingest.model import Instant, TimeMark, Timing
from registry.model import Attributed

_ORIGINAL_TEXT = "http://hl7.org/fhir/StructureDefinition/originalText"
_SUPPORTING_INFO = "http://hl7.org/fhir/StructureDefinition/workflow-supportingInfo"


def resource_id(attributed: Attributed, slug: str) -> str:
    """``{reading id}-{slug}``, then ``-n`` from attribution 2 on: the first id is the retracted one's."""
    again = f"-{attributed.attribution}" if attributed.attribution > 1 else ""
    return f"{attributed.reading.key.reading}-{slug}{again}"


def reference(type_: str, attributed: Attributed, slug: str) -> Body:
    """How another resource of the same reading is pointed to."""
    return {"reference": f"{type_}/{resource_id(attributed, slug)}"}


def head(type_: str, attributed: Attributed, deployment: Deployment, slug: str, profile: str | None = None) -> Body:
    """Type, id, meta: HTEST follows the device's registration, never anything in a message."""
    return {
        "resourceType": type_,
        "id": resource_id(attributed, slug),
        "meta": meta(deployment, profile, test=attributed.device.simulated),
    }


def identifier(id_: str, deployment: Deployment) -> Body:
    """The id again, under the deployment's own system."""
    return {"system": deployment.system(1), "value": id_}


def subject(attributed: Attributed) -> Body:
    """Whose it is."""
    return {"reference": f"Patient/{attributed.patient}"}


def device(attributed: Attributed) -> Body:
    """What measured it."""
    return device_reference(attributed.device.device)


@lru_cache(4096)  # hashed several times a reading otherwise; nobody changes a body that is built
def device_reference(device: str) -> Body:
    """How a device is pointed to."""
    return {"reference": f"Device/{device_id(device)}"}


def issued(attributed: Attributed) -> Instant:
    """When it came to be: accepted by the ledger, or given to this person if that was not the first."""
    return attributed.accepted_at if attributed.given_at is None else attributed.given_at


def issued_text(attributed: Attributed) -> str:
    """The same as FHIR instant."""
    return utc_text(issued(attributed))


def corrected(timing: Timing) -> bool:
    """Whether the time that counts is not the one the device told."""
    return timing.mark is TimeMark.CORRECTED


def taken(timing: Timing) -> str:
    """When it was measured: the device's own text; or the corrected time in the same zone and precision."""
    return shifted_text(timing.taken_at, timing.used) if corrected(timing) else timing.taken_at


def measured_at(timing: Timing, element: str) -> Body:
    """``element`` with the time of measurement; of a corrected one with the device's own text beside it."""
    if not corrected(timing):
        return {element: timing.taken_at}
    as_sent = {"extension": [{"url": _ORIGINAL_TEXT, "valueString": timing.taken_at}]}
    return {element: taken(timing), f"_{element}": as_sent}


def clock_link(attributed: Attributed) -> list[Body]:
    """Extensions that point to the Observation of the clock by which a time was corrected; empty for any other.

    R4 allows them on Observation and DiagnosticReport, and on nothing else that is made of a reading.
    """
    if not corrected(attributed.reading.timing):
        return []
    return [supporting(reference("Observation", attributed, CLOCK_SLUG))]


def supporting(to: Body) -> Body:
    """An extension that points to what a resource stands on, where R4 has no element for it."""
    return {"url": _SUPPORTING_INFO, "valueReference": to}


def notes(timing: Timing, flags: tuple[str, ...]) -> Iterator[str]:
    """What a reader must know: a corrected time, the device's own flags."""
    if (sentence := correction(timing)) is not None:
        yield sentence
    for flag in dict.fromkeys(flags):
        yield f"Signal de l'appareil : {FLAGS[flag]} [{flag}]"


def correction(timing: Timing) -> str | None:
    """The shift in words, and in seconds for machines; None for a time that was kept."""
    if not corrected(timing) or timing.offset is None:
        return None
    seconds = offset_s(timing.offset)
    minutes, rest = divmod(abs(seconds), 60)
    shift = f"{'-' if seconds < 0 else '+'}{minutes // 60} h {minutes % 60:02d} min {rest:02d} s"
    return f"Heure corrigée de {shift} : horloge de l'appareil non synchronisée [clock_offset_s={seconds}]"


def offset_s(offset: int) -> int:
    """Microseconds to whole seconds, rounded as the corrected time itself is."""
    return (offset + SECOND // 2) // SECOND
