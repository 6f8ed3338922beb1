"""An ECG leaves the cart inline, as a file apart, or live, and is the same ECG each time."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.content import look
from ingest.judge import judge
from ingest.model import Channel, DeviceStatus, Facts, Outcome, RawMessage
from simulators.devices.contents import carried
from simulators.devices.ecg_cart import MODES, RECORDING, Beating, UnfitRecordingError, build, load, synthetic
from simulators.devices.ecg_live import Live, parts
from simulators.devices.ecg_model import twelve_leads
from simulators.physiology.body import Body

AT = datetime.fromisoformat("2026-11-21T08:30:00+04:00")
REAL: dict[str, Any] = load(RECORDING)


def samples(recording: dict[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Lead to samples."""
    return {lead: np.frombuffer(base64.b64decode(text), "<i2") for lead, text in recording["leads"].items()}


def outcome(members: Any) -> tuple[str, object]:  # noqa: ANN401 - the members of a reading
    """What the gateway's judge says."""
    whole = {"v": 1, "stream": "ab" * 16, "seq": 0, "kind": "ecg", "taken_at": AT.isoformat(), **members}
    instant = int(AT.timestamp() * 1_000_000)
    raw = RawMessage("ecg-0001", Channel.READING, json.dumps(whole).encode(), instant)
    verdict = judge(raw, Facts(instant, DeviceStatus.ACTIVE)).verdict
    return verdict.outcome, verdict.reason


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_a_good_reading(mode: str) -> None:
    """The judge finds no fault in any of them; files wait for their bytes."""
    measured = build(mode=mode).measure(AT)
    assert outcome(measured) == (Outcome.PENDING if mode in ("dicom", "edf") else Outcome.STORED, None)


def test_the_dicom_file_is_the_file() -> None:
    """Byte for byte, under its own hash."""
    content = carried(build(mode="dicom").measure(AT))
    assert content is not None
    assert content.raw == RECORDING.read_bytes()
    assert content["content_type"] == "application/dicom"


def test_the_edf_file_holds_the_real_samples(tmp_path: Path) -> None:
    """An EDF reader, and the gateway's own, give each lead back sample for sample; nobody is named."""
    from edfio import read_edf

    content = carried(build(mode="edf").measure(AT))
    assert content is not None
    whole = read_edf(BytesIO(content.raw))
    real = samples(REAL["recording"])
    assert [signal.label for signal in whole.signals] == [f"ECG {lead}" for lead in real]
    for signal, there in zip(whole.signals, real.values(), strict=True):
        assert np.array_equal(signal.digital, there)
        assert (signal.sampling_frequency, signal.physical_dimension) == (1000, "uV")
        assert np.allclose(signal.data, there * 1.25, atol=1e-9)
    assert whole.local_patient_identification == "X X X X"
    assert whole.local_recording_identification == "Startdate 21-NOV-2026 X X simulated_cart"
    assert str(whole.starttime) == "08:30:00"
    (tmp_path / "ecg.edf").write_bytes(content.raw)
    found = look(tmp_path / "ecg.edf", "application/edf", "ecg", tmp_path).wave
    assert found is not None
    assert [(name, step) for name, step, _ in found.leads] == [(name, "1.25") for name in real]
    kept = np.fromfile(tmp_path / found.file, "<i2").reshape(12, -1)
    assert np.array_equal(kept, np.stack(list(real.values())))


@pytest.mark.parametrize("part_s", [0.2, 0.3, 1.0, 1.9, 2.0])
def test_live_parts_make_the_whole_again(part_s: float) -> None:
    """Each part lasts 0.2 to 2 s with the whole header; put end to end they are the recording."""
    made: list[dict[str, Any]] = list(parts(REAL["recording"], "ab" * 16, part_s))
    lengths = [len(next(iter(samples(part["recording"]).values()))) for part in made]
    assert all(200 <= length <= 2000 for length in lengths)
    assert [part["part"]["from_sample"] for part in made] == [0, *np.cumsum(lengths)[:-1].tolist()]
    assert [part["part"]["last"] for part in made] == [False] * (len(made) - 1) + [True]
    for lead, whole in samples(REAL["recording"]).items():
        assert np.array_equal(np.concatenate([samples(part["recording"])[lead] for part in made]), whole)
    assert {name for part in made for name in part["recording"]} == set(REAL["recording"])
    assert all(outcome(part) == (Outcome.STORED, None) for part in made)


def test_a_live_cart_sends_part_after_part() -> None:
    """Times follow the samples; the next recording has another name."""
    live = Live(lambda _at: REAL, part_s=2.0)
    made: list[dict[str, Any]] = [dict(live.measure(AT)) for _ in range(10)]
    assert [part["taken_at"][17:23] for part in made[:5]] == ["00.000", "02.000", "04.000", "06.000", "08.000"]
    names = [part["part"]["recording"] for part in made]
    assert len({*names[:5]}) == len({*names[5:]}) == 1
    assert names[0] != names[5]


def test_live_parts_can_be_lost_and_shuffled() -> None:
    """A lost part is a gap; in another order each part still says its place."""
    live = Live(lambda _at: REAL, 3, lost=(2, 4), shuffled=True)
    made: list[dict[str, Any]] = [dict(live.measure(AT)) for _ in range(8)]
    places = [part["part"]["from_sample"] // 1000 for part in made]
    assert sorted(places) == [0, 1, 3, 5, 6, 7, 8, 9]
    assert places != sorted(places)


@pytest.mark.parametrize("rate", [45, 60, 72, 110])
def test_the_synthetic_heart_beats_as_told(rate: int) -> None:
    """R waves of lead II come at the rate given; limb leads add up as Einthoven and Goldberger say."""
    leads = {name: column.astype(float) for name, column in twelve_leads(rate, 30, 5).items()}
    high = leads["II"] > 600
    beats = np.flatnonzero(high[1:] & ~high[:-1]) / 500
    assert 60 / np.diff(beats).mean() == pytest.approx(rate, abs=0.5)
    assert np.diff(beats).std() > 0.002
    assert np.abs(leads["I"] + leads["III"] - leads["II"]).max() < 60  # noise of three leads
    assert np.abs(leads["aVR"] + leads["aVL"] + leads["aVF"]).max() < 60
    assert (leads["aVR"].min(), leads["V1"].min()) < (-400, -400)
    assert leads["V5"].max() > 700


def test_the_synthetic_heart_repeats_for_a_seed() -> None:
    """One seed, one ECG; another, another."""
    made = [{name: column.tolist() for name, column in twelve_leads(72, 5, seed).items()} for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize("mode", ["inline", "edf", "live"])
def test_on_a_body_the_cart_finds_the_body_s_rate(mode: str) -> None:
    """What the cart counts is what a finger clip on the same body counts, in every mode that can be synthetic."""
    body = Body.of_seed(3)
    measured = build(3, body, mode=mode, beating=True).measure(AT)
    assert outcome(measured)[0] in (Outcome.STORED, Outcome.PENDING)
    assert measured["synthetic"] == "model"
    if mode != "live":
        assert measured["values"] == {"heart_rate": {"value": round(body.heart_rate(AT)), "unit": "/min"}}


def test_a_synthetic_ecg_is_a_good_reading_that_says_so() -> None:
    """Its rate is the one given for that moment, and the mark is there."""
    measured = Beating(lambda at: 71.6 if at == AT else 0).measure(AT)
    assert outcome(measured) == (Outcome.STORED, None)
    assert (measured["synthetic"], measured["values"]) == ("model", {"heart_rate": {"value": 72, "unit": "/min"}})
    assert outcome(synthetic(72, 1.0)) == (Outcome.STORED, None)


def test_an_unknown_mode_is_refused_in_words() -> None:
    """It lists those there are; so does a part that is too long."""
    with pytest.raises(UnfitRecordingError, match="inline, dicom, edf, live"):
        build(mode="fax")
    with pytest.raises(ValueError, match=r"0\.2 to 2"):
        next(parts(REAL["recording"], "ab" * 16, 3))
