"""A respiration monitor with a band round the chest: respiratory rate.

Comes in: a seed, perhaps a body, and local times. Goes out: `values`, `context`, `flags` of a reading. Refuses to know:
the wire.

Counted over half a minute, so right within 2 a minute, which is what makers of such monitors claim.
"""

from __future__ import annotations

import random
from datetime import datetime

from simulators.devices.display import PULSE, set_to, units
from simulators.devices.instrument import Make, error, exertion
from simulators.devices.messages import Json
from simulators.physiology.body import Body

_MOVES = 0.03  # share of readings


class Respiration:
    """One round one person's chest."""

    def __init__(self, seed: int, body: Body | None = None, unit: str | None = None) -> None:
        self._body = body or Body.of_seed(seed)
        self._display = set_to(units(PULSE), unit)
        self._chance = random.Random(f"respiration {seed}")

    def measure(self, at: datetime) -> dict[str, Json]:
        """Whole breaths a minute."""
        rate = self._body.respiratory_rate(at) + error(self._chance, 0.9, 2)
        reading: dict[str, Json] = {
            "values": {"rate": self._display.shown(rate)},
            "context": {"exertion": exertion(self._body.effort(at))},
        }
        return reading | ({"flags": ["movement"]} if self._chance.random() < _MOVES else {})


INSTRUMENT = Make(
    kind="respiratory_rate",
    build=Respiration,
    manufacturer="Exemple",
    model="Souffle-1",
    firmware="1.3.0",
    units=("/min",),
)
