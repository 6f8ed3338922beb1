"""When a device tries again: delays that double, spread by a fifth so that devices do not march in step. Pure.

Comes in: keys and instants on the device's own timer, in seconds. Goes out: which keys are due. Refuses to know: bytes,
sockets. Figures: device contract, sections 8 (repeats) and 14 (reconnects).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from simulators.devices.outbox import Key

REPEAT_S, REPEAT_MOST_S = 30.0, 3600.0
"""A reading without receipt is repeated 30 s after its publish, doubling up to 1 h (section 8)."""
RECONNECT_S, RECONNECT_MOST_S = 1.0, 300.0
"""A lost connection is tried again after 1 s, doubling up to 5 min (section 14)."""
SPREAD = 0.2
"""Each delay is multiplied by something between 0.8 and 1.2 (sections 8 and 14)."""


@dataclass(slots=True)
class Backoff:
    """A delay in seconds that doubles from `first` up to `most`."""

    first: float
    most: float
    chance: random.Random
    tries: int = 0

    def next(self) -> float:
        """The next delay, spread by +-20 %."""
        delay = min(self.first * 2.0 ** min(self.tries, 40), self.most)
        self.tries += 1
        return delay * self.chance.uniform(1 - SPREAD, 1 + SPREAD)

    def reset(self) -> None:
        """Start from `first` again."""
        self.tries = 0


class Repeats:
    """Which readings are due to be published; each has its own doubling delay from `first` seconds."""

    def __init__(self, first: float, chance: random.Random) -> None:
        self._first = first
        self._chance = chance
        self._due: dict[Key, float] = {}
        self._delays: dict[Key, Backoff] = {}

    def offer(self, key: Key, at: float) -> None:
        """Publish this one at `at`, or earlier if it was due earlier."""
        self._due[key] = min(at, self._due.get(key, at))

    def postpone(self, key: Key, until: float) -> None:
        """Do not publish this one before `until`."""
        self._due[key] = until

    def published(self, key: Key, now: float) -> None:
        """Wait for the receipt, longer each time."""
        delay = self._delays.setdefault(key, Backoff(self._first, max(REPEAT_MOST_S, self._first), self._chance))
        self._due[key] = now + delay.next()

    def tries(self, key: Key) -> int:
        """How often this one was published already."""
        return self._delays[key].tries if key in self._delays else 0

    def forget(self, key: Key) -> None:
        """Never again."""
        self._due.pop(key, None)
        self._delays.pop(key, None)

    def due(self, now: float, most: int) -> list[Key]:
        """At most `most` keys whose time has come, in the order they were first offered."""
        found: list[Key] = []
        for key, at in self._due.items():
            if len(found) >= most:
                break
            if at <= now:
                found.append(key)
        return found

    def next_at(self) -> float | None:
        """When the next one is due; None when nothing waits."""
        return min(self._due.values(), default=None)
