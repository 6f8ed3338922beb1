"""Dates of a search, as the interval they cover; instants, as FHIR and HTTP write them.

Comes in: a date with or without prefix, down to any precision; an instant. Goes out: a ``Span``, ``None`` when it is no
date; a text. Refuses to know: which column is compared. Rules: hl7.org/fhir/R4/search.html#date and #prefix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import format_datetime
from functools import lru_cache

from ingest.model import Instant

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
_SECOND = 1_000_000
_DATE = re.compile(
    rf"(?P<prefix>{'|'.join(PREFIXES)})?"
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,12}))?)?"
    # a plus that was not escaped arrives as a space
    r"(?P<zone>Z|[+ -](?:0\d|1[0-3]):[0-5]\d|[+ -]14:00)?)?)?)?",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_END: Instant = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND + 1


@dataclass(frozen=True, slots=True)
class Span:
    """What a search date covers: from ``low`` to before ``high``, with its prefix."""

    prefix: str
    low: Instant
    high: Instant


def span(text: str, zone: tzinfo) -> Span | None:
    """Read ``[prefix]YYYY[-MM[-DD[Thh:mm[:ss[.f]][zone]]]]``; without a zone of its own it is meant in ``zone``."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    try:
        low, high = _bounds(match, zone)
    except (ValueError, OverflowError):
        return None
    return Span(match["prefix"] or "eq", low, high)


def _bounds(match: re.Match[str], zone: tzinfo) -> tuple[Instant, Instant]:
    """First instant covered, first instant no longer covered; raises ValueError for a day that does not exist."""
    year, month, day, hour, minute, second = (
        int(match[part] or least)
        for part, least in (("year", 0), ("month", 1), ("day", 1), ("hour", 0), ("minute", 0), ("second", 0))
    )
    where = _zone(match["zone"]) or zone
    start = datetime(year, month, day, hour, minute, second, tzinfo=where)
    if fraction := match["fraction"]:
        low = _instant(start) + int(fraction[:6].ljust(6, "0"))
        return low, low + 10 ** max(0, 6 - len(fraction))
    if match["hour"]:
        return _instant(start), _instant(start) + (_SECOND if match["second"] else 60 * _SECOND)
    return _instant(start), _after(start, month=match["month"] is not None, day=match["day"] is not None)


def _after(start: datetime, *, month: bool, day: bool) -> Instant:
    """When the day, month or year that begins at ``start`` ends; summer time makes days of 23 and 25 hours."""
    try:
        if day:
            return _instant((start.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=start.tzinfo))
        if month and start.month < 12:  # noqa: PLR2004 - months of a year
            return _instant(start.replace(month=start.month + 1))
        return _instant(start.replace(year=start.year + 1, month=1))
    except (ValueError, OverflowError):
        return _END


def _zone(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    if text == "Z":
        return UTC
    away = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-away if text[0] == "-" else away)


def _instant(moment: datetime) -> Instant:
    return (moment - _EPOCH) // _MICROSECOND


def widened(one: Span, now: Instant) -> Span:
    """The interval of ``ap``: wider on both sides by a tenth of its distance from now (R4 recommends that)."""
    margin = abs(now - one.low) // 10
    return Span(one.prefix, one.low - margin, one.high + margin)


@lru_cache(maxsize=64)  # a batch of readings has one time
def instant_text(at: Instant) -> str:
    """A FHIR instant in UTC that says all of ``at``: whoever asks ``gt`` it must not meet the same version again."""
    whole, rest = divmod(at, _SECOND)
    moment = (_EPOCH + timedelta(seconds=whole)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{rest // 1000:03d}Z" if rest % 1000 == 0 else f"{moment}.{rest:06d}Z"


def http_date(at: Instant) -> str:
    """An HTTP date, whole seconds."""
    return format_datetime(_EPOCH + timedelta(seconds=at // _SECOND), usegmt=True)
