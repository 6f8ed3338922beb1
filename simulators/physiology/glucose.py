"""Glucose of one person over days: in the blood, in the tissue, and what it leaves in the haemoglobin. Pure.

Comes in: a person, local time. Goes out: mg/dL, the moment in words, HbA1c in %. Refuses to know: meters, strips.

Three meals a day. After a meal the peak comes at about an hour and the return within three; with diabetes it is higher
and later (American Diabetes Association, Postprandial Blood Glucose, Diabetes Care 24:775, 2001). The tissue follows
the blood by about 10 minutes, here a pure delay: some 6 of them the way itself (Basu et al., Diabetes 62:4083, 2013),
the rest the sensor's filter. HbA1c: mean glucose in mg/dL = 28.7 x HbA1c in % - 46.7 (ADAG: Nathan et al., Diabetes
Care 31:1473, 2008), the mean being that of the twelve weeks before.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulators.person import Person

LAG = timedelta(minutes=10)
WEEKS = 12
_HOURS = (7.25, 12.5, 19.25)  # of the meals
_FASTING, _BEFORE, _AFTER = timedelta(hours=8), timedelta(minutes=30), timedelta(minutes=150)
_AREA = math.e**2 / 4  # under (x e^(1 - x))^2 from 0 on
_DAY_MIN = 1440


@dataclass(frozen=True, slots=True)
class Meal:
    """When, how far it lifts glucose in mg/dL, and after how many minutes the lift is highest."""

    at: datetime
    lift: float
    peak_min: float

    def lifted(self, at: datetime) -> float:
        """mg/dL that this meal adds at an instant."""
        x = max((at - self.at).total_seconds() / 60 / self.peak_min, 0.0)
        return self.lift * (x * math.exp(1 - x)) ** 2


class Glucose:
    """One person's: how they fast, and what a meal does to them."""

    def __init__(self, person: Person) -> None:
        chance = random.Random(f"glucose {person.seed}")
        healthy = chance.uniform(84, 98), chance.uniform(28, 48), chance.uniform(45, 60)
        ill = chance.uniform(112, 155), chance.uniform(60, 100), chance.uniform(60, 75)
        self._fasting, self._lift, self._peak_min = ill if person.diabetes else healthy
        self._seed = person.seed
        self._phase = chance.uniform(0, math.tau)
        self._days: dict[int, tuple[Meal, ...]] = {}

    def blood(self, at: datetime) -> float:
        """mg/dL in the capillaries."""
        wandering = 0.04 * self._fasting * math.sin(math.tau * at.timestamp() / 86_400 / 2.3 + self._phase)
        return self._fasting + wandering + sum(meal.lifted(at) for meal in self._around(at))

    def tissue(self, at: datetime) -> float:
        """mg/dL between the cells, where sensors sit."""
        return self.blood(at - LAG)

    def meals(self, day: datetime) -> Sequence[Meal]:
        """The three meals of a local day."""
        number = day.date().toordinal()
        if number not in self._days:
            self._days[number] = tuple(self._drawn(day, number))
        return self._days[number]

    def moment(self, at: datetime) -> str:
        """A word of the contract's context: fasting, before_meal, after_meal or other."""
        meals = self._around(at)
        if any(timedelta() <= at - meal.at <= _AFTER for meal in meals):
            return "after_meal"
        supper, breakfast = self.meals(at - timedelta(days=1))[-1], self.meals(at)[0]
        if supper.at + _FASTING < at < breakfast.at:
            return "fasting"
        return "before_meal" if any(timedelta() < meal.at - at <= _BEFORE for meal in meals) else "other"

    def mean(self, at: datetime) -> float:
        """Mean of the weeks before, in mg/dL: exact but for the slow wandering, which cancels out."""
        days = [at - timedelta(days=back) for back in range(1, 7 * WEEKS + 1)]
        lifted = sum(meal.lift * meal.peak_min * _AREA for day in days for meal in self.meals(day))
        return self._fasting + lifted / (_DAY_MIN * len(days))

    def haemoglobin(self, at: datetime) -> float:
        """HbA1c in % (NGSP), by the ADAG equation."""
        return (self.mean(at) + 46.7) / 28.7

    def _around(self, at: datetime) -> tuple[Meal, ...]:
        return *self.meals(at - timedelta(days=1)), *self.meals(at)

    def _drawn(self, day: datetime, number: int) -> list[Meal]:
        chance = random.Random(f"meals {self._seed} {number}")
        midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
        return [
            Meal(
                midnight + timedelta(hours=hour + chance.uniform(-0.5, 0.5)),
                self._lift * chance.uniform(0.7, 1.3),
                self._peak_min * chance.uniform(0.9, 1.1),
            )
            for hour in _HOURS
        ]
