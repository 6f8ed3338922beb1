"""A blood pressure meter with a cuff on the arm: what it shows of a person's circulation.

Comes in: a seed and local times in rising order. Goes out: `values`, `context`, `flags`, `battery` of a reading.
Refuses to know: the wire.

As an oscillometric cuff does, it finds the mean, derives the two pressures, and shows whole mm[Hg]; beats differ, so
two readings a minute apart differ by some mm[Hg]; an arm that moves makes it worse, and is flagged.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta

from simulators.devices.circulation import Person, Pressure
from simulators.devices.instrument import Make
from simulators.devices.messages import Json

VISIT_ENDS = timedelta(minutes=20)
"""So long without a measurement, and the next one opens a visit: the person is startled again."""
_MOVES = 0.03  # share of readings with a moving arm
_READINGS_PER_PERCENT = 40  # of the battery


class Cuff:
    """A meter on one person's arm."""

    def __init__(self, seed: int) -> None:
        self._person = Person(seed)
        self._chance = random.Random(f"cuff {seed}")
        self._visit: datetime | None = None
        self._last: datetime | None = None
        self._taken = 0

    def measure(self, at: datetime) -> dict[str, Json]:
        """Inflate, listen, show: whole mm[Hg] and beats a minute."""
        inside = self._person.at(at, self._minutes_into_visit(at))
        moves = self._chance.random() < _MOVES
        found = self._felt(inside, moves=moves)
        mean = round(found.mean)
        systolic = max(round(found.systolic), mean + 1)
        diastolic = min(round(found.diastolic), mean - 1)
        self._taken += 1
        reading: dict[str, Json] = {
            "values": {
                "systolic": {"value": systolic, "unit": "mm[Hg]"},
                "diastolic": {"value": diastolic, "unit": "mm[Hg]"},
                "mean": {"value": mean, "unit": "mm[Hg]"},
                "pulse": {"value": round(found.pulse), "unit": "/min"},
            },
            "context": {"body_site": "arm", "position": self._position(inside)},
        }
        if moves:
            reading["flags"] = ["movement"]
        reading["battery"] = max(100 - self._taken // _READINGS_PER_PERCENT % 96, 5)
        return reading

    def _minutes_into_visit(self, at: datetime) -> float:
        if self._visit is None or self._last is None or at - self._last > VISIT_ENDS:
            self._visit = at
        self._last = at
        return (at - self._visit).total_seconds() / 60

    def _felt(self, inside: Pressure, *, moves: bool) -> Pressure:
        rough = 2.5 if moves else 1.0
        return replace(
            inside,
            mean=inside.mean + self._chance.gauss(0, 2.2 * rough),
            spread=max(inside.spread + self._chance.gauss(0, 2.0 * rough), 15),
            pulse=inside.pulse + self._chance.gauss(0, 1.8 * rough),
        )

    def _position(self, inside: Pressure) -> str:
        if inside.awake < 0.5:  # noqa: PLR2004 - more asleep than awake
            return "lying"
        return "standing" if self._chance.random() < 0.1 else "sitting"  # noqa: PLR2004 - one in ten


MAKE = Make(build=Cuff, manufacturer="Exemple", model="Tensio-1", firmware="1.2.0", per_visit=3)
