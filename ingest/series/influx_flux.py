"""What InfluxDB is asked, as Flux; pure.

Comes in: names, spans. Goes out: scripts. Refuses to know: HTTP, what comes of them.

Each stream of a script begins with its own ``from``: streams that share one are computed by the Flux engine instead of
the storage (measured: 4.5 s instead of 0.1 s for a year of minutes).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ingest.series.influx_lines import FIRST, LAST, SLOTS, escaped
from ingest.series.port import Span

HOUR = 3_600_000_000  # us
RAW, HOURLY = "value", "hourly"
LEDGER, POSITION, CHANGED = "constantes/ledger", "constantes/position", "constantes/changed"
"""What a series notes of itself: measurements whose names no metric can have, since ``/`` is escaped in those."""
AGGREGATES = ("count", "sum", "min", "max")
EVERYTHING = f"range(start: time(v: {FIRST * SLOTS}), stop: time(v: {LAST * SLOTS}))"
_WIDEST = 1 << 62  # ns: a duration has to fit; an even wider bucket is put together from two such windows


def text(content: str) -> str:
    """A string literal."""
    quoted = content.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return f'"{quoted}"'


def points(bucket: str, metric: str, spans: Sequence[Span], most: int) -> str:
    """All fields of the points of a metric in these spans; at most ``most`` of each span and series."""
    return "\n".join(
        f"{_within(bucket, span)} |> filter(fn: (r) => r._measurement == {text(escaped(metric))})"
        f' |> limit(n: {most}) |> keep(columns: ["_time", "_value", "_field", "device", "lane"])'
        f' |> yield(name: "{number}")'
        for number, span in enumerate(spans)
    )


def aggregates(bucket: str, metric: str, spans: Sequence[Span], width: int) -> str:
    """Count, sum, min and max of each window of ``width`` microseconds, a result each; windows begin at the epoch."""
    return "\n".join(
        f"{_within(bucket, span)}"
        f' |> filter(fn: (r) => r._measurement == {text(escaped(metric))} and r._field == "value")'
        f" |> aggregateWindow(every: {min(width * SLOTS, _WIDEST)}ns, fn: {function}, createEmpty: false,"
        f' timeSrc: "_start") |> keep(columns: ["_time", "_value"]) |> yield(name: "{function} {number}")'
        for number, span in enumerate(spans)
        for function in AGGREGATES
    )


def hours(bucket: str, metric: str, spans: Sequence[Span]) -> str:
    """The same of the hours that the task has gathered."""
    return "\n".join(
        f"{_within(bucket, span)}"
        f' |> filter(fn: (r) => r._measurement == {text(escaped(metric))} and r._field == "{function}")'
        f' |> keep(columns: ["_time", "_value"]) |> yield(name: "{function} {number}")'
        for number, span in enumerate(spans)
        for function in AGGREGATES
    )


def newest(bucket: str, spans: Sequence[Span]) -> str:
    """The last position of each metric and lane in each span."""
    return "\n".join(
        f'{_within(bucket, span)} |> filter(fn: (r) => r._field == "position") |> last()'
        f' |> keep(columns: ["_time", "_value", "_measurement", "device"]) |> yield(name: "{number}")'
        for number, span in enumerate(spans)
    )


def held(bucket: str, groups: Iterable[tuple[int, int]], devices: Sequence[str]) -> str:
    """Which points of these devices (of all, if none is named) lie between first and last instant of each group."""
    named = " or ".join(f"r.device == {text(escaped(device))}" for device in devices)
    which = f" and ({named})" if named else ""
    return "\n".join(
        f"from(bucket: {text(bucket)}) |> range(start: time(v: {first * SLOTS}), stop: time(v: {(last + 1) * SLOTS}))"
        f' |> filter(fn: (r) => r._field == "position"{which})'
        f' |> keep(columns: ["_time", "_value", "_measurement", "device", "lane"]) |> yield(name: "{number}")'
        for number, (first, last) in enumerate(groups)
    )


def marks(bucket: str) -> str:
    """The newest words of a series about itself."""
    return (
        f"from(bucket: {text(bucket)}) |> {EVERYTHING}"
        f" |> filter(fn: (r) => r._measurement == {text(LEDGER)} or r._measurement == {text(POSITION)}) |> last()"
        ' |> keep(columns: ["_time", "_value", "_measurement"])'
    )


def task(name: str, bucket: str, hourly: str) -> str:
    """The task that gathers hours: those in which something has changed since it last succeeded.

    It reads the bucket of points and writes the other one, never the other way about. Runs overlap by ten minutes, so
    that a change noted while one begins is seen by the next.
    """
    return f"""import "experimental"
import "influxdata/influxdb/tasks"

option task = {{name: {text(name)}, every: 1h}}

since = experimental.subDuration(d: 10m, from: tasks.lastSuccess(orTime: 1970-01-02T00:00:00Z))
changed = from(bucket: {text(bucket)}) |> range(start: since, stop: time(v: {LAST * SLOTS}))
    |> filter(fn: (r) => r._measurement == {text(CHANGED)})
first = (changed |> filter(fn: (r) => r._field == "first") |> group() |> min()
    |> findColumn(fn: (key) => true, column: "_value"))
last = (changed |> filter(fn: (r) => r._field == "last") |> group() |> max()
    |> findColumn(fn: (key) => true, column: "_value"))
start = if length(arr: first) > 0 then time(v: first[0]) else time(v: 0)
stop = if length(arr: last) > 0 then time(v: last[0] + {HOUR * SLOTS}) else time(v: 1)

gathered = (tables=<-, name) => tables
    |> keep(columns: ["_measurement", "device", "_time", "_value"])
    |> set(key: "_field", value: name)
    |> to(bucket: {text(hourly)}, tagColumns: ["device"])
""" + "\n".join(
        f"from(bucket: {text(bucket)}) |> range(start: start, stop: stop)"
        ' |> filter(fn: (r) => r._field == "value") |> group(columns: ["_measurement", "device"])'
        f' |> aggregateWindow(every: 1h, fn: {function}, createEmpty: false, timeSrc: "_start")'
        f' |> gathered(name: "{function}")'
        for function in AGGREGATES
    )


def _within(bucket: str, span: Span) -> str:
    return (
        f"from(bucket: {text(bucket)})"
        f" |> range(start: time(v: {span.start * SLOTS}), stop: time(v: {span.end * SLOTS}))"
        f" |> filter(fn: (r) => r.device == {text(escaped(span.device))})"
    )
