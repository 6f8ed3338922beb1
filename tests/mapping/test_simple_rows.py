"""Simple quantities: what a row of the table alone decides, whatever the metric."""

from __future__ import annotations

import sys
from dataclasses import replace
from decimal import Decimal

import pytest

from fhir_export.mapping import device_resource
from fhir_export.mapping.vital_signs import vital_signs
from fhir_export.model import Body, Deployment
from fhir_export.profiles import R4_VITAL_SIGNS, VITAL_SIGNS, Coding, VitalSign
from fhir_export.structure import validated
from ingest.clock import parse
from ingest.metrics import METRICS, Metric
from ingest.model import Context, DeviceStatus, Key, Measurement, Reading, TimeMark, Timing
from registry.model import Attributed, Device, Identity

DEPLOYMENT = Deployment("2.999.1")
TAKEN = "2026-11-21T08:30:00+04:00"
PHD = Device("gluco-0001", DeviceStatus.ACTIVE, eui64="FE-ED-AB-EE-DE-AD-88-05", method="glucose_meter")
PLAIN = replace(PHD, eui64=None)


def made(measurement: Measurement, context: Context | None = None, device: Device = PHD) -> list[Body]:
    """Map a reading of one measurement."""
    timing = Timing(TAKEN, parse(TAKEN), TimeMark.DEVICE)
    reading = Reading(Key(device.device, "0" * 32, 1), "any", 0, timing, (measurement,), context or Context())
    resources = vital_signs(Attributed(reading, parse(TAKEN), "p1", device, bytes(32)), DEPLOYMENT)
    return [validated(resource).body for resource in resources]


def test_a_new_quantity_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric with a row becomes an Observation, and nothing else has to know it."""
    force = Metric("grip_force", "kg", (Decimal(1), Decimal(100)))
    row = VitalSign("grip-force", None, None, (Coding("http://loinc.org", "83174-3"),), ("grip_force",))
    monkeypatch.setitem(METRICS, "grip_force", force)
    monkeypatch.setattr(sys.modules[vital_signs.__module__], "VITAL_SIGNS", (*VITAL_SIGNS, row))
    (body,) = made(force.measure(Decimal("31.50"), "kg")[0])
    assert body["id"].endswith("-grip-force")
    assert str(body["valueQuantity"]["value"]) == "31.50"


@pytest.mark.parametrize("sample", [None, "capillary", "interstitial"])
@pytest.mark.parametrize("device", [PHD, PLAIN])
@pytest.mark.parametrize("value", ["0.56", "5.6", "7.80", "55.5"])
def test_glucose_never_leaves_in_mmol(value: str, device: Device, sample: str | None) -> None:
    """One Observation in mg/dL, with what was sent in the national extension and in no translation."""
    measurement, _ = METRICS["blood_glucose"].measure(Decimal(value), "mmol/L")
    (body,) = made(measurement, Context(sample=sample), device)
    assert body["valueQuantity"].keys() == {"value", "unit", "system", "code"}
    assert body["valueQuantity"]["code"] == "mg/dL"
    (original,) = body["extension"]
    parts = {part["url"]: part for part in original["extension"]}
    assert parts["has-been-converted"]["valueBoolean"] is True
    assert str(parts["original-value"]["valueQuantity"]["value"]) == value
    assert parts["original-value"]["valueQuantity"]["code"] == "mmol/L"


def test_a_value_that_was_not_converted_has_no_original() -> None:
    """The extension says `has-been-converted`: it is not there for what was sent in mg/dL."""
    (body,) = made(Measurement("blood_glucose", "104", "mg/dL", "104"))
    assert "extension" not in body


@pytest.mark.parametrize(
    ("sample", "slug", "text"),
    [
        (None, "blood-glucose", "Glycémie"),
        ("capillary", "blood-glucose", "Glycémie capillaire"),
        ("interstitial", "interstitial-glucose", "Glucose interstitiel"),
    ],
)
def test_a_sample_that_was_not_told_is_not_claimed(sample: str | None, slug: str, text: str) -> None:
    """Interstitial glucose is another quantity than that of blood, and `capillary` is written only if it was sent."""
    (body,) = made(Measurement("blood_glucose", "104", "mg/dL", "104"), Context(sample=sample))
    assert body["id"].endswith(f"-{slug}")
    assert body["code"]["text"] == text


def test_what_has_no_profile_elsewhere_claims_r4s_own() -> None:
    """Glucose of a device without EUI-64 is a vital sign of FHIR R4: FR Core has no profile for it."""
    (body,) = made(Measurement("blood_glucose", "104", "mg/dL", "104"), device=PLAIN)
    assert body["meta"]["profile"] == [R4_VITAL_SIGNS]


@pytest.mark.parametrize(
    ("kind", "method", "code"),
    [
        ("blood_glucose", "glucose_meter", "528401"),
        ("blood_glucose", "glucose_sensor", "528409"),
        ("blood_glucose", None, "528401"),
        ("pulse_oximetry", "oximeter", "528388"),
        ("pulse_oximetry", "glucose_sensor", "528388"),
        ("body_height", None, "528457"),
    ],
)
def test_method_tells_a_sensor_from_a_meter(kind: str, method: str | None, code: str) -> None:
    """One kind, two device specializations: the word of the registration decides."""
    device = replace(PHD, method=method, identity=Identity("Acme", "Kit", kinds=(kind,)))
    resource = device_resource(device, DEPLOYMENT)
    (entry,) = resource.body["specialization"]
    assert entry["systemType"]["coding"][0]["code"] == code
