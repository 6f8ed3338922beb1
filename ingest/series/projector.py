"""Feeds the time series from the journal, by cursor: behind the acknowledgements, never before them.

Comes in: accepted readings. Goes out: points. Refuses to know: which series it feeds, who a reading belongs to.

A crash between the points and the cursor writes the same points again, which changes nothing. A reading whose clock was
settled later keeps the point of the time it was accepted under; ``rebuild`` uses what is known then.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from threading import Event

from sqlalchemy import select

from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import LedgerFile
from ingest.ledger.schema import CURSOR, MEASUREMENT, READING
from ingest.ledger.sqlite import named_faults
from ingest.series.port import Point, Series

CURSOR_NAME = "series"
_ROUND = 500  # readings a round
_IDLE_S = 0.2


class Projector:
    """One loop over one ledger and one series."""

    def __init__(self, file: LedgerFile, series: Series) -> None:
        self._file, self._series = file, series
        self.problem: str | None = None

    def run(self, stop: Event) -> None:
        """Project until ``stop`` is set; a store that is away is tried again."""
        while not stop.is_set():
            try:
                found = self.step()
                self.problem = None
            except LedgerUnavailable as fault:
                found, self.problem = 0, fault.happened
            if not found:
                stop.wait(_IDLE_S)

    def step(self) -> int:
        """Project one round; returns how many readings it had."""
        with named_faults(), self._file.readers.connect() as connection:
            after = connection.execute(select(CURSOR.c.position).where(CURSOR.c.name == CURSOR_NAME)).scalar() or 0
            readings = connection.execute(
                select(READING.c.position, READING.c.device, READING.c.used_at)
                .where(READING.c.position > after)
                .order_by(READING.c.position)
                .limit(_ROUND)
            ).all()
            if not readings:
                return 0
            of = {position: (device, at) for position, device, at in readings}
            measured = connection.execute(
                select(MEASUREMENT.c.position, MEASUREMENT.c.metric, MEASUREMENT.c.normal).where(
                    MEASUREMENT.c.position.between(readings[0].position, readings[-1].position)
                )
            ).all()
        self._series.write(
            [
                Point(of[position][0], metric, of[position][1], position, Decimal(normal))
                for position, metric, normal in measured
            ]
        )
        self._move(readings[-1].position)
        return len(readings)

    def rebuild(self, progress: Callable[[int], None] = lambda _count: None) -> None:
        """Empty the series and feed it again from the first reading."""
        self._series.clear()
        self._move(0)
        while count := self.step():
            progress(count)

    def _move(self, position: int) -> None:
        row = (CURSOR_NAME, position)
        self._file.writer.write(
            lambda connection: connection.exec_driver_sql("INSERT OR REPLACE INTO cursor VALUES (?, ?)", row)
        )
