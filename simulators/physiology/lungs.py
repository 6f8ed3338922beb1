"""What someone can breathe out at most. Pure.

Comes in: a person. Goes out: FEV1 and FVC in L, peak flow in L/min. Refuses to know: spirometers, manoeuvres.

Reference equations of the European Community for Steel and Coal (Quanjer et al., Lung volumes and forced ventilatory
flows, Eur Respir J 6 Suppl 16:5-40, 1993): linear in height (m) and age (years, 18 to 70; below 25 taken as 25, above
70 extrapolated here), with a residual standard deviation. GLI-2012 would need its spline tables.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple

from simulators.person import Person, Sex

_LEAST = 0.5  # of what is predicted, for those whom the equations are too harsh with
_HIGHEST_RATIO = 0.92  # FEV1 of FVC


class Equation(NamedTuple):
    """`height` x m + `age` x years + `constant`; `spread` is the residual standard deviation."""

    height: float
    age: float
    constant: float
    spread: float

    def of(self, person: Person) -> float:
        """The predicted value."""
        return self.height * person.height_cm / 100 + self.age * max(person.age, 25) + self.constant


EQUATIONS: dict[Sex, dict[str, Equation]] = {
    "male": {
        "fvc": Equation(5.76, -0.026, -4.34, 0.61),
        "fev1": Equation(4.30, -0.029, -2.49, 0.51),
        "pef": Equation(6.14, -0.043, 0.15, 1.21),
    },
    "female": {
        "fvc": Equation(4.43, -0.026, -2.89, 0.43),
        "fev1": Equation(3.95, -0.025, -2.60, 0.38),
        "pef": Equation(5.50, -0.030, -1.11, 0.90),
    },
}
"""Volumes in L, peak flow in L/s."""


@dataclass(frozen=True, slots=True)
class Lungs:
    """The best manoeuvre someone is capable of: L, L, L/min."""

    fev1: float
    fvc: float
    pef: float

    @classmethod
    def of(cls, person: Person) -> Lungs:
        """As predicted, and as far off as the seed says: at most 1.6 residual deviations, the limits of normal."""
        chance = random.Random(f"lungs {person.seed}")
        off = min(max(chance.gauss(0, 0.8), -1.6), 1.6)
        predicted = EQUATIONS[person.sex]
        found = {name: _of(row, person, off) for name, row in predicted.items()}
        return cls(min(found["fev1"], _HIGHEST_RATIO * found["fvc"]), found["fvc"], 60 * found["pef"])


def _of(row: Equation, person: Person, off: float) -> float:
    predicted = row.of(person)
    return max(predicted + off * row.spread, _LEAST * predicted)
