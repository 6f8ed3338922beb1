"""Someone invented, by a seed: age, sex, size, two common illnesses, and how high the place lies.

Comes in: a seed. Goes out: facts that do not change from day to day. Refuses to know: what the body makes of them
(`simulators.physiology`), instruments, messages. Another person with one thing different: `dataclasses.replace`.

The distributions are chosen, not measured: adults of both sexes, with hypertension and diabetes more frequent with age.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

Sex = Literal["female", "male"]

PLACES = {"Saint-Denis": 0.0, "Cilaos": 1200.0, "Plaine des Cafres": 1600.0}
"""Altitude in m of places on Reunion island."""
_LIVE = (8, 1, 1)
_SIZES: dict[Sex, tuple[float, float]] = {"female": (161.0, 6.0), "male": (174.0, 6.5)}


@dataclass(frozen=True, slots=True)
class Person:
    """Age in years, height in cm in the morning, weight in kg in the morning, altitude in m."""

    seed: int
    age: int
    sex: Sex
    height_cm: float
    weight_kg: float
    hypertension: bool
    diabetes: bool
    altitude_m: float

    @classmethod
    def drawn(cls, seed: int) -> Person:
        """The person of this seed."""
        chance = random.Random(f"person {seed}")
        age = chance.randint(18, 88)
        sex: Sex = "female" if chance.random() < 0.5 else "male"  # noqa: PLR2004 - even
        height = _near(chance, *_SIZES[sex]) - 0.06 * max(age - 40, 0)
        mass_index = _near(chance, 26, 4)
        return cls(
            seed=seed,
            age=age,
            sex=sex,
            height_cm=round(height, 1),
            weight_kg=round(mass_index * (height / 100) ** 2, 1),
            hypertension=chance.random() < 0.05 + 0.008 * (age - 18),
            diabetes=chance.random() < 0.02 + 0.004 * (age - 18),
            altitude_m=chance.choices(tuple(PLACES.values()), _LIVE)[0],
        )


def _near(chance: random.Random, mean: float, deviation: float) -> float:
    """Normal, at most two deviations off: nobody out of the ordinary."""
    return mean + deviation * min(max(chance.gauss(0, 1), -2), 2)
