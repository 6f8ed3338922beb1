"""The ECG tracing: one Observation, one component of SampledData a lead, bit for bit what the device sent.

Comes in: an ``Attributed`` reading with a recording. Goes out: its tracing. Refuses to know: what a tracing
shows. It points to nothing: rate and intervals will point to it, and "references before referrers" keeps an
order.
"""

from __future__ import annotations

from fhir_export.mapping.datatypes import concept, sampled
from fhir_export.mapping.observation import observation
from fhir_export.model import Deployment, Resource
from fhir_export.profiles import ECG_CODINGS, ECG_SLUG, LEADS
from registry.model import Attributed


def tracing(attributed: Attributed, deployment: Deployment) -> tuple[Resource, ...]:
    """The tracing's Observation, leads in the order sent; nothing for a reading without a recording."""
    recording = attributed.reading.recording
    if recording is None:
        return ()
    count = len(recording.leads)
    particular = {
        "code": concept(ECG_CODINGS, f"ECG, tracé {count} dérivation{'s' if count > 1 else ''}"),
        "component": [
            {"code": concept((LEADS[lead.name],), lead.name), "valueSampledData": sampled(recording, lead)}
            for lead in recording.leads
        ],
    }
    return (observation(attributed, deployment, ECG_SLUG, "procedure", particular),)
