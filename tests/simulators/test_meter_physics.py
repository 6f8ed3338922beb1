"""The simulated meter and cart: believable, and understood by the gateway's own judge."""

from __future__ import annotations

import base64
import hashlib
import json
import statistics
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from ingest.judge import judge
from ingest.model import Channel, DeviceStatus, Facts, Outcome, RawMessage, TimeMark
from simulators.devices.blood_pressure import Cuff
from simulators.devices.clock import INDIAN_OCEAN, text
from simulators.devices.diary import visits
from simulators.devices.ecg_cart import RECORDING, Cart
from simulators.devices.kinds import KINDS, eui64_of, identity
from simulators.devices.messages import encode

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=INDIAN_OCEAN)
SEEDS = range(20)


def diary(seed: int, count: int = 1000) -> list[datetime]:
    """Visits of three over sixty days."""
    return list(visits(count, NOW, timedelta(days=60), 3, Random(f"{seed}")))


def taken(seed: int) -> list[tuple[datetime, dict[str, Any]]]:
    """A thousand readings of one person."""
    cuff = Cuff(seed)
    return [(at, cuff.measure(at)) for at in diary(seed)]


def value(reading: dict[str, Any], name: str) -> int:
    """One shown number."""
    return int(reading["values"][name]["value"])


def mean_systolic(readings: list[tuple[datetime, dict[str, Any]]], hours: range) -> float:
    """Mean systolic pressure at these hours of the local day."""
    return statistics.mean(value(reading, "systolic") for at, reading in readings if at.hour in hours)


def verdict(members: dict[str, Any], seq: int, at: datetime) -> tuple[Outcome, str | None, TimeMark | None]:
    """What the gateway's judge says of it."""
    whole = {"v": 1, "stream": "ab" * 16, "seq": seq, "clock": 0, "taken_at": text(at), **members}
    instant = int(NOW.astimezone(UTC).timestamp() * 1_000_000)
    raw = RawMessage("bp-0001", Channel.READING, encode(whole), instant)
    judged = judge(raw, Facts(instant, DeviceStatus.ACTIVE))
    mark = judged.reading.timing.mark if judged.reading else None
    return judged.verdict.outcome, judged.verdict.reason, mark


@pytest.mark.parametrize("seed", SEEDS)
def test_the_first_thousand_readings_are_all_stored(seed: int) -> None:
    """The gateway's judge stores every one."""
    outcomes = Counter(
        verdict({"kind": "blood_pressure", **reading}, seq, at)[0] for seq, (at, reading) in enumerate(taken(seed))
    )
    assert outcomes == {Outcome.STORED: 1000}


@pytest.mark.parametrize("seed", SEEDS)
def test_pressure_dips_at_night_and_rises_in_the_morning(seed: int) -> None:
    """Beside the white-coat effect nights lie 10 to 21 % below days, and the morning 10 mm[Hg] above the night."""
    readings = taken(seed)[2::3]
    day, night = mean_systolic(readings, range(9, 21)), mean_systolic(readings, range(1, 5))
    assert 0.10 < 1 - night / day < 0.21
    assert mean_systolic(readings, range(7, 10)) > night + 10


@pytest.mark.parametrize("seed", SEEDS)
def test_the_first_reading_of_a_visit_is_higher(seed: int) -> None:
    """The white-coat effect: awake, the first of three stands above the third by 3 to 20 mm[Hg] on average."""
    readings = taken(seed)
    visits_of_three = [readings[n : n + 3] for n in range(0, 999, 3)]
    awake = [visit for visit in visits_of_three if 9 <= visit[0][0].hour < 21]
    drop = statistics.mean(value(v[0][1], "systolic") - value(v[2][1], "systolic") for v in awake)
    assert 3 < drop < 20


@pytest.mark.parametrize("seed", SEEDS)
def test_values_agree_and_none_is_constant(seed: int) -> None:
    """Diastolic < mean < systolic, whole numbers, a mean at 0.2 to 0.6 of the way, spread everywhere."""
    readings = [reading for _, reading in taken(seed)]
    for reading in readings:
        low, mean, high = (value(reading, name) for name in ("diastolic", "mean", "systolic"))
        assert low < mean < high
        assert all(isinstance(shown["value"], int) for shown in reading["values"].values())
        assert 0.2 < (mean - low) / (high - low) < 0.6
    for name in ("systolic", "diastolic", "mean", "pulse"):
        assert 4 < statistics.stdev(value(reading, name) for reading in readings) < 25
    assert max(Counter(value(reading, "systolic") for reading in readings).values()) < 100


def test_people_differ_and_a_seed_repeats() -> None:
    """Two seeds are two people; one seed is the same person again, reading for reading."""
    assert taken(1) == taken(1)
    means = [statistics.mean(value(reading, "systolic") for _, reading in taken(seed)) for seed in SEEDS]
    assert 5 < statistics.stdev(means) < 20
    assert 105 < statistics.mean(means) < 135


def test_effort_raises_the_pulse() -> None:
    """Awake, some readings are taken after an effort: a pulse of 15 and more above the median."""
    pulses = [value(reading, "pulse") for at, reading in taken(4) if 9 <= at.hour < 21]
    after_effort = sum(pulse > statistics.median(pulses) + 15 for pulse in pulses)
    assert 0.02 < after_effort / len(pulses) < 0.2


def test_someone_asleep_lies_and_nobody_is_startled() -> None:
    """At night the position is lying."""
    asleep = [reading for at, reading in taken(2) if 1 <= at.hour < 5]
    assert {reading["context"]["position"] for reading in asleep} == {"lying"}


def test_a_diary_rises_and_fills_its_time() -> None:
    """Instants rise strictly, in visits a minute apart, over the whole time asked for."""
    times = diary(0, 100)
    assert all(earlier < later for earlier, later in pairwise(times))
    assert times[1] - times[0] == timedelta(minutes=1)
    assert timedelta(days=55) < times[-1] - times[0] < timedelta(days=60)
    assert max(times) < NOW


def test_a_crowded_diary_stays_in_its_time() -> None:
    """More readings than minutes: closer together, still rising, still in the past."""
    times = list(visits(1000, NOW, timedelta(minutes=10), 3, Random(1)))
    assert all(earlier < later for earlier, later in pairwise(times))
    assert max(times) <= NOW


def test_the_recording_is_the_one_described() -> None:
    """The checksum stands in the README beside it."""
    assert hashlib.sha256(RECORDING.read_bytes()).hexdigest() in RECORDING.with_name("README.md").read_text()


def test_the_cart_sends_the_samples_bit_for_bit() -> None:
    """Twelve leads decode to the very samples of the DICOM file, as pydicom itself scales them."""
    reading = dict(Cart().measure(NOW))
    sent: Any = reading["recording"]
    physical = dcmread(RECORDING).waveform_array(0)
    for column, (name, samples) in enumerate(sent["leads"].items()):
        values = np.frombuffer(base64.b64decode(samples), "<i2") * sent["step"] + sent["baseline"]
        assert np.array_equal(values, physical[:, column]), name
    raw = dcmread(RECORDING).WaveformSequence[0].WaveformData
    leads = [np.frombuffer(base64.b64decode(samples), "<i2") for samples in sent["leads"].values()]
    assert np.stack(leads, axis=1).tobytes() == raw
    assert list(sent["leads"]) == ["I", "II", "III", "aVR", "aVL", "aVF", *(f"V{n}" for n in range(1, 7))]
    assert (sent["step"], sent["unit"], sent["sampling_hz"], len(leads[0])) == (1.25, "uV", 1000, 10_000)


def test_the_cart_s_figures_are_those_of_the_recording() -> None:
    """Rate from RR 982 ms; intervals as annotated; and the gateway's judge stores the whole."""
    reading: dict[str, Any] = dict(Cart().measure(NOW))
    figures = {name: shown["value"] for name, shown in reading["values"].items()}
    assert figures == {"heart_rate": 61, "pr": 161, "qrs": 75, "qt": 368, "qtc": 370}
    assert verdict({"kind": "ecg", **reading}, 0, NOW)[:2] == (Outcome.STORED, None)


def test_leads_follow_einthoven_and_goldberger() -> None:
    """III = II - I and aVR + aVL + aVF = 0 within rounding: no lead has another's name."""
    reading: dict[str, Any] = dict(Cart().measure(NOW))
    lead = {
        name: np.frombuffer(base64.b64decode(text), "<i2").astype(int)
        for name, text in reading["recording"]["leads"].items()
    }
    assert np.abs(lead["II"] - lead["I"] - lead["III"]).max() <= 3
    assert np.abs(lead["aVR"] + lead["aVL"] + lead["aVF"]).max() <= 3


def test_a_file_without_ecg_is_refused_in_words(tmp_path: Path) -> None:
    """A DICOM file without waveform names what is missing."""
    dataset = dcmread(RECORDING)
    del dataset.WaveformSequence
    dataset.save_as(tmp_path / "empty.dcm")
    with pytest.raises(ValueError, match="no waveform"):
        Cart(tmp_path / "empty.dcm")


def test_an_invented_eui64_is_local_and_stable() -> None:
    """Of the locally administered range, individual, the same for one id, different for two."""
    first = eui64_of("bp-0001")
    assert int(first[:2], 16) & 0x03 == 0x02
    assert len(first) == 23
    assert first == eui64_of("bp-0001") != eui64_of("bp-0002")
    assert identity("ecg", "ecg-0001").eui64 is None


def test_every_kind_of_the_table_measures() -> None:
    """Each row builds an instrument whose first reading is JSON and stored, or pending while its picture is to come."""
    for kind, make in KINDS.items():
        members = dict(make.build(7).measure(NOW))
        assert json.loads(encode(members))
        awaited = Outcome.PENDING if kind == "retinography" else Outcome.STORED
        assert verdict({"kind": kind, **members}, 0, NOW)[0] is awaited
