"""Vital signs: one Observation for each row of the table whose metrics the reading has.

Comes in: an ``Attributed`` reading. Goes out: Observations under a Mesures de santé profile when the device
is a PhdDevice (it has an EUI-64), else under FR Core. Refuses to know: kinds, and any single metric by name.
"""

from __future__ import annotations

from fhir_export.mapping.datatypes import concept, measured
from fhir_export.mapping.devices import is_phd
from fhir_export.mapping.observation import observation
from fhir_export.model import Body, Deployment, Resource
from fhir_export.profiles import METHODS, POSITION_EXTENSION, POSITIONS, VITAL_SIGNS, VitalSign
from ingest.model import Context, Measurement
from registry.model import Attributed


def vital_signs(attributed: Attributed, deployment: Deployment) -> tuple[Resource, ...]:
    """The reading's vital signs, in the order of the table."""
    found = {measurement.metric: measurement for measurement in attributed.reading.measurements}
    return tuple(
        observation(
            attributed,
            deployment,
            row.slug,
            "vital-signs",
            _particular(row, found, attributed),
            row.mesures if is_phd(attributed.device) else row.fr_core,
        )
        for row in VITAL_SIGNS
        if row.metrics[0] in found
    )


def _particular(row: VitalSign, found: dict[str, Measurement], attributed: Attributed) -> Body:
    return {
        "code": concept(row.codings),
        **_values(row, found),
        **_circumstances(row, attributed.reading.context),
        **_method(row.slug, attributed.device.method),
    }


def _values(row: VitalSign, found: dict[str, Measurement]) -> Body:
    if not row.components:
        return {"valueQuantity": measured(found[row.metrics[0]])}
    return {
        "component": [
            {"code": concept(row.components[metric]), "valueQuantity": measured(found[metric])}
            for metric in row.metrics
            if metric in found
        ]
    }


def _circumstances(row: VitalSign, context: Context) -> Body:
    body: Body = {}
    if context.position and context.position in POSITIONS:
        position = concept((POSITIONS[context.position],))
        body["extension"] = [{"url": POSITION_EXTENSION, "valueCodeableConcept": position}]
    if context.body_site and context.body_site in row.sites:
        body["bodySite"] = concept((row.sites[context.body_site],))
    return body


def _method(slug: str, word: str | None) -> Body:
    """Left out when the registration does not tell: a guess would be a claim."""
    codings = METHODS.get(word or "", {}).get(slug)
    return {"method": concept(codings)} if codings else {}
