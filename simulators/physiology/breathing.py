"""Breathing: how often, and how much oxygen the arteries carry at an altitude. Pure.

Comes in: a person, local time, effort and fever. Goes out: breaths a minute, saturation in %. Refuses to know:
oximeters.

Saturation follows the way of the oxygen: air pressure at the altitude (ICAO standard atmosphere, Doc 7488), 20.93 % of
it without 47 mm[Hg] of water vapour, the alveolar gas equation (Fenn, Rahn, Otis, Am J Physiol 146:637, 1946) with a
carbon dioxide that falls with altitude (the order of Crapo et al., Am J Respir Crit Care Med 160:1525, 1999), the
difference to the artery of 2.5 + 0.21 x age (Mellemgaard, Acta Physiol Scand 67:10, 1966), wider with effort, and the
dissociation curve of Severinghaus (J Appl Physiol 46:599, 1979). Fever: 1.4 breaths a minute for each degree (Jensen et
al., Acute Medicine 18:141, 2019).
"""

from __future__ import annotations

import random
from datetime import datetime

from simulators.person import Person
from simulators.physiology.spells import awake

_SEA_LEVEL, _WATER, _OXYGEN = 760.0, 47.0, 0.2093
_PER_DEGREE = 1.4
_EFFORT_BREATHS = 15.0
_EFFORT_DIFFERENCE = 8.0  # mm[Hg] between alveoli and artery, at an effort of 1
_QUOTIENT = 0.8  # carbon dioxide given for oxygen taken


class Breathing:
    """One person's, at the place where they live."""

    def __init__(self, person: Person) -> None:
        chance = random.Random(f"breathing {person.seed}")
        self._rate = min(max(chance.gauss(14.5, 1.5), 12), 18)
        self._altitude = person.altitude_m
        self._difference = 2.5 + 0.21 * person.age

    def rate(self, at: datetime, effort: float, fever: float) -> float:
        """Breaths a minute."""
        resting = self._rate * (1 - 0.1 * (1 - awake(at))) * (1 + 0.03 * self._altitude / 1000)
        return resting + _EFFORT_BREATHS * effort + _PER_DEGREE * fever

    def saturation(self, at: datetime, effort: float) -> float:
        """Of the arterial blood, in %."""
        inspired = _OXYGEN * (_air_mmhg(self._altitude) - _WATER)
        carbon_dioxide = 39 - 3 * self._altitude / 1000 + 2 * (1 - awake(at))
        thinner = inspired / (_OXYGEN * (_SEA_LEVEL - _WATER))
        difference = (self._difference + _EFFORT_DIFFERENCE * effort) * thinner
        return _severinghaus(inspired - carbon_dioxide / _QUOTIENT - difference)


def _air_mmhg(altitude_m: float) -> float:
    """Standard atmosphere, below 11 km."""
    return float(_SEA_LEVEL * (1 - 2.25577e-5 * altitude_m) ** 5.25588)


def _severinghaus(tension: float) -> float:
    """Saturation in % of blood at an oxygen tension in mm[Hg]."""
    return 100 / (23_400 / (tension**3 + 150 * tension) + 1)
