"""The blood pressure of one invented person over days: physics only, a pure function of a seed and an instant.

Comes in: a seed, local time, minutes since someone sat down to measure. Goes out: the pressures in the artery.
Refuses to know: cuffs, rounding, messages.

Shape of the curve: awake pressure is a plateau with a rise in the morning; asleep it falls by 10 to 17 %, the dip of
most people (10-20 %, European Society of Hypertension, ambulatory monitoring); waking is steeper than falling asleep.
White-coat effect: the first measurement of a visit stands 8 to 18 mm[Hg] above the later ones and fades within minutes.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import datetime

_WAKES, _SLEEPS = 6.5, 22.5  # hours of the local day
_SLOT_S = 1200  # one spell of rest or effort
_EFFORT_SHARE = 0.12  # of the waking spells
_FADE_MIN = 3.0  # the white-coat effect falls to a third in this time
_PERIODS_H = (2.7, 11.0, 97.0)  # slow wandering that no clock explains: hours to days


@dataclass(frozen=True, slots=True)
class Pressure:
    """What is in the artery: pressures in mm[Hg], pulse in /min, `awake` and `effort` from 0 to 1."""

    mean: float
    spread: float
    """Pulse pressure: systolic minus diastolic."""
    form: float
    """Where the mean lies between diastolic (0) and systolic (1): about 0.4 in the arm, by the wave's form."""
    pulse: float
    awake: float
    effort: float

    @property
    def systolic(self) -> float:
        """Highest pressure of a beat."""
        return self.mean + (1 - self.form) * self.spread

    @property
    def diastolic(self) -> float:
        """Lowest pressure of a beat."""
        return self.mean - self.form * self.spread


class Person:
    """Someone whose circulation the seed decides."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(f"person {seed}")
        self._seed = seed
        self._mean = _within(chance.gauss(95, 7), 80, 110)
        self._spread = _within(chance.gauss(46, 6), 34, 60)
        self._form = chance.uniform(0.36, 0.42)
        self._pulse = _within(chance.gauss(68, 7), 54, 84)
        self._dip = chance.uniform(0.10, 0.17)
        self._white_coat = chance.uniform(8, 18)
        self._waves = [(period, chance.uniform(0, math.tau)) for period in _PERIODS_H]

    def at(self, local: datetime, visit_min: float) -> Pressure:
        """The circulation at a local time, `visit_min` minutes after a visit began."""
        hour = local.hour + local.minute / 60 + local.second / 3600
        awake = _step((hour - _WAKES) / 0.4) * (1 - _step((hour - _SLEEPS) / 0.7))
        surge = 0.05 * math.exp(-(((hour - 8) / 1.3) ** 2))
        slow = 1.8 * sum(math.sin(math.tau * local.timestamp() / 3600 / p + phase) for p, phase in self._waves)
        effort = self._effort(local) * awake
        startled = self._white_coat * awake * math.exp(-visit_min / _FADE_MIN)
        return Pressure(
            mean=self._mean * (1 - self._dip * (1 - awake) + surge) + slow + 9 * effort + 0.7 * startled,
            spread=self._spread * (1 + 0.45 * effort) + 0.5 * startled,
            form=self._form,
            pulse=self._pulse * (1 - 0.13 * (1 - awake)) + 0.5 * slow + 42 * effort + 0.3 * startled,
            awake=awake,
            effort=effort,
        )

    def _effort(self, local: datetime) -> float:
        slot = random.Random(f"effort {self._seed} {local.timestamp() // _SLOT_S}")
        return slot.uniform(0.25, 1) if slot.random() < _EFFORT_SHARE else 0.0


def _step(x: float) -> float:
    return 1 / (1 + math.exp(-_within(x, -60, 60)))


def _within(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)
