"""What befalls someone: waking and sleep, spells of effort, days of fever. Pure: a person's seed and local times.

Comes in: a seed, or spells that a scenario sets. Goes out: how awake, how strained, how feverish at an instant.
Refuses to know: what the body makes of it.

Unless they are set, spells are drawn: 12 % of the waking spells of 20 minutes hold an effort, and every fourth month a
fever of 1.5 to 4 days, higher in the evening.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WAKES, SLEEPS = 6.5, 22.5
"""Hours of the local day."""
_EFFORT_S, _EFFORT_SHARE = 1200, 0.12
_FEVER_S, _FEVER_SHARE = 30 * 86_400, 0.25


@dataclass(frozen=True, slots=True)
class Spell:
    """From when, how long, and how strong at its height: an effort from 0 to 1, a fever in degrees Celsius."""

    begins: datetime
    lasts: timedelta
    strength: float

    def passed(self, at: datetime) -> float:
        """Which part is over: 0 to 1 while it lasts."""
        return (at - self.begins) / self.lasts


class Spells:
    """One person's spells; `efforts` or `fevers` given replace those that chance would send."""

    def __init__(
        self, seed: int, efforts: Sequence[Spell] | None = None, fevers: Sequence[Spell] | None = None
    ) -> None:
        self._seed, self._efforts, self._fevers = seed, efforts, fevers
        self._month: tuple[float, tuple[Spell, ...]] = math.nan, ()

    def effort(self, at: datetime) -> float:
        """0 at rest to 1, as hard as daily life asks; nobody asleep is drawn for one."""
        if self._efforts is not None:
            return max((spell.strength for spell in self._efforts if 0 <= spell.passed(at) < 1), default=0.0)
        slot = random.Random(f"effort {self._seed} {at.timestamp() // _EFFORT_S}")
        strength = slot.uniform(0.25, 1) if slot.random() < _EFFORT_SHARE else 0.0
        return strength * awake(at)

    def fever(self, at: datetime) -> float:
        """Degrees Celsius above the usual: up within a seventh of the spell, down over the rest."""
        spells = self._drawn(at) if self._fevers is None else self._fevers
        return sum(spell.strength * _course(spell.passed(at)) for spell in spells)

    def _drawn(self, at: datetime) -> tuple[Spell, ...]:
        month = at.timestamp() // _FEVER_S
        if month != self._month[0]:
            chance = random.Random(f"fever {self._seed} {month}")
            lasts = timedelta(days=chance.uniform(1.5, 4))
            begins = datetime.fromtimestamp(month * _FEVER_S, at.tzinfo) + timedelta(days=chance.uniform(0, 25))
            spell = Spell(begins, lasts, chance.uniform(1.0, 2.4))
            self._month = month, (spell,) if chance.random() < _FEVER_SHARE else ()
        return self._month[1]


def awake(at: datetime) -> float:
    """0 asleep to 1 awake; waking is steeper than falling asleep."""
    hour = hour_of(at)
    return _step((hour - WAKES) / 0.4) * (1 - _step((hour - SLEEPS) / 0.7))


def hour_of(at: datetime) -> float:
    """The hour of the local day, with its fraction."""
    return at.hour + at.minute / 60 + at.second / 3600


def _course(passed: float) -> float:
    """A spell's height over its time: x e^(1 - x) peaks at x = 1, and is all but over at 7."""
    x = 7 * passed
    return x * math.exp(1 - x) if 0 <= passed < 1 else 0.0


def _step(x: float) -> float:
    return 1 / (1 + math.exp(-min(max(x, -60), 60)))
