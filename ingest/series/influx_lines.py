"""A point as InfluxDB keeps it, there and back; pure.

Comes in: points, rows of a query. Goes out: lines of the line protocol, points. Refuses to know: HTTP, Flux.

    <metric>,device=<device>,lane=<n> position=<journal row>i,value=<float>[,text="<digits>"] <nanoseconds>

*Names* are percent-encoded but for letters, digits, ``_``, ``-``, ``.`` and ``~``, so that neither the line protocol
nor Flux finds anything to interpret in them. Backslashes would not do: a tag value cannot end with one, and a line end
cannot stand in any.

*Digits* that a binary float does not hold (36.60, twenty places) stand beside it as text.

*One instant*: InfluxDB takes two points of one metric, device and nanosecond for one. Instants here are whole
microseconds, so the last three digits of the position stand in the nanoseconds; two readings of one microsecond whose
positions agree in them too, 1 of 1,000, are kept apart by ``lane``, which is 0 for nearly every point, and so costs no
series.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from urllib.parse import quote, unquote

from ingest.model import Instant
from ingest.series.port import Point

SLOTS = 1000  # nanoseconds a microsecond
FIRST, LAST = -9_223_372_036_854_775, 9_223_372_036_854_775
"""The instants that InfluxDB can hold: int64 nanoseconds (docs.influxdata.com, line protocol, timestamp)."""
_EMPTY = "%"
_WHOLE = len("2026-11-18T08:30:00")
_DAY = len("2026-11-18")
_EPOCH = date(1970, 1, 1)


def escaped(name: str) -> str:
    """``name`` in characters that mean nothing to InfluxDB; never with ``_`` in front, which it keeps for itself."""
    plain = quote(name, safe="", errors="surrogatepass") or _EMPTY
    return f"%5F{plain[1:]}" if plain.startswith("_") else plain


def plain(escaped_name: str) -> str:
    """The name that was escaped."""
    return "" if escaped_name == _EMPTY else unquote(escaped_name, errors="surrogatepass")


def nanoseconds(point: Point) -> int:
    """A point's time in InfluxDB."""
    return point.at * SLOTS + point.position % SLOTS


def line(point: Point, lane: int) -> str:
    """A point as a line, without its end."""
    value, digits = float(point.value), format(point.value, "f")
    fields = [f"position={point.position}i"]
    if math.isfinite(value):
        fields.append(f"value={value!r}")
    if not math.isfinite(value) or _digits(value) != digits:
        fields.append(f'text="{digits}"')
    tags = f"{escaped(point.metric)},device={escaped(point.device)},lane={lane}"
    return f"{tags} {','.join(fields)} {nanoseconds(point)}"


def value_of(fields: Mapping[str, str]) -> Decimal:
    """The exact value of a point's fields, as a query gives them."""
    return Decimal(fields["text"] if "text" in fields else _digits(float(fields["value"])))


def instant_of(at_ns: int) -> Instant:
    """The microsecond that a point's time belongs to."""
    return at_ns // SLOTS


def time_ns(text: str) -> int:
    """Nanoseconds since 1970 of a time as a query gives it: RFC 3339, UTC, up to nine decimals."""
    seconds = _day(text[:_DAY]) + int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])
    fraction = text[_WHOLE + 1 : -1]
    return seconds * 1_000_000_000 + (int(fraction.ljust(9, "0")) if fraction else 0)


def instants(texts: Sequence[str]) -> list[Instant]:
    """The microseconds of many times; quick where days and times of day are few, as beginnings of hours are."""
    days = {day: _day(day) * 1_000_000 for day in {text[:_DAY] for text in texts}}
    clock = {rest: instant_of(time_ns(f"{_EPOCH}{rest}")) for rest in {text[_DAY:] for text in texts}}
    return [days[text[:_DAY]] + clock[text[_DAY:]] for text in texts]


@lru_cache(maxsize=4096)
def _day(text: str) -> int:
    return (date.fromisoformat(text) - _EPOCH).days * 86_400


def rfc3339(at_ns: int) -> str:
    """The time that ``time_ns`` reads."""
    seconds, rest = divmod(at_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def _digits(value: float) -> str:
    """The digits by which a float is written shortest, never with an exponent."""
    return format(Decimal(repr(value)), "f").removesuffix(".0")
