"""What every Observation of a reading has: id, status, subject, times, device, notes.

Comes in: an ``Attributed`` reading and what is particular to one Observation. Goes out: its body, members in
one fixed order. Refuses to know: metrics, leads, profiles.
"""

from __future__ import annotations

from collections.abc import Iterator

from fhir_export.mapping.datatypes import concept, meta
from fhir_export.mapping.devices import device_id
from fhir_export.model import Body, Deployment, Resource
from fhir_export.profiles import FLAGS, Coding
from ingest.clock import SECOND, shifted_text, utc_text
from ingest.model import TimeMark, Timing
from registry.model import Attributed

_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_ORIGINAL_TEXT = "http://hl7.org/fhir/StructureDefinition/originalText"

_ORDER = (
    "resourceType", "id", "meta", "extension", "identifier", "status", "category", "code", "subject",
    "effectiveDateTime", "_effectiveDateTime", "issued", "valueQuantity", "note", "bodySite", "method",
    "device", "component",
)  # fmt: skip


def observation(
    attributed: Attributed,
    deployment: Deployment,
    slug: str,
    category: str,
    particular: Body,
    profile: str | None = None,
) -> Resource:
    """An Observation of the reading; ``particular`` holds its code, its value or components, and the rest."""
    reading = attributed.reading
    id_ = resource_id(attributed, slug)
    body: Body = {
        "resourceType": "Observation",
        "id": id_,
        "meta": meta(deployment, profile, test=attributed.device.simulated),
        "identifier": [{"system": deployment.system(1), "value": id_}],
        "status": "final",
        "category": [concept((Coding(_CATEGORY, category),))],
        "subject": {"reference": f"Patient/{attributed.patient}"},
        **_effective(reading.timing),
        "issued": utc_text(attributed.accepted_at),
        "device": {"reference": f"Device/{device_id(attributed.device.device)}"},
        **particular,
    }
    if notes := [{"text": text} for text in _notes(reading.timing, reading.flags)]:
        body["note"] = notes
    return Resource.of({name: body[name] for name in _ORDER if name in body})


def resource_id(attributed: Attributed, slug: str) -> str:
    """``{reading id}-{slug}``, then ``-n`` from attribution 2 on: the first id is the retracted one's."""
    again = f"-{attributed.attribution}" if attributed.attribution > 1 else ""
    return f"{attributed.reading.key.reading}-{slug}{again}"


def entered_in_error(body: Body) -> Body:
    """The same content, taken back: nothing but ``status`` differs, and the argument is left as it is."""
    return {**body, "status": "entered-in-error"}


def _effective(timing: Timing) -> Body:
    """The device's own text; or the corrected time, same zone and precision, with that text beside it."""
    if timing.mark is not TimeMark.CORRECTED:
        return {"effectiveDateTime": timing.taken_at}
    as_sent = {"extension": [{"url": _ORIGINAL_TEXT, "valueString": timing.taken_at}]}
    return {"effectiveDateTime": shifted_text(timing.taken_at, timing.used), "_effectiveDateTime": as_sent}


def _notes(timing: Timing, flags: tuple[str, ...]) -> Iterator[str]:
    if timing.mark is TimeMark.CORRECTED and timing.offset is not None:
        yield _correction(timing.offset)
    for flag in dict.fromkeys(flags):
        yield f"Signal de l'appareil : {FLAGS[flag]} [{flag}]"


def _correction(offset: int) -> str:
    seconds = (offset + SECOND // 2) // SECOND  # rounded as the corrected time itself is
    minutes, rest = divmod(abs(seconds), 60)
    shift = f"{'-' if seconds < 0 else '+'}{minutes // 60} h {minutes % 60:02d} min {rest:02d} s"
    return f"Heure corrigée de {shift} : horloge de l'appareil non synchronisée [clock_offset_s={seconds}]"
