"""Simple quantities: one Observation for each row of the table whose metrics the reading has.

Comes in: an ``Attributed`` reading. Goes out: Observations, those of vital signs under a Mesures de santé profile
when the device is a PhdDevice (it has an EUI-64), else under FR Core's or FHIR's own. Refuses to know: kinds, and any
single metric by name.
"""

from __future__ import annotations

from collections.abc import Iterator

from fhir_export.circumstances import (
    EXERTION_EXTENSION,
    EXERTIONS,
    MOMENT_EXTENSION,
    MOMENTS,
    POSITION_EXTENSION,
    POSITIONS,
)
from fhir_export.mapping.datatypes import as_sent, concept, measured, normal
from fhir_export.mapping.devices import is_phd
from fhir_export.mapping.observation import observation
from fhir_export.model import Body, Deployment, Resource
from fhir_export.profiles import METHODS, ORIGINAL_EXTENSION, VITAL_SIGNS, VitalSign
from ingest.model import Context, Measurement
from registry.model import Attributed

Found = dict[str, Measurement]


def vital_signs(attributed: Attributed, deployment: Deployment) -> tuple[Resource, ...]:
    """The reading's simple quantities, in the order of the table."""
    found = {measurement.metric: measurement for measurement in attributed.reading.measurements}
    return tuple(
        observation(
            attributed,
            deployment,
            row.slug,
            row.category,
            _particular(row, found, attributed),
            row.mesures if is_phd(attributed.device) else row.plain,
        )
        for row in VITAL_SIGNS
        if row.metrics[0] in found and _is_of(row, attributed.reading.context)
    )


def _is_of(row: VitalSign, context: Context) -> bool:
    return row.samples is None or context.sample in row.samples


def _particular(row: VitalSign, found: Found, attributed: Attributed) -> Body:
    context = attributed.reading.context
    body: Body = {
        "code": concept(row.codings, row.text),
        **_values(row, found),
        **_method(row.slug, attributed.device.method),
    }
    if extensions := [*_original(row, found), *_circumstances(context)]:
        body["extension"] = extensions
    if (site := row.sites.get(context.body_site or "")) is not None:
        body["bodySite"] = concept((site,))
    return body


def _values(row: VitalSign, found: Found) -> Body:
    if not row.components:
        only = found[row.metrics[0]]
        return {"valueQuantity": normal(only) if only.unit in row.originals else measured(only)}
    return {
        "component": [
            {"code": concept(row.components[metric]), "valueQuantity": measured(found[metric])}
            for metric in row.metrics
            if metric in found
        ]
    }


def _original(row: VitalSign, found: Found) -> Iterator[Body]:
    """What a converted value of biology was: Mesures refuses a translation there, and this extension elsewhere."""
    sent = found[row.metrics[0]]
    if (original := row.originals.get(sent.unit)) is not None:
        parts = (
            {"url": "has-been-converted", "valueBoolean": True},
            {"url": "original-code", "valueCodeableConcept": concept(original.codings, original.text)},
            {"url": "original-value", "valueQuantity": as_sent(sent)},
        )
        yield {"extension": [*parts], "url": ORIGINAL_EXTENSION}


def _circumstances(context: Context) -> Iterator[Body]:
    if context.moment is not None:
        yield {"url": MOMENT_EXTENSION, "valueCodeableConcept": concept((MOMENTS[context.moment],))}
    if context.position is not None:
        yield {"url": POSITION_EXTENSION, "valueCodeableConcept": concept((POSITIONS[context.position],))}
    if context.exertion is not None:
        yield {"url": EXERTION_EXTENSION, "valueCodeableConcept": concept((), EXERTIONS[context.exertion])}


def _method(slug: str, word: str | None) -> Body:
    """Left out when the registration does not tell: a guess would be a claim."""
    codings = METHODS.get(word or "", {}).get(slug)
    return {"method": concept(codings)} if codings else {}
