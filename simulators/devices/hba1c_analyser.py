"""A point-of-care analyser of glycated haemoglobin: the share of HbA1c.

Comes in: a seed, perhaps a body, and local times. Goes out: `values`, `flags` of a reading. Refuses to know: the wire,
glucose.

Coefficient of variation 2 %, of which analysers need less than 3 (Little, Rohlfing, Sacks, Clin Chem 57:205, 2011).
IFCC from NGSP: mmol/mol = (% - 2.152) / 0.09148 (NGSP's master equation).
"""

from __future__ import annotations

import random
from datetime import datetime

from simulators.devices.display import Display, set_to, units
from simulators.devices.instrument import Make, error
from simulators.devices.messages import Json
from simulators.physiology.body import Body

_UNITS = units(
    Display("%", 0.1, places=1),
    Display("mmol/mol", 1, factor=1 / 0.09148, plus=-2.152 / 0.09148),
)
_VARIATION = 0.02
_LEAST, _MOST = 4.0, 15.0  # %: what the cartridge can tell
_POOR = 0.01  # share of readings with too small a drop


class Analyser:
    """One on a desk, with one person's drop of blood."""

    def __init__(self, seed: int, body: Body | None = None, unit: str | None = None) -> None:
        self._body = body or Body.of_seed(seed)
        self._display = set_to(_UNITS, unit)
        self._chance = random.Random(f"analyser {seed}")

    def measure(self, at: datetime) -> dict[str, Json]:
        """Tenths of a per cent, or whole mmol/mol."""
        inside = self._body.glucose.haemoglobin(at)
        fraction = inside * (1 + error(self._chance, _VARIATION, 2 * _VARIATION))
        reading: dict[str, Json] = {"values": {"fraction": self._display.shown(min(max(fraction, _LEAST), _MOST))}}
        return reading | ({"flags": ["questionable"]} if self._chance.random() < _POOR else {})


INSTRUMENT = Make(
    kind="hba1c",
    build=Analyser,
    manufacturer="Exemple",
    model="Glyc-1",
    firmware="2.0.1",
    units=tuple(_UNITS),
)
