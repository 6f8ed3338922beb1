"""A spirometer: one forced manoeuvre a reading, three in a visit.

Comes in: a seed, perhaps a body, and local times. Goes out: `values`, `flags` of a reading. Refuses to know: the wire,
predicted values.

Volumes are right within 3 % (ISO 26782), peak flow within 10 % (ISO 23747). Nobody blows better than they can; good
manoeuvres repeat within 0.15 L (Graham et al., ATS/ERS standard, Am J Respir Crit Care Med 200:e70, 2019). A cough or a
late start spoils one in thirty, and is flagged.
"""

from __future__ import annotations

import random
from datetime import datetime

from simulators.devices.display import Display, set_to, units
from simulators.devices.instrument import Make, error
from simulators.devices.messages import Json
from simulators.physiology.body import Body

_VOLUME, _FLOW = Display("L", 0.01, places=2), Display("L/min", 1)
_SPOILT = 0.03  # share of manoeuvres


class Spirometer:
    """One that one person blows into."""

    def __init__(self, seed: int, body: Body | None = None, unit: str | None = None) -> None:
        self._lungs = (body or Body.of_seed(seed)).lungs
        self._volume = set_to(units(_VOLUME), unit)
        self._chance = random.Random(f"spirometer {seed}")

    def measure(self, at: datetime) -> dict[str, Json]:  # noqa: ARG002 - the lungs of an adult are the same all day
        """Hundredths of a litre, whole litres a minute."""
        spoilt = self._chance.random() < _SPOILT
        will = self._chance.uniform(0.6, 0.85) if spoilt else 1 - abs(error(self._chance, 0.015, 0.035))
        fvc = self._lungs.fvc * will * (1 + error(self._chance, 0.005, 0.015))
        fev1 = self._lungs.fev1 * will * (1 + error(self._chance, 0.005, 0.015))
        pef = self._lungs.pef * will * (1 + error(self._chance, 0.03, 0.08))
        reading: dict[str, Json] = {
            "values": {
                "fev1": self._volume.shown(min(fev1, fvc)),
                "fvc": self._volume.shown(fvc),
                "pef": _FLOW.shown(pef),
            }
        }
        return reading | ({"flags": ["questionable"]} if spoilt else {})


INSTRUMENT = Make(
    kind="spirometry",
    build=Spirometer,
    manufacturer="Exemple",
    model="Spiro-7",
    firmware="5.0.0",
    units=("L",),
    per_visit=3,
)
