"""Every simulated instrument: believable, understood by the gateway's judge, of one mind about one person."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import app
from ingest.judge import judge
from ingest.kinds import KINDS as KNOWN
from ingest.model import Channel, DeviceStatus, Facts, Judged, Outcome, RawMessage
from simulators.devices.clock import INDIAN_OCEAN, text
from simulators.devices.diary import visits
from simulators.devices.display import UnknownUnitError
from simulators.devices.ecg_cart import Beating
from simulators.devices.instrument import Instrument
from simulators.devices.kinds import KINDS, found
from simulators.devices.messages import Json, encode
from simulators.faults import CONTENT, Misbehaviour, parse
from simulators.person import PLACES, Person
from simulators.physiology.body import Body
from simulators.physiology.spells import Spell

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=INDIAN_OCEAN)
INSTANT = int(NOW.astimezone(UTC).timestamp() * 1_000_000)
METERS = [kind for kind, make in KINDS.items() if make.units]
"""Kinds of values alone."""
SET = [(kind, unit) for kind in METERS for unit in KINDS[kind].units]
USUAL_SHARE = 0.97


def diary(kind: str, seed: int, count: int = 1000) -> Iterator[datetime]:
    """Visits over eighty days, at any hour."""
    return visits(count, NOW, timedelta(days=80), KINDS[kind].per_visit, Random(f"{seed}"))


def message(kind: str, seq: int, at: datetime, members: Mapping[str, Json]) -> bytes:
    """The whole reading."""
    return encode({"v": 1, "stream": "ab" * 16, "seq": seq, "kind": kind, "taken_at": text(at), **members})


def judged(payload: bytes) -> Judged:
    """What the gateway's judge says of it."""
    raw = RawMessage("dev-0001", Channel.READING, payload, INSTANT)
    return judge(raw, Facts(INSTANT, DeviceStatus.ACTIVE))


def taken(kind: str, instrument: Instrument, seed: int, count: int = 1000) -> list[bytes]:
    """So many readings of one instrument."""
    return [message(kind, seq, at, instrument.measure(at)) for seq, at in enumerate(diary(kind, seed, count))]


def value(members: Mapping[str, Json], name: str) -> float:
    """One shown number."""
    values: Any = members["values"]
    return float(values[name]["value"])


def place(seed: int, altitude: float, effort: float = 0.0) -> Body:
    """Someone at an altitude, at rest or at work all the time."""
    spells = (Spell(NOW - timedelta(days=90), timedelta(days=99), effort),)
    return Body(replace(Person.drawn(seed), altitude_m=altitude), efforts=spells, fevers=())


def test_there_is_a_simulator_for_every_kind() -> None:
    """Each is found by its `INSTRUMENT`: all that the gateway knows."""
    assert set(KINDS) == set(KNOWN)
    assert {"blood_pressure", "pulse_oximetry"} < set(METERS) < set(KINDS)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("kind", "unit"), SET)
def test_a_thousand_readings_are_stored_and_usual(kind: str, unit: str, seed: int) -> None:
    """In every unit the instrument can be set to; nearly all are in the range where people mostly are."""
    results = [judged(payload) for payload in taken(kind, KINDS[kind].build(seed, unit=unit), seed)]
    verdicts = Counter((result.verdict.outcome, result.verdict.reason) for result in results)
    assert verdicts == {(Outcome.STORED, None): 1000}
    measurements = [found for result in results if result.reading for found in result.reading.measurements]
    assert unit in {found.unit for found in measurements}
    assert sum(not found.unusual for found in measurements) >= USUAL_SHARE * len(measurements)


@pytest.mark.parametrize("kind", METERS)
def test_sixty_people_are_stored_and_mostly_usual(kind: str) -> None:
    """Whoever the seed draws, old, ill, high up: all stored, and usual but for a few."""
    usual: list[bool] = []
    for seed in range(100, 160):
        for payload in taken(kind, KINDS[kind].build(seed), seed, 30):
            result = judged(payload)
            assert result.verdict.outcome is Outcome.STORED
            assert result.reading
            usual += [not found.unusual for found in result.reading.measurements]
    assert statistics.mean(usual) >= USUAL_SHARE


@pytest.mark.parametrize("kind", METERS)
def test_a_seed_repeats_to_the_byte(kind: str) -> None:
    """The same seed gives the same bytes, another gives others."""
    runs = [taken(kind, KINDS[kind].build(seed), 0, 50) for seed in (7, 7, 8)]
    assert runs[0] == runs[1] != runs[2]
    assert len(set(runs[0])) == 50


@pytest.mark.parametrize("kind", METERS)
def test_no_value_is_constant(kind: str) -> None:
    """Two hundred readings of one person differ in every value."""
    instrument = KINDS[kind].build(3)
    members: list[Any] = [instrument.measure(at) for at in diary(kind, 3, 200)]
    for name in members[0]["values"]:
        assert len({value(one, name) for one in members}) > 2, name


@pytest.mark.parametrize("seed", range(10))
def test_four_instruments_agree_on_the_heart(seed: int) -> None:
    """Cuff, oximeter, belt and ECG on one person: within 5 beats a minute of each other at each instant."""
    body = Body.of_seed(seed)
    names = {"blood_pressure": "pulse", "pulse_oximetry": "pulse", "heart_rate": "rate"}
    worn = {kind: KINDS[kind].build(seed, body) for kind in names}
    shown = []
    for at in diary("heart_rate", seed, 300):
        rates = [value(worn[kind].measure(at), name) for kind, name in names.items()]
        assert max(rates) - min(rates) <= 5
        assert abs(statistics.mean(rates) - body.heart_rate(at)) <= 2.5
        shown.append(rates[0])
    assert statistics.stdev(shown) > 4
    ecg = value(Beating(body.heart_rate).measure(NOW), "heart_rate")
    assert all(abs(ecg - value(worn[kind].measure(NOW), name)) <= 5 for kind, name in names.items())


@pytest.mark.parametrize("seed", range(10))
def test_an_oximeter_shows_altitude_and_effort(seed: int) -> None:
    """Lower at 1,200 than at sea level, lower still at 1,600 m, and lower with exertion; the context says so."""
    found = {}
    for altitude in PLACES.values():
        for effort in (0.0, 0.9):
            oximeter = KINDS["pulse_oximetry"].build(seed, place(seed, altitude, effort))
            readings: list[Any] = [oximeter.measure(at) for at in diary("pulse_oximetry", seed, 200)]
            found[altitude, effort] = statistics.mean(value(reading, "saturation") for reading in readings)
            assert {reading["context"]["exertion"] for reading in readings} == {"exercise" if effort else "rest"}
    for effort in (0.0, 0.9):
        sea, middle, high = (found[altitude, effort] for altitude in PLACES.values())
        assert sea > middle > high
    for altitude in PLACES.values():
        assert found[altitude, 0.9] < found[altitude, 0.0] - 0.3


@pytest.mark.parametrize("kind", ["heart_rate", "respiratory_rate"])
def test_effort_and_fever_show_on_belt_and_band(kind: str) -> None:
    """Both rates are higher at work, and higher in fever."""
    fever = (Spell(NOW - timedelta(hours=12), timedelta(hours=84), 2.4),)
    calm, work = place(1, 0.0), place(1, 0.0, 0.8)
    ill = Body(Person.drawn(1), efforts=(), fevers=fever)
    means = [
        statistics.mean(value(KINDS[kind].build(seed, body).measure(NOW), "rate") for seed in range(50))
        for body in (calm, ill, work)
    ]
    assert means[0] + 1.5 < means[1]
    assert means[0] + 8 < means[2]


def test_a_thermometer_shows_the_site_and_the_fever() -> None:
    """Rectal above axillary, each with its word; a fever is a fever."""
    build, body = KINDS["body_temperature"].build, Body(Person.drawn(2), fevers=())
    means = {
        site: statistics.mean(value(build(seed, body, site=site).measure(NOW), "temperature") for seed in range(50))
        for site in ("oral", "axilla", "ear", "forehead", "rectal")
    }
    assert means["rectal"] - means["axilla"] == pytest.approx(0.7, abs=0.1)
    assert build(0, body, site="ear").measure(NOW)["context"] == {"body_site": "ear"}
    ill = Body(Person.drawn(2), fevers=(Spell(NOW - timedelta(hours=12), timedelta(hours=84), 2.4),))
    assert value(build(0, ill).measure(NOW), "temperature") > 38


@pytest.mark.parametrize("sample", ["capillary", "interstitial"])
def test_a_glucose_meter_follows_the_meal(sample: str) -> None:
    """Its own highest mean lies 30 to 90 minutes after a meal, and the finger's readings say the moment."""
    person = replace(Person.drawn(4), diabetes=True)
    body = Body(person, efforts=())
    meal = body.glucose.meals(NOW)[1].at
    meters = [KINDS["blood_glucose"].build(seed, body, sample=sample) for seed in range(40)]
    course = {
        minute: statistics.mean(value(meter.measure(meal + timedelta(minutes=minute)), "glucose") for meter in meters)
        for minute in range(0, 181, 10)
    }
    highest = max(course, key=lambda minute: course[minute])
    assert 30 <= highest <= 90
    assert course[highest] > course[0] + 30
    context = meters[0].measure(meal + timedelta(minutes=60))["context"]
    assert context == {"sample": sample} | ({"moment": "after_meal"} if sample == "capillary" else {})


def test_a_sensor_is_late() -> None:
    """On the rise after a meal it shows less than the finger, on the fall more."""
    body = Body(replace(Person.drawn(4), diabetes=True), efforts=())
    meal = body.glucose.meals(NOW)[1].at
    pairs = [
        [KINDS["blood_glucose"].build(seed, body, sample=s) for seed in range(60)]
        for s in ("capillary", "interstitial")
    ]
    for minutes, sign in ((25, 1), (130, -1)):
        finger, sensor = (
            statistics.mean(value(meter.measure(meal + timedelta(minutes=minutes)), "glucose") for meter in meters)
            for meters in pairs
        )
        assert sign * (finger - sensor) > 3


@pytest.mark.parametrize("diabetes", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_analyser_and_glucose_meter_agree(seed: int, *, diabetes: bool) -> None:
    """HbA1c as shown is within 0.5 % of the ADAG equation on the mean of a sensor's readings."""
    body = Body(replace(Person.drawn(seed), diabetes=diabetes))
    sensor = KINDS["blood_glucose"].build(seed, body, sample="interstitial")
    times = (NOW - timedelta(minutes=90 * step) for step in reversed(range(1, 84 * 16)))
    mean = statistics.mean(value(sensor.measure(at), "glucose") for at in times)
    shown = value(KINDS["hba1c"].build(seed, body).measure(NOW), "fraction")
    assert shown == pytest.approx((mean + 46.7) / 28.7, abs=0.5)


def test_units_say_the_same() -> None:
    """One instrument set to two units shows one quantity, as the gateway converts them, within a step of display."""
    for kind in METERS:
        shown = []
        for unit in KINDS[kind].units:
            payload = taken(kind, KINDS[kind].build(5, unit=unit), 5, 1)[0]
            reading = judged(payload).reading
            assert reading
            shown.append([float(found.normal) for found in reading.measurements])
        for values in zip(*shown, strict=True):
            assert max(values) <= 1.015 * min(values), kind
        with pytest.raises(UnknownUnitError, match="shows one of"):
            KINDS[kind].build(0, unit="furlong")


def test_spirometry_repeats_within_a_visit() -> None:
    """Good manoeuvres of one person lie within 0.25 L; a spoilt one is lower and flagged."""
    spirometer = KINDS["spirometry"].build(6)
    readings: list[Any] = [spirometer.measure(at) for at in diary("spirometry", 6, 300)]
    good = [value(reading, "fvc") for reading in readings if "flags" not in reading]
    spoilt = [value(reading, "fvc") for reading in readings if "flags" in reading]
    assert max(good) - min(good) < 0.3
    assert 0 < len(spoilt) < 30
    assert max(spoilt) < min(good)


@pytest.mark.parametrize("kind", METERS)
@pytest.mark.parametrize("name", ["wrong_unit", "no_unit", "impossible"])
def test_content_faults_are_refused_in_every_unit(name: str, kind: str) -> None:
    """Whatever unit is set, the fault ends in its own reason."""
    for unit in KINDS[kind].units:
        members = {"kind": kind, "taken_at": text(NOW), **KINDS[kind].build(0, unit=unit).measure(NOW)}
        made = Misbehaviour((parse(name),)).made(members)
        verdict = judged(encode({"v": 1, "stream": "ab" * 16, "seq": 1, **made})).verdict
        assert (verdict.outcome, verdict.reason) == (Outcome.QUARANTINED, CONTENT[name].reason)


def test_two_modules_of_one_kind_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither wins by its place in the alphabet; a module without `INSTRUMENT` is not even imported."""
    folder = tmp_path / "sim_kinds_found"
    folder.mkdir()
    row = (
        "from simulators.devices.instrument import Make\n"
        "INSTRUMENT = Make(kind='x', build=Make, manufacturer='', model='', firmware='')\n"
    )
    (folder / "a.py").write_text(row)
    (folder / "other.py").write_text("raise RuntimeError\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert list(found("sim_kinds_found", folder)) == ["x"]
    (folder / "b.py").write_text(row)
    with pytest.raises(ValueError, match="the kind x"):
        found("sim_kinds_found", folder)


def test_the_command_line_lists_the_kinds() -> None:
    """`constantes simulate` with a word that is no kind names each, and finds them without a list of its own."""
    shown = CliRunner().invoke(app, ["simulate", "mood"], env={"COLUMNS": "400"}).output
    assert all(kind in shown for kind in KINDS)


def test_readings_are_plain_json() -> None:
    """Values have no more digits than the display."""
    for kind, unit in SET:
        for members in map(KINDS[kind].build(9, unit=unit).measure, diary(kind, 9, 50)):
            for shown in json.loads(encode(members))["values"].values():
                assert len(str(shown["value"]).replace(".", "")) <= 6
