"""The ECG: its tracing, bit for bit what the device sent, and the intervals that the device computed.

Comes in: an ``Attributed`` reading. Goes out: the tracing, one component of SampledData a lead; the intervals,
``preliminary``, for no physician has seen them. Refuses to know: what a tracing shows.

The tracing points to the file it was read from and to nothing else; intervals point to tracing and rate, the report to
all three: "references before referrers" keeps an order. R4 vital signs may not be derived from a tracing.
"""

from __future__ import annotations

from fhir_export.codes import INCOMPLETE, INTERVALS, INTERVALS_CODINGS, INTERVALS_SLUG
from fhir_export.mapping import made
from fhir_export.mapping.datatypes import concept, measured, sampled
from fhir_export.mapping.documents import FILE_SLUG, is_file
from fhir_export.mapping.observation import observation
from fhir_export.model import Body, Deployment, Resource
from fhir_export.profiles import ECG_CODINGS, ECG_SLUG, LEADS
from registry.model import Attributed

_RATE = ("ecg_heart_rate", "heart-rate")  # the metric, and the slug of the Observation that it makes


def tracing(attributed: Attributed, deployment: Deployment) -> tuple[Resource, ...]:
    """The tracing's Observation, leads in the order sent; nothing for a reading without a recording at hand."""
    recording = attributed.reading.recording
    if recording is None:
        return ()
    count = len(recording.leads)
    particular: Body = {
        "code": concept(ECG_CODINGS, f"ECG, tracé {count} dérivation{'s' if count > 1 else ''}"),
        "component": [
            {"code": concept((LEADS[lead.name],), lead.name), "valueSampledData": sampled(recording, lead)}
            for lead in recording.leads
        ],
    }
    if not recording.complete:
        particular["note"] = [{"text": INCOMPLETE}]
    if is_file(attributed.reading):
        particular["derivedFrom"] = [made.reference("DocumentReference", attributed, FILE_SLUG)]
    return (observation(attributed, deployment, ECG_SLUG, "procedure", particular),)


def intervals(attributed: Attributed, deployment: Deployment) -> tuple[Resource, ...]:
    """The intervals that were sent; nothing for a reading without any."""
    sent = {measurement.metric: measurement for measurement in attributed.reading.measurements}
    found = [(codings, sent[metric]) for metric, codings in INTERVALS.items() if metric in sent]
    if not found:
        return ()
    particular: Body = {
        "status": "preliminary",
        "code": concept(INTERVALS_CODINGS, "Intervalles calculés par l'appareil"),
        "component": [
            {"code": concept(codings), "valueQuantity": measured(measurement)} for codings, measurement in found
        ],
    }
    if _RATE[0] in sent:
        particular["hasMember"] = [made.reference("Observation", attributed, _RATE[1])]
    if attributed.reading.recording is not None:
        particular["derivedFrom"] = [made.reference("Observation", attributed, ECG_SLUG)]
    elif is_file(attributed.reading):
        particular["derivedFrom"] = [made.reference("DocumentReference", attributed, FILE_SLUG)]
    return (observation(attributed, deployment, INTERVALS_SLUG, "procedure", particular),)
