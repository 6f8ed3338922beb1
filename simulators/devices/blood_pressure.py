"""A blood pressure meter with a cuff on the arm: what it shows of a person's circulation.

Comes in: a seed, perhaps a body, and local times in rising order. Goes out: `values`, `context`, `flags`, `battery` of
a reading. Refuses to know: the wire.

As an oscillometric cuff does, it finds the mean, derives the two pressures, and shows whole mm[Hg] (or tenths of kPa);
beats differ, so two readings a minute apart differ by some mm[Hg], within the mean error of 5 and deviation of 8 that
ISO 81060-2 allows; an arm that moves makes it worse, and is flagged. The pulse is right within 2 a minute.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta

from simulators.devices.display import PULSE, Display, set_to, units
from simulators.devices.instrument import Make, error
from simulators.devices.messages import Json
from simulators.physiology.body import Body
from simulators.physiology.circulation import Pressure

VISIT_ENDS = timedelta(minutes=20)
"""So long without a measurement, and the next one opens a visit: the person is startled again."""
_MOVES = 0.03  # share of readings with a moving arm
_READINGS_PER_PERCENT = 40  # of the battery
_UNITS = units(Display("mm[Hg]", 1), Display("kPa", 0.1, factor=0.133322, places=1))


class Cuff:
    """A meter on one person's arm."""

    def __init__(self, seed: int, body: Body | None = None, unit: str | None = None) -> None:
        self._body = body or Body.of_seed(seed)
        self._display = set_to(_UNITS, unit)
        self._chance = random.Random(f"cuff {seed}")
        self._visit: datetime | None = None
        self._last: datetime | None = None
        self._taken = 0

    def measure(self, at: datetime) -> dict[str, Json]:
        """Inflate, listen, show: pressures in the unit set, and whole beats a minute."""
        inside = self._body.pressure(at, self._minutes_into_visit(at))
        moves = self._chance.random() < _MOVES
        found = self._felt(inside, moves=moves)
        mean = round(found.mean)
        systolic = max(round(found.systolic), mean + 1)
        diastolic = min(round(found.diastolic), mean - 1)
        self._taken += 1
        reading: dict[str, Json] = {
            "values": {
                "systolic": self._display.shown(systolic),
                "diastolic": self._display.shown(diastolic),
                "mean": self._display.shown(mean),
                "pulse": PULSE.shown(found.pulse),
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
            pulse=inside.pulse + error(self._chance, 1.0 * rough, 2),
        )

    def _position(self, inside: Pressure) -> str:
        if inside.awake < 0.5:  # noqa: PLR2004 - more asleep than awake
            return "lying"
        return "standing" if self._chance.random() < 0.1 else "sitting"  # noqa: PLR2004 - one in ten


INSTRUMENT = Make(
    kind="blood_pressure",
    build=Cuff,
    manufacturer="Exemple",
    model="Tensio-1",
    firmware="1.2.0",
    method="cuff",
    units=tuple(_UNITS),
    per_visit=3,
)
