"""FHIR datatypes as JSON: CodeableConcept, Quantity, SampledData, Meta.

Comes in: codes, decimal texts, samples. Goes out: element bodies, every digit kept. Refuses to know: which
resource they stand in.
"""

from __future__ import annotations

import struct
from decimal import Context, Decimal
from functools import lru_cache

from fhir_export.model import Body, Deployment
from fhir_export.profiles import UCUM, UNIT_NAMES, Coding
from ingest.metrics import METRICS
from ingest.model import Lead, Measurement, Recording

_TRANSLATION = "http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation"
_DATA_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_PERIOD = Context(prec=15)
"""300 Hz has no finite period in ms: 15 digits give back every frequency of the contract by rounding."""
_MISSING = "-32768"
"""A missing sample (device contract, C-ECG-2); FHIR writes E."""


@lru_cache(512)  # a few dozen; the same element each time, for nobody changes a body that is built
def concept(codings: tuple[Coding, ...], text: str | None = None) -> Body:
    """A CodeableConcept; readers take the first coding they know."""
    body: Body = {}
    if found := [{"system": coding.system, "code": coding.code} for coding in codings]:
        body["coding"] = found
    if text is not None:
        body["text"] = text
    return body


def quantity(value: str, unit: str) -> Body:
    """A Quantity of a decimal text in a UCUM unit."""
    return {"value": Decimal(value), "unit": UNIT_NAMES.get(unit, unit), "system": UCUM, "code": unit}


def measured(measurement: Measurement) -> Body:
    """A Quantity in the metric's unit; what was sent in another unit stands beside it, as sent."""
    own = normal(measurement)
    if measurement.unit == own["code"]:
        return own
    return {"extension": [{"url": _TRANSLATION, "valueQuantity": as_sent(measurement)}], **own}


def normal(measurement: Measurement) -> Body:
    """A Quantity in the metric's unit and nothing beside it."""
    return quantity(measurement.normal, METRICS[measurement.metric].unit)


def as_sent(measurement: Measurement) -> Body:
    """A Quantity in the unit the device sent, with its digits."""
    return quantity(measurement.value, measurement.unit)


def sampled(recording: Recording, lead: Lead) -> Body:
    """One lead as SampledData: integers as sent, physical value = integer x factor + origin, period in ms.

    No limits: integers that reach the edge of int16 are as sent, and only E would need telling apart.
    """
    numbers = struct.unpack(f"<{len(lead.samples) // 2}h", lead.samples)
    return {
        "origin": quantity(lead.baseline, recording.unit),
        "period": _period(recording.sampling_hz),
        "factor": Decimal(lead.step),
        "dimensions": 1,
        # no other int16 holds this text, and one pass over it costs less than a test a sample
        "data": " ".join(map(str, numbers)).replace(_MISSING, "E"),
    }


def _period(sampling_hz: str) -> Decimal:
    """1000 / Hz in ms, plain digits (20, not 2E+1)."""
    return Decimal(format(_PERIOD.divide(Decimal(1000), Decimal(sampling_hz)), "f"))


def absent() -> Body:
    """The sibling of a primitive element whose value nobody told (``_version``...)."""
    return {"extension": [{"url": _DATA_ABSENT, "valueCode": "unknown"}]}


def meta(deployment: Deployment, profile: str | None, *, test: bool) -> Body:
    """Source, the profile claimed (without a version: PhdDevice fixes its own so), HTEST if a test."""
    body: Body = {"source": deployment.source}
    if profile is not None:
        body["profile"] = [profile]
    if test:
        body["security"] = [{"system": _ACT_REASON, "code": "HTEST"}]
    return body
