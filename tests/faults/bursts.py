"""Meters that measure when they are told to, as fast as they are answered, and keep each reading until its receipt.

Comes in: an installation, the meters' secrets, an outbox file. Goes out: counts; `issued(outbox)` is the oracle of all
that was made. The crowd of `simulators.load` in a thread, with its pace in the test's hands.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simulators.load import Crowd, Load
from tests.faults.installation import Installation, until


class Bursts:
    """A running crowd; `made` and `answered` count readings."""

    def __init__(self, site: Installation, secrets: Mapping[str, str], outbox: Path, *, marks: bool = False) -> None:
        load = Load(site.url, tuple(secrets.items()), outbox=outbox, durable=True, repeat_s=10.0, marks=marks)
        self._crowd = Crowd(load)
        self._allowed = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meters", daemon=True)
        self._thread.start()

    @property
    def made(self) -> int:
        """Readings that are in the outbox, published or about to be."""
        return self._crowd.counts.made

    @property
    def answered(self) -> int:
        """Readings with a final receipt."""
        return len(self._crowd.counts.latencies)

    @property
    def asked(self) -> int:
        """Readings that `more` has asked for."""
        return self._allowed

    def more(self, count: int) -> None:
        """Measure so many times more."""
        self._allowed += count

    def finish(self, patience_s: float) -> dict[str, Any]:
        """Wait until each reading has its receipt, and return the account; raises TimeoutError."""
        until(lambda: self._is_done, "each reading has its receipt", patience_s)
        counts = self._crowd.counts
        slowest = sorted(counts.latencies)
        return {
            "made": counts.made,
            "answered": self.answered,
            "published": counts.published,
            "repeated": counts.repeated,
            "verdicts": dict(counts.verdicts),
            "connects": counts.connects,
            "cuts": counts.cuts,
            "problems": dict(counts.problems),
            "seconds_to_receipt": {"median": round(slowest[len(slowest) // 2], 3), "longest": round(slowest[-1], 3)},
        }

    def close(self) -> None:
        """Every meter says `offline`."""
        self._stop.set()
        self._thread.join()
        self._crowd.close()

    @property
    def _is_done(self) -> bool:
        if not self._thread.is_alive():
            raise RuntimeError("the meters' thread has ended")
        return self.made == self._allowed and self._crowd.unanswered == 0

    def _run(self) -> None:
        while not self._stop.is_set():
            self._crowd.turn(self._allowed - self.made)


@contextmanager
def measuring(site: Installation, secrets: Mapping[str, str], outbox: Path, *, marks: bool = False) -> Iterator[Bursts]:
    """Give a crowd that is closed with the block; with `marks` it keeps what was answered, for a restored ledger."""
    crowd = Bursts(site, secrets, outbox, marks=marks)
    try:
        yield crowd
    finally:
        crowd.close()
