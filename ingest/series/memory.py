"""``Series`` without a file: real code, for tests and for trying rules out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from ingest.series.port import Apart, Bucket, Point, Series, Span, age, positive, rounded


class MemorySeries(Series):
    """See ``ingest.series.port.Series``."""

    apart: Apart | None = None
    together = 100

    def __init__(self) -> None:
        self._points: dict[tuple[str, str, int, int], Point] = {}

    def write(self, points: Sequence[Point]) -> None:
        """See the port."""
        for point in points:
            self._points.setdefault((point.device, point.metric, point.at, point.position), point)

    def remove(self, points: Sequence[Point]) -> None:
        """See the port."""
        for point in points:
            self._points.pop((point.device, point.metric, point.at, point.position), None)

    def range(self, metric: str, spans: Sequence[Span], most: int) -> Sequence[Point]:
        """See the port."""
        return sorted(self._within(metric, spans), key=age)[:most]

    def buckets(self, metric: str, spans: Sequence[Span], width: int) -> Sequence[Bucket]:
        """See the port."""
        step, found = positive(width), dict[int, list[Decimal]]()
        for point in self._within(metric, spans):
            found.setdefault(point.at // step * step, []).append(point.value)
        return [_bucket(start, values) for start, values in sorted(found.items())]

    def last(self, spans: Sequence[Span]) -> Sequence[Point]:
        """See the port."""
        newest: dict[str, Point] = {}
        for point in self._within(None, spans):
            newest[point.metric] = max(point, newest.get(point.metric, point), key=age)
        return [newest[metric] for metric in sorted(newest)]

    def clear(self) -> None:
        """See the port."""
        self._points.clear()

    def _within(self, metric: str | None, spans: Sequence[Span]) -> Iterator[Point]:
        for point in self._points.values():
            if (metric is None or point.metric == metric) and any(_holds(span, point) for span in spans):
                yield point


def _holds(span: Span, point: Point) -> bool:
    return span.device == point.device and span.start <= point.at < span.end


def _bucket(start: int, values: list[Decimal]) -> Bucket:
    found = [float(value) for value in values]
    return Bucket(start, len(found), rounded(min(found)), rounded(sum(found) / len(found)), rounded(max(found)))
