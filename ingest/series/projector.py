"""Feeds the time series, by cursor: behind the acknowledgements, never before them.

Comes in: readings in the order in which they were published. Goes out: points. Refuses to know: which series it feeds,
who a reading belongs to.

It follows the feed's positions, so it sees a reading when it has been given to somebody, however late, and never one
that waits for a person; and again when it was taken back, or given with another time: then the points that it had go.

The cursor moves when the series has confirmed the points, and is written now and then: a crash in between writes the
same points again, which changes nothing. A series in a store of its own also says itself whose points it holds and how
far (``ingest.series.port.Mark``). If it says nothing, it was emptied, and if it names another ledger, it is that one's:
it is filled again from the first reading, while new ones go on coming. The same if it says more than the feed holds:
then the ledger was set back. If it says less than the cursor, it was set back itself, and is filled from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from threading import Event

from sqlalchemy import func, select

from ingest.ledger.engine import named_faults
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import OpenLedger
from ingest.ledger.schema import ATTRIBUTION, CURSOR, FEED, MEASUREMENT, READING
from ingest.series.faults import SeriesUnavailable
from ingest.series.lag import CURSOR_NAME, REBUILD
from ingest.series.port import Apart, Mark, Point, Series

_PACE_S = 0.1  # between two rounds: few transactions, because the gateway's commits wait for each of them
_PATIENCE_S = 5.0  # the longest time between two tries when the series is away
_REMEMBER_S = 1.0  # between two writes of the cursor: behind it, points are only written again
_LOOK_S = 2.0  # between two looks whether the series is still ours and somebody wants it filled again
_CURSOR = "INSERT INTO cursor VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET position = excluded.position"


class Projector:
    """One loop over one ledger and one series; one process has it. ``say`` is told when the series is filled anew.

    ``problem``: why it does not go on now; ``notice``: what a person should know although it does.
    """

    def __init__(self, file: OpenLedger, series: Series, say: Callable[[str], None] = lambda _why: None) -> None:
        self._file, self._series, self._say = file, series, say
        self._at: int | None = None
        self._kept = -1  # the cursor as it was written last
        self._remembered = self._looked = 0.0
        self._settled = self._was_ours = False
        self.problem: str | None = None
        self.notice: str | None = None

    def run(self, stop: Event) -> None:
        """Project until ``stop`` is set; a store that is away is tried again."""
        pause = _PACE_S
        while not stop.is_set():
            try:
                found = self.step()
                self.problem = None
                pause = 0.0 if found >= self._series.together > _SMALL else _PACE_S
                if not found:
                    self._remember()
            except LedgerUnavailable as fault:
                self.problem, self._settled = f"{fault.happened} {fault.remedy}", False
                pause = min(max(pause, _PACE_S) * 2, _PATIENCE_S)
            stop.wait(pause)
        with suppress(LedgerUnavailable):
            self._remember()

    def step(self) -> int:
        """Project one round; returns how many resource versions it looked at."""
        if self._at is None or not self._settled or time.monotonic() > self._looked + _LOOK_S:
            self._settle()
        with named_faults(), self._file.readers.connect() as connection:
            versions = connection.execute(
                _VERSIONS.where(FEED.c.position > self._at).limit(self._series.together)
            ).all()
            if not versions:
                return 0
            readings = {row.reading for row in versions}
            given = connection.execute(_GIVEN.where(ATTRIBUTION.c.position.in_(readings))).all()
            measured: dict[int, list[tuple[str, Decimal]]] = {position: [] for position in readings}
            for position, metric, normal in connection.execute(_MEASURED.where(MEASUREMENT.c.position.in_(readings))):
                measured[position].append((metric, Decimal(normal)))
        points: dict[bool, dict[Point, None]] = {True: {}, False: {}}
        for held in given:
            for metric, value in measured[held.position]:
                points[held.retracted_at is None][Point(held.device, metric, held.used_at, held.position, value)] = None
        if gone := [point for point in points[False] if point not in points[True]]:
            self._series.remove(gone)
        if points[True]:
            self._series.write(list(points[True]))
        self._at = versions[-1].position
        if time.monotonic() > self._remembered + _REMEMBER_S:
            self._remember()
        return len(versions)

    def _settle(self) -> None:
        """Find where to go on: at the cursor, unless somebody wants all of it again or the series says otherwise."""
        self._looked = time.monotonic()
        with named_faults(), self._file.readers.connect() as connection:
            wanted = select(CURSOR.c.name, CURSOR.c.position).where(CURSOR.c.name.in_([CURSOR_NAME, REBUILD]))
            cursors = {row.name: row.position for row in connection.execute(wanted)}
            newest = connection.execute(select(func.max(FEED.c.position))).scalar() or 0
        if self._at is None:
            self._at = self._kept = cursors.get(CURSOR_NAME, 0)
        apart = self._series.apart
        notice = self.notice if apart is None or self._settled else apart.prepare()
        if REBUILD in cursors:
            self._begin_again("it was asked for")
        elif apart is not None:
            self._hold_against(apart.mark(), newest)
        self.notice, self._settled = notice, True

    def _hold_against(self, mark: Mark | None, newest: int) -> None:
        """Compare what the series says of itself with the cursor and with the feed's newest position."""
        if mark is not None and mark.ledger == self._file.name and mark.position > newest:
            self._begin_again("it knows more than the ledger, which was set back")
        elif mark is not None and mark.ledger == self._file.name:
            # While it goes well the series' own word lags by a second, and says nothing.
            if not self._settled and mark.position < self._kept:
                self._at = self._kept = mark.position
            self._was_ours = True
        elif mark is None:
            self._begin_again("it was emptied" if self._was_ours or self._kept else "it is new")
        elif self._was_ours:
            raise SeriesUnavailable(
                f"The series is being filled from another ledger too ({mark.ledger}).",
                "Give each installation a series of its own (CONSTANTES_SERIES__BUCKET).",
            )
        else:
            self._begin_again(f"it held the points of another ledger ({mark.ledger})")

    def _begin_again(self, why: str) -> None:
        """Empty the series; cut off anywhere, it begins again or goes on."""
        self._say(why)
        self._at = 0
        self._keep_cursor()  # first, so that a crash leaves a series that fills up again, not an empty one that is done
        self._series.clear()
        if (apart := self._series.apart) is not None:
            apart.claim(self._file.name)
        self._was_ours = True
        self._file.writer.write(
            lambda connection: connection.execute(CURSOR.delete().where(CURSOR.c.name == REBUILD)).rowcount
        )

    def _remember(self) -> None:
        """Write down how far it is: the series first, so that it never says less than the cursor."""
        if self._at is None or self._at == self._kept:
            return
        apart: Apart | None = self._series.apart
        if apart is not None:
            apart.note(self._at)
        self._keep_cursor()

    def _keep_cursor(self) -> None:
        row, self._remembered = (CURSOR_NAME, self._at), time.monotonic()
        self._file.writer.write(lambda connection: connection.exec_driver_sql(_CURSOR, row))
        self._kept = self._at or 0


_SMALL = 100
"""A series that takes no more at once shares the ledger's writer: a backlog is projected at the pace of every day."""
_VERSIONS = (
    select(FEED.c.position, FEED.c.reading).where(FEED.c.reading.is_not(None)).order_by(FEED.c.position)
)  # fmt: skip
_GIVEN = select(ATTRIBUTION.c.position, ATTRIBUTION.c.used_at, ATTRIBUTION.c.retracted_at, READING.c.device).join_from(
    ATTRIBUTION, READING, READING.c.position == ATTRIBUTION.c.position
)
_MEASURED = select(MEASUREMENT.c.position, MEASUREMENT.c.metric, MEASUREMENT.c.normal)
