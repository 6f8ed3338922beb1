"""Hours of a series beside the ledger's rows: what their points come to, kept so that a year is not reckoned each time.

Comes in: connections, points that were written or removed. Goes out: what buckets of whole hours hold. Refuses to know:
how points are kept.

For each device and metric, every hour with points before the newest one has an exact row. The newest has none: it still
grows, and is reckoned when somebody asks. So a reading a minute costs a row an hour, and one that comes late costs a
look at its own hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from ingest.model import Instant
from ingest.series.gathered import Gathered
from ingest.series.port import Point, Span

HOUR = 3_600_000_000  # us
_Line = tuple[str, str]
"""A device and a metric."""
_OF = "device = ? AND metric = ?"
_NEWEST = f"SELECT max(at) FROM point WHERE {_OF}"  # noqa: S608 - fixed words
_DROP = f"DELETE FROM point_hour WHERE {_OF} AND start = ?"  # noqa: S608 - fixed words
_NUMBER = "CAST(value AS DOUBLE PRECISION)"
_FIGURES = f"count(*), sum({_NUMBER}), min({_NUMBER}), max({_NUMBER})"
_KEEP = f"""
INSERT INTO point_hour (device, metric, start, count, total, low, high)
SELECT device, metric, at - at % {HOUR}, {_FIGURES} FROM point WHERE {_OF} AND at >= ? AND at < ?
GROUP BY device, metric, at - at % {HOUR}
"""  # noqa: S608 - fixed words
_HOURS = f"""
SELECT start - start % ?, sum(count), sum(total), min(low), max(high) FROM point_hour
WHERE {_OF} AND start >= ? AND start < ? GROUP BY 1
"""  # noqa: S608 - fixed words
_POINTS = f"SELECT at - at % ?, {_FIGURES} FROM point WHERE {_OF} AND at >= ? AND at < ? GROUP BY 1"  # noqa: S608 - fixed words


class Hours:
    """Used by the one who writes. What a transaction found is known only when that is done: it may be begun anew."""

    def __init__(self) -> None:
        self._newest: dict[_Line, Instant] = {}

    def before(self, connection: Connection, points: Sequence[Point]) -> dict[_Line, Instant]:
        """The newest hour of each line, as it is before points are written; only looked up when it is not known."""
        found: dict[_Line, Instant] = {}
        for line in {(point.device, point.metric) for point in points}:
            if (known := self._newest.get(line)) is None:
                at = connection.exec_driver_sql(_NEWEST, line).scalar()
                known = -1 if at is None else _hour(int(at))
            found[line] = known
        return found

    def grown(
        self, connection: Connection, points: Sequence[Point], before: dict[_Line, Instant]
    ) -> dict[_Line, Instant]:
        """Renew what ``points`` have changed or completed; returns the newest hours, for ``know``."""
        newest = dict(before)
        for point in points:
            line = point.device, point.metric
            newest[line] = max(newest[line], _hour(point.at))
        touched = {(point.device, point.metric, _hour(point.at)) for point in points}
        touched |= {(*line, hour) for line, hour in before.items() if hour >= 0 and hour < newest[line]}
        _renew(connection, sorted(key for key in touched if key[2] < newest[key[:2]]))
        return newest

    def know(self, newest: dict[_Line, Instant]) -> None:
        """What was written is on disk."""
        self._newest |= newest

    def shrunk(self, connection: Connection, points: Sequence[Point]) -> None:
        """Renew the hours of points that were removed; ``forget`` before."""
        _renew(connection, sorted({(point.device, point.metric, _hour(point.at)) for point in points}))

    def forget(self) -> None:
        """Look everything up again: points were removed, or nobody knows what was written."""
        self._newest.clear()


def gather(connection: Connection, metric: str, spans: Iterable[Span], width: int) -> dict[Instant, Gathered]:
    """What the buckets of ``width`` microseconds, a number of whole hours, hold; the spans may not overlap."""
    found: dict[Instant, Gathered] = {}
    for span in spans:
        of = span.device, metric
        at = connection.exec_driver_sql(_NEWEST, of).scalar()
        if at is None:
            continue
        first = -(-span.start // HOUR) * HOUR
        last = max(min(_hour(span.end), _hour(int(at))), first)
        for question, start, end in (
            (_POINTS, span.start, min(first, span.end)),
            (_HOURS, first, last),
            (_POINTS, last, span.end),
        ):
            if start < end:
                _add(found, connection.exec_driver_sql(question, (width, *of, start, end)).all())
    return found


def _add(found: dict[Instant, Gathered], rows: Sequence[Sequence[float]]) -> None:
    for start, count, total, low, high in rows:
        one = found.setdefault(int(start), Gathered())
        one.count += int(count)
        one.total += total
        one.low, one.high = min(one.low, low), max(one.high, high)


def _renew(connection: Connection, hours: Sequence[tuple[str, str, Instant]]) -> None:
    if hours:
        connection.exec_driver_sql(_DROP, hours)
        connection.exec_driver_sql(_KEEP, [(*of, start, start + HOUR) for *of, start in hours])


def _hour(at: Instant) -> Instant:
    return at // HOUR * HOUR
