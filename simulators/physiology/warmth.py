"""Body temperature over the day, and in fever. Pure.

Comes in: a person, local time, fever. Goes out: degrees Celsius at a site. Refuses to know: thermometers.

Mean of the mouth 36.6, lower by 0.021 for each ten years of age (Obermeyer, Samra, Mullainathan, BMJ 359:j5468, 2017);
half a degree between the low at 6 and the high in the late afternoon (Mackowiak, Wasserman, Levine, JAMA 268:1578,
1992). Sites differ about as in the review of Sund-Levander, Forsberg, Wahren (Scand J Caring Sci 16:122, 2002).
"""

from __future__ import annotations

import math
import random
from datetime import datetime

from simulators.person import Person
from simulators.physiology.spells import hour_of

SITES = {"oral": 0.0, "axilla": -0.2, "ear": 0.1, "forehead": -0.1, "rectal": 0.5}
"""Degrees Celsius above the mouth."""
_HALF_SWING, _HIGHEST_HOUR = 0.25, 17.5


class Warmth:
    """One person's."""

    def __init__(self, person: Person) -> None:
        chance = random.Random(f"warmth {person.seed}")
        self._mean = 36.6 - 0.0021 * (person.age - 50) + min(max(chance.gauss(0, 0.15), -0.3), 0.3)

    def temperature(self, at: datetime, fever: float, site: str) -> float:
        """Degrees Celsius; a fever stands a third higher in the evening than in the morning."""
        swing = math.cos(math.tau * (hour_of(at) - _HIGHEST_HOUR) / 24)
        return self._mean + _HALF_SWING * swing + fever * (1 + 0.15 * swing) + SITES[site]
