"""The projector at work, and how far behind it is: told to whoever asks, said aloud when it is late.

Comes in: settings, an open ledger. Goes out: two loops, what the last look found in ``{data}/run/series.json``. Refuses
to know: which series it is.

A series that is away never makes the installation unready: readings are taken, acknowledged and delivered without it.
"""

from __future__ import annotations

import threading

import structlog

from app import status, wiring
from app.clock import now
from app.settings import Settings
from ingest.ledger.engine import named_faults
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import OpenLedger
from ingest.series.lag import Lag, lag
from ingest.series.projector import Projector

SERIES = status.SERIES
_LOOK_S = 1.0

log = structlog.get_logger("series")


def projector(settings: Settings, file: OpenLedger) -> Projector:
    """The one of this installation."""
    return Projector(file, wiring.series(settings, file), lambda why: log.warning("filled from the start", why=why))


def watch(settings: Settings, file: OpenLedger, projecting: Projector, stop: threading.Event) -> None:
    """Tell how it goes every second, and say what changes: what is wrong, what is mended, what is late."""
    said = _Said()
    while not stop.is_set():
        problem = projecting.problem
        status.tell(settings.data, SERIES, ready=problem is None, problem=problem)
        try:
            with named_faults(), file.readers.connect() as connection:
                behind = lag(connection, now())
        except LedgerUnavailable:
            stop.wait(_LOOK_S)
            continue
        said.hear(problem, projecting.notice, behind)
        stop.wait(_LOOK_S)


class _Said:
    """What was said last: only what is different is said again."""

    def __init__(self) -> None:
        self._problem: str | None = None
        self._notice: str | None = None
        self._is_late = False

    def hear(self, problem: str | None, notice: str | None, behind: Lag) -> None:
        if problem != self._problem:
            log.warning("trends wait" if problem else "trends are filled again", problem=problem)
        if notice != self._notice and notice:
            log.warning("trends are limited", notice=notice)
        if behind.is_late != self._is_late:
            say = log.error if behind.is_late else log.info
            words = "trends are late" if behind.is_late else "trends have caught up"
            say(words, readings=behind.readings, age_s=round(behind.age_s))
        self._problem, self._notice, self._is_late = problem, notice, behind.is_late
