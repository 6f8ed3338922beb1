"""What every Observation of a reading has: status, category, subject, times, device, notes.

Comes in: an ``Attributed`` reading and what is particular to one Observation. Goes out: its body, members in
one fixed order. Refuses to know: metrics, leads, profiles.
"""

from __future__ import annotations

from fhir_export.mapping import made
from fhir_export.mapping.datatypes import concept
from fhir_export.model import Body, Deployment, Resource
from fhir_export.profiles import Coding
from registry.model import Attributed

_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"

_ORDER = (
    "resourceType", "id", "meta", "extension", "identifier", "status", "category", "code", "subject",
    "effectiveDateTime", "_effectiveDateTime", "issued", "valueQuantity", "note", "bodySite", "method",
    "device", "component", "hasMember", "derivedFrom",
)  # fmt: skip


def observation(
    attributed: Attributed,
    deployment: Deployment,
    slug: str,
    category: str,
    particular: Body,
    profile: str | None = None,
) -> Resource:
    """An Observation of the reading; ``particular`` holds its code, its value or components, and the rest.

    Its ``note`` and ``extension`` come behind those that every Observation of the reading has.
    """
    reading = attributed.reading
    head = made.head("Observation", attributed, deployment, slug, profile)
    body: Body = {
        **head,
        "identifier": [made.identifier(head["id"], deployment)],
        "status": "final",
        "category": [concept((Coding(_CATEGORY, category),))],
        "subject": made.subject(attributed),
        **made.measured_at(reading.timing, "effectiveDateTime"),
        "issued": made.issued_text(attributed),
        "device": made.device(attributed),
        **particular,
    }
    if link := made.clock_link(attributed):
        body["extension"] = link + particular.get("extension", [])
    if sentences := [{"text": text} for text in made.notes(reading.timing, reading.flags)]:
        body["note"] = sentences + particular.get("note", [])
    return Resource.of({name: body[name] for name in _ORDER if name in body})
