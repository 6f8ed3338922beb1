"""A belt round the chest that counts R waves: heart rate.

Comes in: a seed, perhaps a body, and local times. Goes out: `values`, `context`, `flags` of a reading. Refuses to know:
the wire, what raised the rate.

Accuracy of cardiac monitors: 10 % or 5 a minute (IEC 60601-2-27, 201.12.1.101.15); belts stay within 1 or 2 of the ECG
(Gillinov et al., Med Sci Sports Exerc 49:1697, 2017).
"""

from __future__ import annotations

import random
from datetime import datetime

from simulators.devices.display import PULSE, set_to, units
from simulators.devices.instrument import Make, error, exertion
from simulators.devices.messages import Json
from simulators.physiology.body import Body
from simulators.physiology.spells import awake

_DRY = 0.02  # share of readings with dry electrodes


class Belt:
    """One round one person's chest."""

    def __init__(self, seed: int, body: Body | None = None, unit: str | None = None) -> None:
        self._body = body or Body.of_seed(seed)
        self._display = set_to(units(PULSE), unit)
        self._chance = random.Random(f"belt {seed}")

    def measure(self, at: datetime) -> dict[str, Json]:
        """Whole beats a minute."""
        rate, effort = self._body.heart_rate(at), self._body.effort(at)
        reading: dict[str, Json] = {
            "values": {"rate": self._display.shown(rate + error(self._chance, 0.6, 1.5))},
            "context": {"exertion": exertion(effort), "position": self._position(at, effort)},
        }
        return reading | ({"flags": ["weak_signal"]} if self._chance.random() < _DRY else {})

    def _position(self, at: datetime, effort: float) -> str:
        if awake(at) < 0.5:  # noqa: PLR2004 - more asleep than awake
            return "lying"
        return "standing" if exertion(effort) == "exercise" else "sitting"


INSTRUMENT = Make(
    kind="heart_rate", build=Belt, manufacturer="Exemple", model="Cardio-belt", firmware="2.1.0", units=("/min",)
)
