"""When somebody measures: visits over the past, for a device that was carried for days and is read out at once. Pure.

Comes in: how many readings, over which time. Goes out: instants in rising order. Refuses to know: what is measured.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

PAUSE_S = 60
"""Between the readings of one visit: a minute's rest, as guidelines for home measurement ask."""


def visits(count: int, until: datetime, over: timedelta, per_visit: int, chance: random.Random) -> Iterator[datetime]:
    """`count` instants in visits of `per_visit`, spread over the time before `until`, at any hour of the day."""
    rounds = -(-count // per_visit)
    step = over / rounds
    room = max(step.total_seconds() - per_visit * PAUSE_S, 0.0)
    for number in range(count):
        visit, place = divmod(number, per_visit)
        if place == 0:
            begins = until - over + visit * step + timedelta(seconds=chance.uniform(0, room))
        yield begins + timedelta(seconds=min(PAUSE_S, step.total_seconds() / per_visit) * place)
