"""A height gauge with a sliding head plate: height.

Comes in: a seed, perhaps a body, and local times. Goes out: `values` of a reading. Refuses to know: the wire.

Millimetres are shown; two measurements of one person differ by some 3 mm, however exact the gauge (technical error of
measurement: Ulijaszek, Kerr, Br J Nutr 82:165, 1999).
"""

from __future__ import annotations

import random
from datetime import datetime

from simulators.devices.display import Display, set_to, units
from simulators.devices.instrument import Make, error
from simulators.devices.messages import Json
from simulators.physiology.body import Body

_UNITS = units(
    Display("cm", 0.1, places=1),
    Display("m", 0.001, factor=0.01, places=3),
    Display("[in_i]", 0.1, factor=1 / 2.54, places=1),
)


class Gauge:
    """One that one person stands under."""

    def __init__(self, seed: int, body: Body | None = None, unit: str | None = None) -> None:
        self._body = body or Body.of_seed(seed)
        self._display = set_to(_UNITS, unit)
        self._chance = random.Random(f"gauge {seed}")

    def measure(self, at: datetime) -> dict[str, Json]:
        """Millimetres, or tenths of an inch."""
        return {"values": {"height": self._display.shown(self._body.height(at) + error(self._chance, 0.25, 0.6))}}


INSTRUMENT = Make(
    kind="body_height",
    build=Gauge,
    manufacturer="Exemple",
    model="Toise-1",
    firmware="1.0.0",
    units=tuple(_UNITS),
)
