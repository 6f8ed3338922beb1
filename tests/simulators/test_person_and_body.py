"""One invented person: the parts of the body agree with each other and with what is written about people."""

from __future__ import annotations

import statistics
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from simulators.devices.clock import INDIAN_OCEAN
from simulators.person import PLACES, Person
from simulators.physiology.body import Body
from simulators.physiology.lungs import EQUATIONS, Lungs
from simulators.physiology.spells import Spell

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=INDIAN_OCEAN)
MORNING = NOON.replace(hour=5, minute=30)
HOUR = timedelta(hours=1)
SEEDS = range(20)
EFFORT = (Spell(NOON, HOUR, 0.8),)
FEVER = (Spell(NOON - 12 * HOUR, 84 * HOUR, 2.0),)


def resting(seed: int, **other: float) -> Body:
    """Someone whom nothing befalls, perhaps at another altitude or age."""
    return Body(replace(Person.drawn(seed), **other), efforts=(), fevers=())  # type: ignore[arg-type]


def diabetic(seed: int, *, diabetes: bool) -> Body:
    """The same person with or without diabetes."""
    return Body(replace(Person.drawn(seed), diabetes=diabetes), efforts=(), fevers=())


def test_a_seed_is_a_person() -> None:
    """The same again for one seed; people differ in every fact."""
    people = [Person.drawn(seed) for seed in range(200)]
    assert people == [Person.drawn(seed) for seed in range(200)]
    for fact in ("age", "sex", "height_cm", "weight_kg", "hypertension", "diabetes", "altitude_m"):
        assert len({getattr(person, fact) for person in people}) > 1, fact
    assert {person.altitude_m for person in people} == set(PLACES.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_saturation_falls_with_altitude_and_effort(seed: int) -> None:
    """Sea level > Cilaos > Plaine des Cafres, some 3 % over all; effort takes more."""
    found = [resting(seed, altitude_m=altitude).saturation(NOON) for altitude in PLACES.values()]
    assert found == sorted(found, reverse=True)
    assert 1.5 < found[0] - found[-1] < 6
    assert 94 < found[0] < 99
    strained = Body(Person.drawn(seed), efforts=EFFORT, fevers=())
    assert strained.saturation(NOON) < Body(Person.drawn(seed), efforts=(), fevers=()).saturation(NOON) - 0.3


@pytest.mark.parametrize("seed", SEEDS)
def test_effort_and_fever_raise_heart_and_breath(seed: int) -> None:
    """Effort by a good deal; fever by 7.2 beats and 1.4 breaths for each degree; both are over afterwards."""
    person = Person.drawn(seed)
    calm, strained, ill = (
        Body(person, efforts=efforts, fevers=fevers) for efforts, fevers in (((), ()), (EFFORT, ()), ((), FEVER))
    )
    for part, least in (("heart_rate", 20), ("respiratory_rate", 8)):
        before, during = getattr(calm, part)(NOON), getattr(strained, part)(NOON)
        assert during > before + least
        assert getattr(strained, part)(NOON + HOUR) == getattr(calm, part)(NOON + HOUR)
    degrees = ill.temperature(NOON) - calm.temperature(NOON)
    assert 1.6 < degrees < 2.4
    assert ill.heart_rate(NOON) - calm.heart_rate(NOON) == pytest.approx(7.2 * 2.0, rel=0.01)
    assert ill.respiratory_rate(NOON) - calm.respiratory_rate(NOON) == pytest.approx(1.4 * 2.0, rel=0.01)
    assert strained.pressure(NOON).systolic > calm.pressure(NOON).systolic + 10


@pytest.mark.parametrize("seed", SEEDS)
def test_temperature_is_lowest_in_the_morning(seed: int) -> None:
    """Half a degree lower at half past five than twelve hours later; the usual mean lies near 36.6."""
    body = resting(seed)
    assert body.temperature(MORNING + 12 * HOUR) - body.temperature(MORNING) == pytest.approx(0.5, abs=0.02)
    assert 36.1 < statistics.mean(body.temperature(MORNING + hour * HOUR) for hour in range(24)) < 37.1


def test_fevers_come_by_chance_and_go() -> None:
    """Over three years someone is feverish for some days, not for most."""
    body = Body.of_seed(3)
    days = [NOON - timedelta(days=day) for day in range(1095)]
    feverish = sum(body.temperature(day) > 37.8 for day in days)
    assert 3 <= feverish <= 60


@pytest.mark.parametrize("diabetes", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_glucose_peaks_half_an_hour_to_an_hour_and_a_half_after_a_meal(seed: int, *, diabetes: bool) -> None:
    """For each of a day's three meals; before breakfast it is lowest; the tissue says the same ten minutes later."""
    glucose = diabetic(seed, diabetes=diabetes).glucose
    for meal in glucose.meals(NOON):
        minutes = range(180)
        highest = max(minutes, key=lambda minute: glucose.blood(meal.at + timedelta(minutes=minute)))
        assert 30 <= highest <= 90
        assert glucose.blood(meal.at + timedelta(minutes=highest)) > glucose.blood(meal.at) + 12
        assert glucose.tissue(meal.at + timedelta(minutes=50)) == glucose.blood(meal.at + timedelta(minutes=40))
    assert glucose.moment(MORNING + timedelta(minutes=50)) == "fasting"
    first = glucose.meals(NOON)[0].at
    assert glucose.moment(first + HOUR) == "after_meal"
    assert glucose.moment(glucose.meals(NOON)[1].at - timedelta(minutes=10)) == "before_meal"


@pytest.mark.parametrize("diabetes", [False, True])
@pytest.mark.parametrize("seed", SEEDS[:6])
def test_haemoglobin_agrees_with_the_mean_glucose(seed: int, *, diabetes: bool) -> None:
    """The ADAG equation on what a meter would have found every quarter of an hour over twelve weeks, within 0.1 %."""
    glucose = diabetic(seed, diabetes=diabetes).glucose
    found = statistics.mean(glucose.blood(NOON - timedelta(minutes=15 * step)) for step in range(1, 84 * 96))
    assert glucose.haemoglobin(NOON) == pytest.approx((found + 46.7) / 28.7, abs=0.1)


def test_diabetes_is_where_the_definitions_put_it() -> None:
    """HbA1c below 5.7 % without; with diabetes, treated, above 6 % (American Diabetes Association: 5.7 and 6.5)."""
    for seed in SEEDS:
        healthy, ill = (diabetic(seed, diabetes=has).glucose.haemoglobin(NOON) for has in (False, True))
        assert 4.4 < healthy < 5.7
        assert 6.0 < ill < 9.5


def test_hypertension_shows_in_the_pressure() -> None:
    """The same person with it has a mean pressure of 9 mm[Hg] more."""
    person = Person.drawn(5)
    with_it, without = (
        Body(replace(person, hypertension=has), efforts=(), fevers=()).pressure(NOON).mean for has in (True, False)
    )
    assert with_it - without == pytest.approx(9, abs=1)


def test_lungs_follow_the_equations() -> None:
    """A man of 175 cm and a woman of 165, of 50 years, worked out by hand; FEV1 is a believable share of FVC."""
    man = replace(Person.drawn(0), sex="male", height_cm=175.0, age=50)
    predicted = {name: round(row.of(man), 2) for name, row in EQUATIONS["male"].items()}
    assert predicted == {"fvc": 4.44, "fev1": 3.58, "pef": 8.74}
    woman = replace(man, sex="female", height_cm=165.0)
    predicted = {name: round(row.of(woman), 2) for name, row in EQUATIONS["female"].items()}
    assert predicted == {"fvc": 3.12, "fev1": 2.67, "pef": 6.46}
    for seed in range(300):
        lungs = Lungs.of(Person.drawn(seed))
        assert 0.5 < lungs.fev1 / lungs.fvc <= 0.92


@pytest.mark.parametrize("seed", SEEDS)
def test_the_day_makes_people_shorter_and_heavier(seed: int) -> None:
    """One to two centimetres from morning to evening, and 0.4 to 1.3 kg; the night undoes it."""
    body = resting(seed)
    up, evening = NOON.replace(hour=6, minute=30), NOON.replace(hour=22, minute=30)
    assert 1.4 < body.height(up) - body.height(evening) < 2.2
    assert 0.2 < body.weight(evening) - body.weight(up) < 1.6
    assert body.height(up + timedelta(days=1)) == pytest.approx(body.height(up), abs=0.05)
