"""Feeds the time series from the journal, by cursor: behind the acknowledgements, never before them.

Comes in: accepted readings. Goes out: points. Refuses to know: which series it feeds, who a reading belongs to.

A crash between the points and the cursor writes the same points again, which changes nothing. A trend shows patients'
values, so it holds none that attribution would keep from a patient: no test or calibration, no unverified time. A
reading whose clock was settled after it passed here gets its point at the next ``rebuild``.
"""

from __future__ import annotations

import json
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
            readings = connection.execute(_READINGS.where(READING.c.position > after).limit(_ROUND)).all()
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
        self._move(readings[-1].position)
        return len(readings)

    def rebuild(self, progress: Callable[[int], None] = lambda _count: None) -> None:
        """Empty the series and feed it again from the first reading; nothing else may project meanwhile."""
        self._move(0)  # first, so that a crash leaves a series that fills up again, not an empty one that is done
        self._series.clear()
        while count := self.step():
            progress(count)

    def _move(self, position: int) -> None:
        row = (CURSOR_NAME, position)
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
