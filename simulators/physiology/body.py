"""One person's body: every part under the same effort and the same fever at the same instant.

Comes in: a person, and spells a scenario sets. Goes out: what an ideal instrument would find at a local time. Refuses
to know: instruments. Several instruments that are given one `Body` agree, within what each can measure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from simulators.person import Person
from simulators.physiology.breathing import Breathing
from simulators.physiology.circulation import Circulation, Pressure
from simulators.physiology.glucose import Glucose
from simulators.physiology.lungs import Lungs
from simulators.physiology.spells import Spell, Spells
from simulators.physiology.stature import Stature
from simulators.physiology.warmth import Warmth


class Body:
    """`efforts` and `fevers` given replace those that chance would send."""

    def __init__(
        self, person: Person, *, efforts: Sequence[Spell] | None = None, fevers: Sequence[Spell] | None = None
    ) -> None:
        self.person = person
        self._spells = Spells(person.seed, efforts, fevers)
        self._circulation = Circulation(person)

    @classmethod
    def of_seed(cls, seed: int) -> Body:
        """That of the person whom this seed draws."""
        return cls(Person.drawn(seed))

    def effort(self, at: datetime) -> float:
        """0 at rest to 1."""
        return self._spells.effort(at)

    def heart_rate(self, at: datetime) -> float:
        """Beats a minute: in a cuff, at a finger, under a belt, in an ECG."""
        return self._circulation.rate(at, self._spells.effort(at), self._spells.fever(at))

    def pressure(self, at: datetime, visit_min: float = math.inf) -> Pressure:
        """In the arm's artery, `visit_min` minutes after a visit began."""
        return self._circulation.pressure(at, self._spells.effort(at), self._spells.fever(at), visit_min)

    def saturation(self, at: datetime) -> float:
        """Arterial oxygen saturation in %."""
        return self._breathing.saturation(at, self._spells.effort(at))

    def respiratory_rate(self, at: datetime) -> float:
        """Breaths a minute."""
        return self._breathing.rate(at, self._spells.effort(at), self._spells.fever(at))

    def temperature(self, at: datetime, site: str = "oral") -> float:
        """Degrees Celsius at one of `warmth.SITES`."""
        return self._warmth.temperature(at, self._spells.fever(at), site)

    def weight(self, at: datetime) -> float:
        """In kg, without clothes."""
        return self._stature.weight(at)

    def height(self, at: datetime) -> float:
        """In cm, less in the evening."""
        return self._stature.height(at)

    @cached_property
    def glucose(self) -> Glucose:
        """In blood and tissue, and what it leaves in the haemoglobin."""
        return Glucose(self.person)

    @cached_property
    def lungs(self) -> Lungs:
        """The best manoeuvre."""
        return Lungs.of(self.person)

    @cached_property
    def _breathing(self) -> Breathing:
        return Breathing(self.person)

    @cached_property
    def _warmth(self) -> Warmth:
        return Warmth(self.person)

    @cached_property
    def _stature(self) -> Stature:
        return Stature(self.person)
