"""When a destination may be spoken to again: one waiting time for all its rows, after what concerns all of them.

Comes in: what happened, and when. Goes out: whether to send now. Refuses to know: rows, answers, clocks. Instants and
durations are microseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ingest.model import Instant

SECOND = 1_000_000
FIRST_WAIT = 1 * SECOND
LONGEST_WAIT = 300 * SECOND
"""Also the most that a Retry-After is obeyed, so that a wrong one does not stop a destination for a day."""


def backoff(failures: int, random: Callable[[], float]) -> int:
    """Full jitter: anything from 0 to a limit that doubles with each failure. ``random`` gives 0 <= x < 1."""
    return int(random() * min(LONGEST_WAIT, FIRST_WAIT << min(failures, 16)))


@dataclass(slots=True)
class Circuit:
    """Closed while things go well; open from the first failure until the next success.

    ``code`` and ``since`` tell what is wrong and from when; ``until`` is when the next attempt may be made: with an
    open circuit that is one request, and it decides.
    """

    random: Callable[[], float]
    failures: int = 0
    until: Instant = 0
    code: str | None = None
    since: Instant | None = field(default=None)

    @property
    def open(self) -> bool:
        """Whether the destination is known to be in trouble."""
        return self.code is not None

    def wait(self, now: Instant) -> int:
        """How long nothing may be sent."""
        return max(0, self.until - now)

    def worked(self) -> None:
        """The destination took or refused a resource by itself: it is well."""
        self.failures, self.until, self.code, self.since = 0, 0, None, None

    def failed(self, now: Instant, code: str) -> None:
        """Nothing came through."""
        self._open(now, code)
        self.until = now + backoff(self.failures, self.random)
        self.failures += 1

    def slowed(self, now: Instant, code: str, seconds: float | None) -> None:
        """It asks to wait: as long as asked, up to the cap, and up to a tenth more: many do not return as one."""
        if seconds is None:
            self.failed(now, code)
            return
        self._open(now, code)
        asked = min(int(seconds * SECOND), LONGEST_WAIT)
        self.until = now + int(asked * (1 + self.random() / 10))

    def _open(self, now: Instant, code: str) -> None:
        self.since = now if self.since is None else self.since
        self.code = code
