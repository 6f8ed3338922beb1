"""Feeds the time series, by cursor: behind the acknowledgements, never before them.

Comes in: readings in the order in which they were published. Goes out: points. Refuses to know: which series it feeds,
who a reading belongs to.

It follows the feed's positions, so it sees a reading when it has been given to somebody, however late, and never one
that waits for a person. The cursor is written now and then: a crash between the points and the cursor writes the same
points again, which changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from threading import Event

from sqlalchemy import select

from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import OpenLedger
from ingest.ledger.schema import ATTRIBUTION, CURSOR, FEED, MEASUREMENT, READING
from ingest.ledger.sqlite import named_faults
from ingest.series.port import Point, Series

CURSOR_NAME = "series"
_ROUND = 100  # readings a round
_PACE_S = 0.1  # between two rounds: few transactions, because the gateway's commits wait for each of them
_REMEMBER_S = 1.0  # between two writes of the cursor: behind it, points are only written again


class Projector:
    """One loop over one ledger and one series."""

    def __init__(self, file: OpenLedger, series: Series) -> None:
        self._file, self._series = file, series
        self._at: int | None = None
        self._remembered = 0.0
        self.problem: str | None = None

    def run(self, stop: Event) -> None:
        """Project until ``stop`` is set; a store that is away is tried again."""
        while not stop.is_set():
            try:
                self.step()
                self.problem = None
            except LedgerUnavailable as fault:
                self.problem = fault.happened
            stop.wait(_PACE_S)
        self._remember()

    def step(self) -> int:
        """Project one round; returns how many resource versions it looked at."""
        with named_faults(), self._file.readers.connect() as connection:
            if self._at is None:
                wanted = select(CURSOR.c.position).where(CURSOR.c.name == CURSOR_NAME)
                self._at = connection.execute(wanted).scalar() or 0
            versions = connection.execute(_VERSIONS.where(FEED.c.position > self._at).limit(_ROUND)).all()
            if not versions:
                return 0
            readings = {row.reading for row in versions}
            instants = {row.position: row for row in connection.execute(_GIVEN.where(_HELD.in_(readings)))}
            measured = connection.execute(_MEASURED.where(MEASUREMENT.c.position.in_(instants))).all()
        self._series.write(
            [
                Point(instants[position].device, metric, instants[position].used_at, position, Decimal(normal))
                for position, metric, normal in measured
            ]
        )
        self._at = versions[-1].position
        if time.monotonic() > self._remembered + _REMEMBER_S:
            self._remember()
        return len(versions)

    def rebuild(self, progress: Callable[[int], None] = lambda _count: None) -> None:
        """Empty the series and feed it again from the first reading; nothing else may project meanwhile."""
        self._at = 0
        self._remember()  # first, so that a crash leaves a series that fills up again, not an empty one that is done
        self._series.clear()
        while count := self.step():
            progress(count)
        self._remember()

    def _remember(self) -> None:
        """Write the cursor."""
        if self._at is None:
            return
        row, self._remembered = (CURSOR_NAME, self._at), time.monotonic()
        self._file.writer.write(
            lambda connection: connection.exec_driver_sql("INSERT OR REPLACE INTO cursor VALUES (?, ?)", row)
        )


_VERSIONS = (
    select(FEED.c.position, FEED.c.reading).where(FEED.c.reading.is_not(None)).order_by(FEED.c.position)
)  # fmt: skip
_HELD = ATTRIBUTION.c.position
_GIVEN = (
    select(_HELD, ATTRIBUTION.c.used_at, READING.c.device)
    .join_from(ATTRIBUTION, READING, READING.c.position == _HELD)
    .where(ATTRIBUTION.c.retracted_at.is_(None))
)
_MEASURED = select(MEASUREMENT.c.position, MEASUREMENT.c.metric, MEASUREMENT.c.normal)
