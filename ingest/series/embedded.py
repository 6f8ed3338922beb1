"""``Series`` as a table of the ledger's SQLite file: the default of one site.

Comes in: points. Goes out: what ``ingest.series.port.Series`` promises. Refuses to know: readings.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Float, and_, cast, func, or_, select
from sqlalchemy.sql.selectable import Select

from ingest.ledger.files import LedgerFile
from ingest.ledger.schema import POINT
from ingest.ledger.sqlite import named_faults
from ingest.series.memory import PLACES
from ingest.series.port import Bucket, Point, Series, Span

_KEEP = "INSERT OR IGNORE INTO point (device, metric, at, position, value) VALUES (?, ?, ?, ?, ?)"
_COLUMNS = (POINT.c.device, POINT.c.metric, POINT.c.at, POINT.c.position, POINT.c.value)


class EmbeddedSeries(Series):
    """See ``ingest.series.port.Series``. Raises LedgerUnavailable."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    def write(self, points: Sequence[Point]) -> None:
        """See the port."""
        rows = [(p.device, p.metric, p.at, p.position, format(p.value, "f")) for p in points]
        if rows:
            self._file.writer.write(lambda connection: connection.exec_driver_sql(_KEEP, rows))

    def range(self, metric: str, spans: Sequence[Span], most: int) -> Sequence[Point]:
        """See the port."""
        wanted = select(*_COLUMNS).where(POINT.c.metric == metric, _within(spans))
        return [_point(row) for row in self._rows(wanted.order_by(POINT.c.at, POINT.c.position).limit(most))]

    def buckets(self, metric: str, spans: Sequence[Span], width: int) -> Sequence[Bucket]:
        """See the port."""
        value = cast(POINT.c.value, Float)
        if width <= 0:
            raise ValueError("a bucket is wider than nothing")
        start = POINT.c.at - POINT.c.at % width
        wanted = (
            select(start.label("start"), func.count(), func.min(value), func.avg(value), func.max(value))
            .where(POINT.c.metric == metric, _within(spans))
            .group_by(start)
            .order_by(start)
        )
        return [
            Bucket(at, count, _decimal(low), Decimal(mean).quantize(PLACES), _decimal(high))
            for at, count, low, mean, high in self._rows(wanted)
        ]

    def last(self, spans: Sequence[Span]) -> Sequence[Point]:
        """See the port."""
        metrics = [row.metric for row in self._rows(select(POINT.c.metric).where(_within(spans)).distinct())]
        newest = [
            row
            for metric in sorted(metrics)
            for row in self._rows(
                select(*_COLUMNS)
                .where(POINT.c.metric == metric, _within(spans))
                .order_by(POINT.c.at.desc(), POINT.c.position.desc())
                .limit(1)
            )
        ]
        return [_point(row) for row in newest]

    def clear(self) -> None:
        """See the port."""
        self._file.writer.write(lambda connection: connection.execute(POINT.delete()))

    def _rows(self, wanted: Select[Any]) -> Sequence[Any]:
        with named_faults(), self._file.readers.connect() as connection:
            return connection.execute(wanted).all()


def _within(spans: Sequence[Span]) -> ColumnElement[bool]:
    held = [and_(POINT.c.device == s.device, POINT.c.at >= s.start, POINT.c.at < s.end) for s in spans]
    return or_(*held) if held else POINT.c.position < 0


def _point(row: Any) -> Point:  # noqa: ANN401 - a row
    return Point(row.device, row.metric, row.at, row.position, Decimal(row.value))


def _decimal(value: float) -> Decimal:
    """The decimal that the shortest text of a float names: 128.0 is 128.0, 36.6 is 36.6."""
    return Decimal(repr(value))
