"""A clinical thermometer: one temperature at one site.

Comes in: a seed, perhaps a body, and local times. Goes out: `values`, `context`, `flags` of a reading. Refuses to know:
the wire, fever.

ISO 80601-2-56 (201.101.2) allows a laboratory error of 0.2 degrees Celsius for contact thermometers and 0.3 outside the
middle of the range; the person adds theirs: a mouth that was open, an arm that was not closed.
"""

from __future__ import annotations

import random
from datetime import datetime

from simulators.devices.display import Display, set_to, units
from simulators.devices.instrument import Make, error
from simulators.devices.messages import Json
from simulators.physiology.body import Body

_UNITS = units(
    Display("Cel", 0.1, places=1),
    Display("[degF]", 0.1, factor=1.8, plus=32, places=1),
)
_ILL_PLACED = 0.02  # share of readings


class Thermometer:
    """One that is always held to the same site: oral, axilla, ear, forehead or rectal."""

    def __init__(self, seed: int, body: Body | None = None, unit: str | None = None, *, site: str = "axilla") -> None:
        self._body = body or Body.of_seed(seed)
        self._display = set_to(_UNITS, unit)
        self._chance = random.Random(f"thermometer {seed}")
        self._bias = error(self._chance, 0.05, 0.1)
        self._site = site

    def measure(self, at: datetime) -> dict[str, Json]:
        """Tenths of a degree."""
        ill_placed = self._chance.random() < _ILL_PLACED
        warmth = self._body.temperature(at, self._site) + self._bias + error(self._chance, 0.07, 0.2)
        reading: dict[str, Json] = {
            "values": {"temperature": self._display.shown(warmth - 0.4 * ill_placed)},
            "context": {"body_site": self._site},
        }
        return reading | ({"flags": ["questionable"]} if ill_placed else {})


INSTRUMENT = Make(
    kind="body_temperature",
    build=Thermometer,
    manufacturer="Exemple",
    model="Thermo-3",
    firmware="1.1.0",
    method="thermometer",
    units=tuple(_UNITS),
)
