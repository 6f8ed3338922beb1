"""``Series`` as a table of the ledger's SQLite file: the default of one site.

Comes in: points. Goes out: what ``ingest.series.port.Series`` promises. Refuses to know: readings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Float, and_, cast, func, or_, select
from sqlalchemy.sql.selectable import Select

from ingest.ledger.engine import named_faults
from ingest.ledger.files import OpenLedger
from ingest.ledger.many import insert
from ingest.ledger.schema import POINT, POINT_HOUR
from ingest.series import gathered
from ingest.series.embedded_hours import HOUR, Hours, gather
from ingest.series.intervals import said_once
from ingest.series.port import Apart, Bucket, Point, Series, Span, age, positive, rounded

_KEEP, _ONCE = "INSERT INTO point (device, metric, at, position, value) VALUES", "ON CONFLICT DO NOTHING"
_FORGET = "DELETE FROM point WHERE device = ? AND metric = ? AND at = ? AND position = ?"
_COLUMNS = (POINT.c.device, POINT.c.metric, POINT.c.at, POINT.c.position, POINT.c.value)
_LATEST = 1 << 62  # beyond it, sums of two instants do not fit a row
_NEWEST = (POINT.c.at.desc(), POINT.c.position.desc())


class EmbeddedSeries(Series):
    """See ``ingest.series.port.Series``. Raises LedgerUnavailable."""

    apart: Apart | None = None
    together = 100  # few rows a transaction: the gateway's commits wait for it

    def __init__(self, file: OpenLedger) -> None:
        self._file, self._hours = file, Hours()

    def write(self, points: Sequence[Point]) -> None:
        """See the port."""
        rows = [(p.device, p.metric, p.at, p.position, format(p.value, "f")) for p in points]
        if not rows:
            return

        def job(connection: Connection) -> dict[tuple[str, str], int]:
            before = self._hours.before(connection, points)
            insert(connection, _KEEP, rows, _ONCE)
            return self._hours.grown(connection, points, before)

        try:
            self._hours.know(self._file.writer.write(job))
        except BaseException:
            self._hours.forget()
            raise

    def remove(self, points: Sequence[Point]) -> None:
        """See the port."""
        rows = [(p.device, p.metric, p.at, p.position) for p in points]
        if not rows:
            return

        def job(connection: Connection) -> None:
            connection.exec_driver_sql(_FORGET, rows)
            self._hours.shrunk(connection, points)

        self._hours.forget()
        self._file.writer.write(job)

    def range(self, metric: str, spans: Sequence[Span], most: int) -> Sequence[Point]:
        """See the port."""
        wanted = select(*_COLUMNS).where(POINT.c.metric == metric, _within(spans))
        return [_point(row) for row in self._rows(wanted.order_by(POINT.c.at, POINT.c.position).limit(most))]

    def buckets(self, metric: str, spans: Sequence[Span], width: int) -> Sequence[Bucket]:
        """See the port."""
        step, value = positive(width), cast(POINT.c.value, Float)
        if step % HOUR == 0:
            with named_faults(), self._file.readers.connect() as connection:
                return gathered.buckets(gather(connection, metric, said_once(spans, 0, _LATEST), step))
        start = POINT.c.at - POINT.c.at % step
        wanted = (
            select(start.label("start"), func.count(), func.min(value), func.avg(value), func.max(value))
            .where(POINT.c.metric == metric, _within(spans))
            .group_by(start)
            .order_by(start)
        )
        return [Bucket(at, count, *map(rounded, values)) for at, count, *values in self._rows(wanted)]

    def last(self, spans: Sequence[Span]) -> Sequence[Point]:
        """See the port."""
        newest: dict[str, Point] = {}
        with named_faults(), self._file.readers.connect() as connection:
            for span in spans:
                for metric in _metrics(connection, span.device):
                    # One span and one metric at a time: then it is the last entry of the key, and nothing is sorted.
                    wanted = select(*_COLUMNS).where(POINT.c.metric == metric, _within([span])).order_by(*_NEWEST)
                    for point in map(_point, connection.execute(wanted.limit(1))):
                        newest[metric] = max(point, newest.get(metric, point), key=age)
        return [newest[metric] for metric in sorted(newest)]

    def clear(self) -> None:
        """See the port."""

        def job(connection: Connection) -> None:
            connection.execute(POINT.delete())
            connection.execute(POINT_HOUR.delete())

        self._hours.forget()
        self._file.writer.write(job)

    def _rows(self, wanted: Select[Any]) -> Sequence[Any]:
        with named_faults(), self._file.readers.connect() as connection:
            return connection.execute(wanted).all()


def _within(spans: Sequence[Span]) -> ColumnElement[bool]:
    held = [and_(POINT.c.device == s.device, POINT.c.at >= s.start, POINT.c.at < s.end) for s in spans]
    return or_(*held) if held else POINT.c.position < 0


def _point(row: Any) -> Point:  # noqa: ANN401 - a row
    return Point(row.device, row.metric, row.at, row.position, Decimal(row.value))


def _metrics(connection: Connection, device: str) -> Iterator[str]:
    """The metrics of a device, by leaps through the key: it may have a million points."""
    after = ""
    while metric := connection.execute(
        select(func.min(POINT.c.metric)).where(POINT.c.device == device, POINT.c.metric > after)
    ).scalar():
        yield metric
        after = metric
