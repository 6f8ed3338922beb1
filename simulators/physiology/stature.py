"""Weight and height over the day. Pure.

Comes in: a person, local time. Goes out: kg, cm. Refuses to know: scales.

Height falls by about 1.1 % from getting up to going to bed, half of it in the first hour (Tyrrell, Reilly, Troup, Spine
10:161, 1985). Weight rises by some hundred grams with food and drink, falls overnight, and wanders over weeks.
"""

from __future__ import annotations

import math
import random
from datetime import datetime

from simulators.person import Person
from simulators.physiology.spells import SLEEPS, WAKES, hour_of

_LOSS = 0.011
_HALF_LIFE_H = 1.0
_PERIODS_D = (7.0, 61.0)


class Stature:
    """One person's."""

    def __init__(self, person: Person) -> None:
        chance = random.Random(f"stature {person.seed}")
        self._height, self._weight = person.height_cm, person.weight_kg
        self._gain = chance.uniform(0.5, 1.2)  # kg from morning to evening
        self._waves = [(period, chance.uniform(0, math.tau)) for period in _PERIODS_D]

    def height(self, at: datetime) -> float:
        """In cm; asleep it comes back."""
        risen = self._risen(at)
        kept = math.exp(-math.log(2) * risen / _HALF_LIFE_H)
        return self._height * (1 - _LOSS * (1 - kept))

    def weight(self, at: datetime) -> float:
        """In kg, without clothes."""
        days = at.timestamp() / 86_400
        slow = 0.5 * sum(math.sin(math.tau * days / period + phase) for period, phase in self._waves)
        return self._weight + slow + self._gain * self._risen(at) / (SLEEPS - WAKES)

    def _risen(self, at: datetime) -> float:
        """Hours on one's feet; from bedtime on the night gives them back."""
        hour = hour_of(at)
        if WAKES <= hour <= SLEEPS:
            return hour - WAKES
        slept = (hour - SLEEPS) % 24 / (24 - SLEEPS + WAKES)
        return (SLEEPS - WAKES) * (1 - slept)
