"""A pulse oximeter on a finger or an ear: saturation and pulse.

Comes in: a seed, perhaps a body, and local times. Goes out: `values`, `context`, `flags` of a reading. Refuses to know:
the wire, altitude.

ISO 80601-2-61 (201.12.1.101) allows 4 % root mean square between 70 and 100 %; good ones claim 2 %, of which this one
spends 0.7 on a bias of its own and the rest on each reading. A moving or cold finger reads too low, and is flagged.
"""

from __future__ import annotations

import random
from datetime import datetime

from simulators.devices.display import PULSE, Display, set_to, units
from simulators.devices.instrument import Make, error, exertion
from simulators.devices.messages import Json
from simulators.physiology.body import Body

SITES = ("finger", "ear")
_SATURATION = Display("%", 1)
_FAULTS = (("movement", 0.02), ("weak_signal", 0.02))
_READS_LOW = 2.0


class Oximeter:
    """One on one person, clipped to one of `SITES`."""

    def __init__(self, seed: int, body: Body | None = None, unit: str | None = None, *, site: str = SITES[0]) -> None:
        self._body = body or Body.of_seed(seed)
        self._display = set_to(units(_SATURATION), unit)
        self._chance = random.Random(f"oximeter {seed}")
        self._bias = error(self._chance, 0.7, 1.4)
        self._site = site

    def measure(self, at: datetime) -> dict[str, Json]:
        """Whole per cent, at most 100, and whole beats a minute."""
        flags = [flag for flag, share in _FAULTS if self._chance.random() < share]
        low = _READS_LOW * self._chance.random() * len(flags)
        saturation = self._body.saturation(at) + self._bias + error(self._chance, 0.9, 2.0) - low
        reading: dict[str, Json] = {
            "values": {
                "saturation": self._display.shown(saturation, most=100),
                "pulse": PULSE.shown(self._body.heart_rate(at) + error(self._chance, 0.9, 2)),
            },
            "context": {"body_site": self._site, "exertion": exertion(self._body.effort(at))},
        }
        return reading | ({"flags": flags} if flags else {})


INSTRUMENT = Make(
    kind="pulse_oximetry",
    build=Oximeter,
    manufacturer="Exemple",
    model="Oxy-2",
    firmware="1.0.4",
    method="oximeter",
    units=("%",),
)
