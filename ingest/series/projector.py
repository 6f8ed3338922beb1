"""Feeds the time series from the journal, by cursor: behind the acknowledgements, never before them.

Comes in: accepted readings. Goes out: points. Refuses to know: which series it feeds, who a reading belongs to.

The cursor is written now and then: a crash between the points and the cursor writes the same points again, which
changes nothing. A trend shows patients' values, so it holds none that attribution would keep from a patient: no test
or calibration, no unverified time. A reading whose clock was settled after it passed here gets its point at the next
``rebuild``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from decimal import Decimal
from threading import Event
from typing import Any

from sqlalchemy import and_, select

from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import LedgerFile
from ingest.ledger.schema import ATTRIBUTION, CURSOR, MEASUREMENT, READING
from ingest.ledger.sqlite import named_faults
from ingest.model import Instant, TimeMark
from ingest.series.port import Point, Series

CURSOR_NAME = "series"
_ROUND = 100  # readings a round
_PACE_S = 0.1  # between two rounds: few transactions, because the gateway's commits wait for each of them
_REMEMBER_S = 1.0  # between two writes of the cursor: behind it, points are only written again


class Projector:
    """One loop over one ledger and one series."""

    def __init__(self, file: LedgerFile, series: Series) -> None:
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
        """Project one round; returns how many readings it had."""
        with named_faults(), self._file.readers.connect() as connection:
            if self._at is None:
                wanted = select(CURSOR.c.position).where(CURSOR.c.name == CURSOR_NAME)
                self._at = connection.execute(wanted).scalar() or 0
            readings = connection.execute(_READINGS.where(READING.c.position > self._at).limit(_ROUND)).all()
            if not readings:
                return 0
            instants = {row.position: (row.device, at) for row in readings if (at := _shown_at(row)) is not None}
            span = MEASUREMENT.c.position.between(readings[0].position, readings[-1].position)
            measured = connection.execute(_MEASURED.where(span)).all()
        self._series.write(
            [
                Point(device, metric, at, position, Decimal(normal))
                for position, metric, normal in measured
                if position in instants
                for device, at in [instants[position]]
            ]
        )
        self._at = readings[-1].position
        if time.monotonic() > self._remembered + _REMEMBER_S:
            self._remember()
        return len(readings)

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


_READINGS = (
    select(
        READING.c.position, READING.c.device, READING.c.used_at, READING.c.mark, READING.c.flags,
        ATTRIBUTION.c.used_at.label("settled_at"),
    )
    .join_from(
        READING,
        ATTRIBUTION,
        and_(ATTRIBUTION.c.position == READING.c.position, ATTRIBUTION.c.retracted_at.is_(None)),
        isouter=True,
    )
    .order_by(READING.c.position)
)  # fmt: skip
_MEASURED = select(MEASUREMENT.c.position, MEASUREMENT.c.metric, MEASUREMENT.c.normal)
_HIDDEN = frozenset({"test", "calibrating"})  # device contract, C-RD-8


def _shown_at(row: Any) -> Instant | None:  # noqa: ANN401 - a row of _READINGS
    """When the reading counts in a trend; None when it may not show."""
    if row.flags and not _HIDDEN.isdisjoint(json.loads(row.flags)):
        return None
    if row.settled_at is None and row.mark == TimeMark.UNVERIFIED:
        return None
    return int(row.used_at if row.settled_at is None else row.settled_at)
