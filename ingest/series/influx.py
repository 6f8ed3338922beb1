"""``Series`` in InfluxDB 2: for installations with more than one site, and for trends that other programs draw too.

Comes in: points. Goes out: what ``ingest.series.port.Series`` promises. Refuses to know: readings, HTTP.

    influx_lines    a point as a line, there and back
    influx_flux     what is asked
    influx_apart    whose points they are, and what InfluxDB has to have before the first one
    influx_server   the requests, and their faults in plain words

No patient, no identifier of one and no reading key is in any tag or field: a point says device, metric, time, value
and the number of its row in the journal. Measurements are metrics, tags are the device and a lane (``influx_lines``):
there are as many series as devices times metrics, however many readings there are.
"""

from __future__ import annotations

import time
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat

from ingest.model import Instant
from ingest.series import gathered
from ingest.series import influx_flux as flux
from ingest.series.faults import SeriesUnavailable
from ingest.series.gathered import Gathered
from ingest.series.influx_apart import MAY_NOT, InfluxApart
from ingest.series.influx_lines import (
    FIRST,
    LAST,
    SLOTS,
    escaped,
    instant_of,
    instants,
    line,
    nanoseconds,
    plain,
    rfc3339,
    time_ns,
    value_of,
)
from ingest.series.influx_server import EVER, Server
from ingest.series.influx_tables import Table
from ingest.series.intervals import clusters, cut_at, parts, said_once
from ingest.series.port import Apart, Bucket, Point, Series, Span, age, positive

_Key = tuple[str, str, int]
"""What InfluxDB tells points of one lane apart by: metric, device, nanosecond."""
_DAY = 86_400_000_000
_NEAR = 600_000_000  # us: points no further apart are looked up in one range
_GROUPS = 16  # ranges a look-up
_NAMED = 64  # devices that a look-up names; with more it looks at all of the range
_STREAMS = 24  # spans a script


class InfluxSeries(Series):
    """See ``ingest.series.port``. ``keep_days``: after how many days single points may be forgotten, None: never.

    One process writes at a time: which lane a point gets depends on what is there.
    """

    together = 1000

    def __init__(
        self, server: Server, keep_days: int | None = None, now: Callable[[], Instant] = lambda: time.time_ns() // SLOTS
    ) -> None:
        self._server, self._now = server, now
        self._keep = None if keep_days is None else keep_days * _DAY
        self._apart = InfluxApart(server, self._keep, now)

    @property
    def apart(self) -> Apart:
        """See the port."""
        return self._apart

    def write(self, points: Sequence[Point]) -> None:
        """See the port. Points that are older than the bucket keeps would be refused, and are left out."""
        young = [point for point in points if point.at >= self._oldest]
        there = self._held(young)
        lines, positions = [], []
        for point in young:
            lanes = there.setdefault(_key(point), {})
            if point.position not in lanes.values():
                lane = next(free for free in range(len(lanes) + 1) if free not in lanes)
                lanes[lane] = point.position
                lines.append(line(point, lane))
                positions.append(point.position)
        if lines:
            self._server.write(lines, positions)
        # Also when all were there: whoever wrote them may have been killed before this.
        self._changed(young)

    def remove(self, points: Sequence[Point]) -> None:
        """See the port."""
        there = self._held(points)
        gone = [(p, lane) for p in points for lane, held in there.get(_key(p), {}).items() if held == p.position]
        for point, lane in gone:
            named = f'_measurement="{escaped(point.metric)}" AND device="{escaped(point.device)}"'
            at, hour = rfc3339(nanoseconds(point)), rfc3339(point.at // flux.HOUR * flux.HOUR * SLOTS)
            self._server.delete(self._server.place.bucket, (at, at), f'{named} AND lane="{lane}"')
            self._forget_hours((hour, hour), named)
        self._changed([point for point, _ in gone])

    def range(self, metric: str, spans: Sequence[Span], most: int) -> Sequence[Point]:
        """See the port."""
        # A series may hold 1,000 points of the last instant that counts, in another order than that of arrival.
        found = [
            point
            for some in parts(said_once(spans, FIRST, LAST), _STREAMS)
            for point in self._points(metric, some, most + SLOTS - 1)
        ]
        return sorted(found, key=age)[:most]

    def buckets(self, metric: str, spans: Sequence[Span], width: int) -> Sequence[Bucket]:
        """See the port. Before what the bucket of points still keeps, hours answer, if the width is made of hours."""
        step, held = positive(width), said_once(spans, FIRST, LAST)
        old, new = held[:0], held
        if self._keep is not None and step % flux.HOUR == 0:
            cut = -(-self._oldest // flux.HOUR) * flux.HOUR
            cuts = [cut_at(span, cut) for span in held]
            old, new = [before for before, _ in cuts if before], [after for _, after in cuts if after]
        place, found = self._server.place, dict[int, Gathered]()
        for some in parts(old, _STREAMS):
            self._gather(flux.hours(place.hourly, metric, some), step, found)
        for some in parts(new, _STREAMS):
            self._gather(flux.aggregates(place.bucket, metric, some, step), step, found)
        return gathered.buckets(found)

    def last(self, spans: Sequence[Span]) -> Sequence[Point]:
        """See the port."""
        candidates: dict[str, tuple[Instant, set[str]]] = {}
        for some in parts(said_once(spans, FIRST, LAST), _STREAMS):
            for told in self._server.rows(flux.newest(self._server.place.bucket, some)):
                at, metric = instant_of(time_ns(told["_time"])), plain(told["_measurement"])
                best, devices = candidates.get(metric, (at, set()))
                candidates[metric] = (
                    (at, {told["device"]})
                    if at > best
                    else (best, devices | {told["device"]} if at == best else devices)
                )
        newest = []
        for metric, (at, devices) in sorted(candidates.items()):
            # All of that instant: the last nanosecond is not the last to arrive.
            instant = [Span(plain(device), at, at + 1) for device in sorted(devices)]
            newest += [max(self._points(metric, instant, SLOTS), key=age)]
        return newest

    def clear(self) -> None:
        """See the port."""
        self._forget_hours()
        self._server.delete(self._server.place.bucket)

    def _forget_hours(self, at: tuple[str, str] = EVER, predicate: str = "") -> None:
        try:
            self._server.delete(self._server.place.hourly, at, predicate)
        except SeriesUnavailable as fault:
            if fault.status not in MAY_NOT:
                raise  # with a token for one bucket no hours were ever gathered

    @property
    def _oldest(self) -> Instant:
        """The oldest instant that the bucket of points is sure to take."""
        return FIRST if self._keep is None else self._now() - self._keep + flux.HOUR

    def _points(self, metric: str, spans: Iterable[Span], most: int) -> list[Point]:
        fields: dict[tuple[str, str, str], dict[str, str]] = {}
        for table in self._server.tables(flux.points(self._server.place.bucket, metric, tuple(spans), most)):
            at, value, field, device, lane = map(table.place, ("_time", "_value", "_field", "device", "lane"))
            for row in table.rows:
                fields.setdefault((row[at], row[device], row[lane]), {})[row[field]] = row[value]
        return [
            Point(plain(device), metric, instant_of(time_ns(at)), int(found["position"]), value_of(found))
            for (at, device, _), found in fields.items()
            if "position" in found and ("value" in found or "text" in found)
        ]

    def _gather(self, script: str, step: int, found: dict[int, Gathered]) -> None:
        spans: dict[str, list[tuple[str, Table]]] = {}
        for table in self._server.tables(script):
            function, _, number = table.cells[table.place("result")].partition(" ")
            spans.setdefault(number, []).append((function, table))
        for told in spans.values():
            times = [table.column("_time") for _, table in told]
            values = [{function: map(float, table.column("_value"))} for function, table in told]
            are_all = sorted(function for function, _ in told) == sorted(_NOTHING)
            if are_all and all(each == times[0] for each in times):  # unless something was written meanwhile
                times, values = times[:1], [dict(ChainMap(*values))]
            for some, by_function in zip(times, values, strict=True):
                _add(found, [instant // step * step for instant in instants(some)], by_function)

    def _held(self, points: Sequence[Point]) -> dict[_Key, dict[int, int]]:
        """The positions that are there already, by lane."""
        there: dict[_Key, dict[int, int]] = {}
        if not points:
            return there
        devices = sorted({point.device for point in points})
        groups = clusters([point.at for point in points], _NEAR, _GROUPS)
        named = devices if len(devices) <= _NAMED else ()
        for told in self._server.rows(flux.held(self._server.place.bucket, groups, named)):
            key = told["_measurement"], told["device"], time_ns(told["_time"])
            there.setdefault(key, {})[int(told["lane"])] = int(told["_value"])
        return there

    def _changed(self, points: Sequence[Point]) -> None:
        """Tell the task which hours it has to gather anew; after the points, so that it finds them."""
        hours = [point.at // flux.HOUR * flux.HOUR * SLOTS for point in points]
        lines = [
            f"{flux.CHANGED},part={part} first={first}i,last={last}i"
            for part, (first, last) in enumerate(clusters(hours, flux.HOUR * SLOTS, _GROUPS))
        ]
        if lines:
            self._server.write(lines, [0] * len(lines))


_NOTHING = {"count": 0, "sum": 0.0, "min": float("inf"), "max": float("-inf")}
"""What is added where a result says nothing of an aggregate."""


def _add(found: dict[int, Gathered], starts: Sequence[int], values: Mapping[str, Iterable[float]]) -> None:
    """Values of one aggregate or of all, in one pass: there may be ten thousand rows."""
    columns = [values.get(function, repeat(nothing)) for function, nothing in _NOTHING.items()]
    for start, count, total, low, high in zip(starts, *columns, strict=False):  # what repeats has no end
        one = found.get(start)
        if one is None:
            found[start] = Gathered(int(count), total, low, high)
        else:
            one.count, one.total = one.count + int(count), one.total + total
            one.low, one.high = min(one.low, low), max(one.high, high)


def _key(point: Point) -> _Key:
    return escaped(point.metric), escaped(point.device), nanoseconds(point)
