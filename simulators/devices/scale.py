"""A scale that someone stands on: weight.

Comes in: a seed, perhaps a body, and local times. Goes out: `values`, `battery` of a reading.
Refuses to know: the wire.

Steps of 100 g, as scales for people have in accuracy class III (OIML R 76-1: an error of one step or one and a half up
to 2,000 steps); clothes weigh too.
"""

from __future__ import annotations

import random
from datetime import datetime

from simulators.devices.display import Display, set_to, units
from simulators.devices.instrument import Make, error
from simulators.devices.messages import Json
from simulators.physiology.body import Body

_UNITS = units(
    Display("kg", 0.1, places=1),
    Display("[lb_av]", 0.2, factor=1 / 0.45359237, places=1),
    Display("g", 100, factor=1000),
)
_READINGS_PER_PERCENT = 15  # of the battery


class BodyScale:
    """One that one person stands on."""

    def __init__(self, seed: int, body: Body | None = None, unit: str | None = None) -> None:
        self._body = body or Body.of_seed(seed)
        self._display = set_to(_UNITS, unit)
        self._chance = random.Random(f"scale {seed}")
        self._taken = 0

    def measure(self, at: datetime) -> dict[str, Json]:
        """Hundreds of grams, or as near as the unit's steps come to them."""
        self._taken += 1
        clothes = self._chance.uniform(0.2, 0.8)
        weight = self._body.weight(at) + clothes + error(self._chance, 0.04, 0.1)
        return {
            "values": {"weight": self._display.shown(weight)},
            "battery": max(100 - self._taken // _READINGS_PER_PERCENT % 96, 5),
        }


INSTRUMENT = Make(
    kind="body_weight",
    build=BodyScale,
    manufacturer="Exemple",
    model="Balance-200",
    firmware="3.0.0",
    method="scale",
    units=tuple(_UNITS),
)
