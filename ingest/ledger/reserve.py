"""The room that is kept free on the ledger's disk: acknowledgements stop before it is full, not when.

Comes in: a folder, a number of bytes. Goes out: ``LedgerUnavailable`` for whoever would take more in. Refuses to know:
who asks. Audit, deliveries and reads are never asked: they use the reserve, and so does whoever mends things.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from ingest.ledger.faults import LedgerUnavailable

_LOOK_S = 1.0  # between two looks at the disk, however many batches ask
_BACK = 5, 4  # messages are taken again when so much of the reserve is free, so that it does not flap


class Reserve:
    """``size`` bytes of the disk under ``folder``."""

    def __init__(self, folder: Path, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._size, self._clock = folder, size, clock
        self._next = clock()
        self._fault: LedgerUnavailable | None = None

    def check(self) -> None:
        """Raise LedgerUnavailable while too little is free."""
        if (fault := self._found()) is not None:
            raise fault

    @property
    def problem(self) -> str | None:
        """Why nothing would be taken; None while there is room."""
        return None if (fault := self._found()) is None else fault.happened

    def _found(self) -> LedgerUnavailable | None:
        if self._clock() >= self._next:
            self._next = self._clock() + _LOOK_S
            self._look()
        return self._fault

    def _look(self) -> None:
        try:
            found = os.statvfs(self._folder)
        except OSError:  # the write that follows will say what is wrong
            return
        free = found.f_bavail * found.f_frsize
        wanted = self._size if self._fault is None else self._size * _BACK[0] // _BACK[1]
        self._fault = None if free >= wanted else _low(free, wanted)


def _low(free: int, wanted: int) -> LedgerUnavailable:
    return LedgerUnavailable(
        f"The disk's reserve is used up: {free >> 20} MiB are free, and {wanted >> 20} MiB have to be.",
        "Nothing more is acknowledged until then; what was acknowledged can be read and is delivered.",
        "Free some space or enlarge the disk; delete nothing in the data folder.",
    )
