"""Each kind on its own: which values contradict each other, and which samples are a recording."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.kinds import KINDS
from ingest.kinds.ecg import INLINE_BASE64, LEADS
from ingest.metrics import METRICS
from ingest.model import Lead
from ingest.reasons import Reason
from ingest.wire import Circumstances
from tests.ingest.messages import ABSENT, RECORDING, ecg, judged, payload, refused, samples

STORED = (None, None)


def _pressures(systolic: object, diastolic: object, mean: object = None, unit: str = "mm[Hg]") -> bytes:
    named = {"systolic": systolic, "diastolic": diastolic, "mean": mean}
    return payload(values={name: {"value": value, "unit": unit} for name, value in named.items() if value is not None})


@pytest.mark.parametrize(
    ("systolic", "diastolic", "mean", "at"),
    [
        (121, 120, None, None),
        (120, 120, None, "/values/diastolic"),
        (119, 120, None, "/values/diastolic"),
        (120, 80, 80, None),
        (120, 80, 78, None),
        (120, 80, 77.9, "/values/mean"),
        (120, 80, 122, None),
        (120, 80, 122.1, "/values/mean"),
        (120, 80, 97, None),
    ],
)
def test_pressures_that_contradict_each_other_are_refused(
    systolic: float, diastolic: float, mean: float | None, at: str | None
) -> None:
    """Diastolic lies below systolic, the mean between them to 2 mm[Hg]."""
    reason = Reason.VALUE_INCONSISTENT if at else None
    assert refused(_pressures(systolic, diastolic, mean)) == (reason, at)


def test_pressures_of_two_units_are_compared_exactly() -> None:
    """16 kPa is 120.00992 mm[Hg]: above 120, below 120.01."""
    units = {"systolic": {"value": 16, "unit": "kPa"}, "diastolic": {"value": 120, "unit": "mm[Hg]"}}
    assert refused(payload(values=units)) == STORED
    units["diastolic"]["value"] = 120.01
    assert refused(payload(values=units)) == (Reason.VALUE_INCONSISTENT, "/values/diastolic")


def test_a_missing_unit_points_at_where_it_should_stand() -> None:
    """The pointer names the value's own unit."""
    assert refused(payload(values__pulse__unit=ABSENT)) == (Reason.UNIT_MISSING, "/values/pulse/unit")


def test_a_kind_names_its_values_metrics_and_context_consistently() -> None:
    """Every value has a metric, every metric a row, every context word a place in the contract."""
    for name, kind in KINDS.items():
        assert kind.name == name
        assert set(kind.metrics) == set(kind.values.model_fields)
        assert all(METRICS[metric.name] is metric for metric in kind.metrics.values())
        assert kind.context <= set(Circumstances.model_fields)
        assert (kind.form is None) == (kind.recording is None)


def test_an_ecg_keeps_its_samples_and_its_scale() -> None:
    """Bit for bit, in the order sent, -32768 included; step and baseline with their digits."""
    bits = b"\x00\x80\xff\x7f" * 50
    leads = {"V1": base64.b64encode(bits).decode(), "I": samples(100)}
    body = ecg(
        recording={**RECORDING, "sampling_hz": 50.0, "step": 2.5, "unit": "mV", "leads": leads},
        values={"qt": {"value": 368, "unit": "ms"}},
    )
    reading = judged(body).reading
    assert reading is not None
    assert reading.recording is not None
    found = reading.recording
    assert (found.sampling_hz, found.unit, found.samples, found.complete) == ("50.0", "mV", 100, True)
    assert found.leads == (Lead("V1", bits, "2.5", "0"), Lead("I", b"\x01\x80" * 100, "2.5", "0"))
    assert [(value.metric, value.value) for value in reading.measurements] == [("ecg_qt", "368")]


LEADS_AT, LENGTH_AT = "/recording/leads", "/recording/leads/I"
RECORDINGS: list[tuple[dict[str, Any], Reason, str]] = [
    ({"recording": ABSENT}, Reason.SCHEMA_MISSING, "/recording"),
    ({"recording": 5}, Reason.SCHEMA_TYPE, "/recording"),
    ({"recording": None}, Reason.SCHEMA_TYPE, "/recording"),
    ({"recording": {}}, Reason.SCHEMA_MISSING, "/recording/sampling_hz"),
    ({"recording__leads": ABSENT}, Reason.SCHEMA_MISSING, "/recording/leads"),
    ({"recording__note": "x"}, Reason.SCHEMA_NOT_ALLOWED, "/recording/note"),
    ({"recording__encoding": "int16be"}, Reason.SCHEMA_NOT_ALLOWED, "/recording/encoding"),
    ({"recording__encoding": 1}, Reason.SCHEMA_TYPE, "/recording/encoding"),
    ({"recording__leads": {"I": 1}}, Reason.SCHEMA_TYPE, "/recording/leads/I"),
    ({"recording__leads": []}, Reason.SCHEMA_TYPE, "/recording/leads"),
    ({"recording__leads": {f"L{n}": "" for n in range(65)}}, Reason.SCHEMA_TYPE, "/recording/leads"),
    ({"recording__step": "1.25"}, Reason.SCHEMA_TYPE, "/recording/step"),
    ({"recording__step": None}, Reason.SCHEMA_TYPE, "/recording/step"),
    ({"recording__step": float("nan")}, Reason.NUMBER_NOT_FINITE, "/recording/step"),
    ({"recording__baseline": 10**22}, Reason.NUMBER_OUT_OF_RANGE, "/recording/baseline"),
    ({"recording__unit": ABSENT}, Reason.UNIT_MISSING, "/recording/unit"),
    ({"recording__unit": "\u00b5V"}, Reason.UNIT_NOT_ALLOWED, "/recording/unit"),
    ({"recording__leads": {}}, Reason.ECG_LEADS, LEADS_AT),
    ({"recording__leads": {"V7": samples(50)}}, Reason.ECG_LEADS, LEADS_AT),
    ({"recording__leads": {"i": samples(50)}}, Reason.ECG_LEADS, LEADS_AT),
    ({"recording__leads": {"unspecified": samples(50), "I": samples(50)}}, Reason.ECG_LEADS, LEADS_AT),
    ({"recording__leads": {"I": samples(50), "II": samples(51)}}, Reason.ECG_LENGTH, LEADS_AT),
    ({"recording__leads": {"I": ""}}, Reason.ECG_LENGTH, LEADS_AT),
    ({"recording__leads": {"I": samples(49)}}, Reason.ECG_LENGTH, LEADS_AT),
    ({"recording__leads": {"I": "A" * 67}}, Reason.ECG_LENGTH, LENGTH_AT),
    ({"recording__leads": {"I": "é" * 68}}, Reason.ECG_LENGTH, LENGTH_AT),
    ({"recording__leads": {"I": "AA==" * 25}}, Reason.ECG_LENGTH, LENGTH_AT),
    ({"recording__leads": {"I": samples(50) + "\n"}}, Reason.ECG_LENGTH, LENGTH_AT),
    ({"recording__leads": {"I": samples(50)[:-4] + "AAA="}}, Reason.ECG_LENGTH, LENGTH_AT),
    ({"recording__leads": {"I": "-_" * 34}}, Reason.ECG_LENGTH, LENGTH_AT),
    ({"recording__leads": {"I": "A" * (INLINE_BASE64 + 4)}}, Reason.ECG_LENGTH, LEADS_AT),
    ({"recording__sampling_hz": 49.9}, Reason.ECG_SAMPLING, "/recording/sampling_hz"),
    (
        {"recording__sampling_hz": 2000.5, "recording__leads": {"I": samples(3000)}},
        Reason.ECG_SAMPLING,
        "/recording/sampling_hz",
    ),
    ({"recording__step": 0}, Reason.ECG_SAMPLING, "/recording/step"),
    ({"recording__step": 0.0}, Reason.ECG_SAMPLING, "/recording/step"),
    ({"values": {"st": {"value": 1, "unit": "ms"}}}, Reason.SCHEMA_NOT_ALLOWED, "/values/st"),
    ({"values": []}, Reason.SCHEMA_TYPE, "/values"),
    ({"values": {"qt": {"value": 368, "unit": "s"}}}, Reason.UNIT_NOT_ALLOWED, "/values/qt/unit"),
    ({"values": {"heart_rate": {"value": -1, "unit": "/min"}}}, Reason.VALUE_IMPOSSIBLE, "/values/heart_rate/value"),
    ({"context": {"position": "lying"}}, Reason.SCHEMA_NOT_ALLOWED, "/context/position"),
]


@pytest.mark.parametrize(("change", "reason", "at"), RECORDINGS)
def test_a_recording_that_is_not_one_is_refused_with_its_place(change: dict[str, Any], reason: Reason, at: str) -> None:
    """Samples are decoded as sent or not at all."""
    assert refused(ecg(**change)) == (reason, at)


@pytest.mark.parametrize(
    "change",
    [
        {"recording__leads": {"unspecified": samples(50)}},
        {"recording__leads": {lead: samples(50) for lead in LEADS[:-1]}},
        {"recording__sampling_hz": 2000, "recording__leads": {"I": samples(2000)}},
        {"values": {}},
        {"recording__step": -0.5},
        {"recording__leads": {"I": samples(INLINE_BASE64 // 4 * 3 // 2)}},
    ],
)
def test_recordings_at_the_limits_are_stored(change: dict[str, Any]) -> None:
    """One second, twelve leads, 2000 Hz, 750,000 bytes of base64."""
    assert refused(ecg(**change)) == STORED


@given(st.binary(min_size=100, max_size=400).filter(lambda bits: len(bits) % 2 == 0))
def test_any_samples_come_out_as_they_went_in(bits: bytes) -> None:
    """No value is special on the way (C-ECG-4)."""
    reading = judged(ecg(recording__leads={"II": base64.b64encode(bits).decode()})).reading
    assert reading is not None
    assert reading.recording is not None
    assert reading.recording.leads == (Lead("II", bits, "1.25", "0"),)
