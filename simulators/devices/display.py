"""What a display shows: a quantity in one of the units it can be set to, in steps. Pure.

Comes in: a quantity in its inner unit. Goes out: value and unit as a message holds them. Refuses to know: the quantity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simulators.devices.messages import Json


@dataclass(frozen=True, slots=True)
class Display:
    """How a display shows a quantity in a unit: (inner unit x `factor` + `plus`), in steps of `step`."""

    unit: str
    step: float
    factor: float = 1.0
    plus: float = 0.0
    places: int = 0

    def shown(self, inner: float, *, most: float | None = None) -> dict[str, Json]:
        """The value with its unit as a message holds it; the display ends at `most`."""
        steps = round((inner * self.factor + self.plus) / self.step)
        value = round(steps * self.step, self.places)
        value = min(value, most) if most is not None else value
        return {"value": value if self.places else int(value), "unit": self.unit}


class UnknownUnitError(ValueError):
    """An instrument cannot be set to this unit; the message lists those it can."""


def set_to(known: Mapping[str, Display], unit: str | None) -> Display:
    """The display of a unit, or the first; raises `UnknownUnitError`."""
    if unit is None:
        return next(iter(known.values()))
    if unit not in known:
        raise UnknownUnitError(f"This instrument does not show {unit}. It shows one of: {', '.join(known)}.")
    return known[unit]


def units(*displays: Display) -> dict[str, Display]:
    """Displays by their units; the first is how the instrument leaves the factory."""
    return {row.unit: row for row in displays}


PULSE = Display("/min", 1)
"""Beats or breaths, whole, as every instrument shows them."""
