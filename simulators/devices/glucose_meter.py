"""A glucose meter: a drop from the finger, or a sensor under the skin.

Comes in: a seed, perhaps a body, and local times. Goes out: `values`, `context`, `flags` of a reading. Refuses to know:
the wire, meals beside the word for the moment.

ISO 15197:2013 (6.3.3) asks that 95 % of the readings lie within 15 mg/dL below 100 and within 15 % from there on; this
meter is twice as good, and a sensor deviates by 8 % from the tissue, which follows the blood late.
"""

from __future__ import annotations

import random
from datetime import datetime

from simulators.devices.display import Display, set_to, units
from simulators.devices.instrument import Make, error, exertion
from simulators.devices.messages import Json
from simulators.physiology.body import Body

MG_DL_PER_MMOL_L = 18.0156
"""Glucose, 180.156 g/mol."""
_UNITS = units(Display("mg/dL", 1), Display("mmol/L", 0.1, factor=1 / MG_DL_PER_MMOL_L, places=1))
_ERRORS = {"capillary": 0.04, "interstitial": 0.08}
_FROM = 100.0  # mg/dL: below, the error no longer shrinks with the value
_LEAST, _MOST = 20.0, 600.0  # mg/dL: what strips can tell
_POOR = 0.02  # share of readings with a poor drop or a pressed sensor


class GlucoseMeter:
    """One person's; `sample` is capillary or interstitial."""

    def __init__(
        self, seed: int, body: Body | None = None, unit: str | None = None, *, sample: str = "capillary"
    ) -> None:
        self._body = body or Body.of_seed(seed)
        self._display, self._sample = set_to(_UNITS, unit), sample
        self._deviation = _ERRORS[sample]
        self._chance = random.Random(f"glucose meter {seed}")

    def measure(self, at: datetime) -> dict[str, Json]:
        """Whole mg/dL, or tenths of mmol/L."""
        glucose = self._body.glucose
        inside = glucose.blood(at) if self._sample == "capillary" else glucose.tissue(at)
        off = error(self._chance, self._deviation, 3 * self._deviation) * max(inside, _FROM)
        poor = self._chance.random() < _POOR
        reading: dict[str, Json] = {
            "values": {"glucose": self._display.shown(min(max(inside + off, _LEAST), _MOST))},
            "context": {"sample": self._sample} | self._moment(at),
        }
        return reading | ({"flags": ["questionable"]} if poor else {})

    def _moment(self, at: datetime) -> dict[str, str]:
        """Nobody is asked by a sensor."""
        if self._sample != "capillary":
            return {}
        effort = exertion(self._body.effort(at)) == "exercise"
        return {"moment": "after_exercise" if effort else self._body.glucose.moment(at)}


INSTRUMENT = Make(
    kind="blood_glucose",
    build=GlucoseMeter,
    manufacturer="Exemple",
    model="Gluco-5",
    firmware="4.2.0",
    method="glucose_meter",
    units=tuple(_UNITS),
)
