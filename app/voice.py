"""What one part says of itself, to the others and to the log.

Comes in: whether it works, and why not. Goes out: its status each time; a line in the log once a trouble has lasted,
and one when it is over. Refuses to know: what the part does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from app import status

LASTED_S = 3.0
"""A trouble that has lasted so long is told: every start begins with a moment in which nothing is connected yet."""
SAFE = "what was acknowledged is kept; devices keep the rest and offer it again"
REMEDY = "mend what `problem` names; it goes on by itself then"

log = structlog.get_logger("part")


@dataclass(slots=True)
class Voice:
    """Of one part of the installation in folder ``data``."""

    data: Path
    part: str
    clock: Callable[[], float] = time.monotonic
    _since: float | None = None
    _said: str | None = None

    def tell(self, *, ready: bool, problem: str | None = None, connected: bool | None = None) -> None:
        """Called every second or so; ``problem`` is None when all is well. ``connected``: see ``app.status``."""
        clock = self.clock()
        since = None if problem is None else time.time() - (0.0 if self._since is None else clock - self._since)
        status.tell(self.data, self.part, ready=ready, problem=problem, since=since, connected=connected)
        if problem is None:
            if self._said is not None:
                log.info("works again", part=self.part)
            self._since = self._said = None
            return
        self._since = clock if self._since is None else self._since
        # A text with a count in it changes every second: one line tells of one trouble until it is over.
        if self._said is None and clock - self._since >= LASTED_S:
            log.warning("does not work", part=self.part, problem=problem, safe=SAFE, remedy=REMEDY)
            self._said = problem
