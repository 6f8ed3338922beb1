"""Blood pressure and heart rate of one person over days: a pure function of the person, an instant, and its spells.

Comes in: a person, local time, effort and fever, minutes since someone sat down to measure. Goes out: the pressures in
the artery. Refuses to know: cuffs, rounding, messages.

Shape of the curve: awake pressure is a plateau with a rise in the morning; asleep it falls by 10 to 17 %, the dip of
most people (10-20 %, European Society of Hypertension, ambulatory monitoring). White-coat effect: the first measurement
of a visit stands 8 to 18 mm[Hg] above the later ones and fades within minutes. It is left out of the heart rate, which
is the same for every instrument at one instant. Pulse pressure widens after 50 (Framingham: Franklin et al.,
Circulation 96:308, 1997). Highest heart rate: 208 - 0.7 x age (Tanaka, Monahan, Seals, J Am Coll Cardiol 37:153, 2001).
Fever: 7.2 beats a minute for each degree (Jensen et al., Acute Medicine 18:141, 2019).
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import datetime

from simulators.person import Person
from simulators.physiology.spells import awake, hour_of

_FADE_MIN = 3.0  # the white-coat effect falls to a third in this time
_PERIODS_H = (2.7, 11.0, 97.0)  # slow wandering that no clock explains: hours to days
_HYPERTENSION = 9.0  # mm[Hg] of the mean, treated
_RESERVE = 0.45  # of the way from the resting to the highest rate, at an effort of 1
_PER_DEGREE = 7.2


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


class Circulation:
    """One person's, of whom the seed decides what the facts leave open."""

    def __init__(self, person: Person) -> None:
        chance = random.Random(f"circulation {person.seed}")
        self._mean = _within(chance.gauss(92, 6), 80, 104) + _HYPERTENSION * person.hypertension
        self._spread = _within(chance.gauss(44, 4), 34, 54) + 0.3 * max(person.age - 50, 0)
        self._form = chance.uniform(0.36, 0.42)
        self._pulse = _within(chance.gauss(68, 7), 54, 84)
        self._highest = 208 - 0.7 * person.age
        self._dip = chance.uniform(0.10, 0.17)
        self._white_coat = chance.uniform(8, 18)
        self._waves = [(period, chance.uniform(0, math.tau)) for period in _PERIODS_H]

    def rate(self, at: datetime, effort: float, fever: float) -> float:
        """Beats a minute."""
        resting = self._pulse * (1 - 0.13 * (1 - awake(at))) + 0.5 * self._slow(at)
        return resting + _RESERVE * (self._highest - self._pulse) * effort + _PER_DEGREE * fever

    def pressure(self, at: datetime, effort: float, fever: float, visit_min: float = math.inf) -> Pressure:
        """The artery at a local time, `visit_min` minutes after a visit began."""
        awoken = awake(at)
        surge = 0.05 * math.exp(-(((hour_of(at) - 8) / 1.3) ** 2))
        startled = self._white_coat * awoken * math.exp(-visit_min / _FADE_MIN)
        return Pressure(
            mean=self._mean * (1 - self._dip * (1 - awoken) + surge) + self._slow(at) + 9 * effort + 0.7 * startled,
            spread=self._spread * (1 + 0.45 * effort) + 0.5 * startled,
            form=self._form,
            pulse=self.rate(at, effort, fever),
            awake=awoken,
            effort=effort,
        )

    def _slow(self, at: datetime) -> float:
        return 1.8 * sum(math.sin(math.tau * at.timestamp() / 3600 / p + phase) for p, phase in self._waves)


def _within(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)
