"""Each kind on its own: which values contradict each other, and which samples are a recording."""

from __future__ import annotations

import base64
import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import kinds as package
from ingest.kinds import KINDS
from ingest.kinds.ecg import INLINE_BASE64, LEADS
from ingest.kinds.kind import Kind
from ingest.metrics import METRICS
from ingest.model import Lead
from ingest.reasons import Reason
from ingest.wire import Circumstances
from tests.ingest.messages import ABSENT, RECORDING, ecg, judged, payload, refused, samples

STORED = (None, None)
HERE = Path(package.__path__[0])


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


def test_each_file_of_the_package_that_has_a_kind_is_named_for_it() -> None:
    """KINDS holds what the folder holds: `body_weight.py` defines the kind of that name."""
    files = {file.stem for file in HERE.glob("*.py") if "\nKIND = Kind(" in file.read_text("utf-8")}
    assert files == set(KINDS)
    assert list(KINDS) == sorted(KINDS)


DROPPED = '''
"""Grip strength by a dynamometer."""

from decimal import Decimal

from ingest.kinds.kind import Kind, Sent, Values
from ingest.metrics import Metric


class Grip(Values):
    """One force."""

    force: Sent


FORCE = Metric("grip_force", "kg", (Decimal(1), Decimal(100)))
KIND = Kind(name="grip_strength", values=Grip, metrics={"force": FORCE})
'''


@pytest.fixture
def dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a copy of the package of kinds, importable as `dropped_kinds`."""
    folder = tmp_path / "dropped_kinds"
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == folder.name]:
        del sys.modules[name]


def test_a_file_dropped_into_the_package_is_a_kind(dropped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the file is needed: it is found, and its messages are judged by its own rules."""
    dropped.joinpath("grip_strength.py").write_text(DROPPED, "utf-8")
    kinds: dict[str, Kind] = importlib.import_module(dropped.name).KINDS
    assert list(kinds) == sorted([*KINDS, "grip_strength"])
    monkeypatch.setitem(KINDS, "grip_strength", kinds["grip_strength"])
    body = payload(kind="grip_strength", values={"force": {"value": 31.50, "unit": "kg"}}, context=ABSENT)
    assert refused(body) == STORED
    body = payload(kind="grip_strength", values={"force": {"value": 101, "unit": "kg"}}, context=ABSENT)
    assert refused(body) == (Reason.VALUE_IMPOSSIBLE, "/values/force/value")


def test_two_files_cannot_define_one_kind(dropped: Path) -> None:
    """Which of them judged would depend on the alphabet, so the package does not load."""
    dropped.joinpath("scales.py").write_text(DROPPED.replace("grip_strength", "body_weight"), "utf-8")
    with pytest.raises(ValueError, match="body_weight"):
        importlib.import_module(dropped.name)


@pytest.mark.parametrize(
    ("fev1", "fvc", "at"),
    [(3.80, 3.80, None), (3.79, 3.80, None), (3.81, 3.80, "/values/fev1"), (3.8000001, 3.8, "/values/fev1")],
)
def test_the_first_second_is_part_of_the_whole(fev1: float, fvc: float, at: str | None) -> None:
    """FEV1 is at most FVC."""
    values = {"fev1": {"value": fev1, "unit": "L"}, "fvc": {"value": fvc, "unit": "L"}}
    body = payload(kind="spirometry", values=values, context=ABSENT)
    assert refused(body) == (Reason.VALUE_INCONSISTENT if at else None, at)


# Device contract, section 4, read again: values (required ones starred), units, context words.
CONTRACT: dict[str, tuple[dict[str, set[str]], set[str]]] = {
    "blood_pressure": (
        {"systolic*": {"mm[Hg]", "kPa"}, "diastolic*": {"mm[Hg]", "kPa"}, "mean": {"mm[Hg]", "kPa"}, "pulse": {"/min"}},
        {"body_site", "position"},
    ),
    "pulse_oximetry": ({"saturation*": {"%"}, "pulse": {"/min"}}, {"body_site", "exertion"}),
    "heart_rate": ({"rate*": {"/min"}}, {"exertion", "position"}),
    "body_temperature": ({"temperature*": {"Cel", "[degF]"}}, {"body_site"}),
    "body_weight": ({"weight*": {"kg", "g", "[lb_av]"}}, set()),
    "body_height": ({"height*": {"cm", "m", "[in_i]"}}, set()),
    "blood_glucose": ({"glucose*": {"mg/dL", "mmol/L"}}, {"sample", "moment"}),
    "hba1c": ({"fraction*": {"%", "mmol/mol"}}, set()),
    "respiratory_rate": ({"rate*": {"/min"}}, {"exertion"}),
    "spirometry": ({"fev1*": {"L"}, "fvc*": {"L"}, "pef": {"L/min"}}, set()),
}


@pytest.mark.parametrize("name", CONTRACT)
def test_a_kind_takes_what_the_contract_lists(name: str) -> None:
    """Values, which of them are required, units and context words are those of the contract's table."""
    values, context = CONTRACT[name]
    kind = KINDS[name]
    fields = kind.values.model_fields
    found = {
        value + ("*" if fields[value].is_required() else ""): {metric.unit, *metric.conversions}
        for value, metric in kind.metrics.items()
    }
    assert found == values
    assert kind.context == context


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
