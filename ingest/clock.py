"""Which time a reading counts under: device time, corrected time, or none that can be trusted yet.

Comes in: ``taken_at`` as sent and what is known of the device's clock epoch. Goes out: ``Timing``, or ``Rejected`` with
``time.*``. Refuses to know: where the facts are kept. Pure. Rules and limits: device contract, section 10.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from ingest.model import ClockFacts, Facts, Instant, TimeMark, Timing
from ingest.reasons import Reason, Rejected

SECOND = 1_000_000
TOLERATED_OFFSET = 120 * SECOND
"""A measured offset up to two minutes changes nothing (contract, section 10)."""
AHEAD = 300 * SECOND
"""More than five minutes ahead of the gateway is the future (contract, section 10)."""
FIRST_YEAR: Instant = 1_420_070_400 * SECOND
"""2015-01-01T00:00:00Z: before it, a clock was never set (contract, section 10)."""
ROUND_TRIP = 10 * SECOND
"""Longest round trip of an echo that still measures something (contract, section 10)."""

# Seconds stop at 59, -00:00, offsets beyond 14 h and small letters are refused: legal RFC 3339, but not FHIR instants.
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(\.\d{1,40})?(Z|[+-](?:0\d|1[0-3]):[0-5]\d|[+-]14:00)",
    re.ASCII,
).fullmatch
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING = ClockFacts()


def parse(text: str) -> Instant:
    """The instant that an RFC 3339 text with offset or Z names; digits beyond the microsecond are cut, not rounded.

    Raises Rejected with ``time.format`` for anything else: no zone, date only, basic format, 24:00, second 60, -00:00.
    """
    match = _RFC3339(text)
    if match is None or match[3] == "-00:00":
        raise Rejected(Reason.TIME_FORMAT, "/taken_at")
    whole, fraction, zone = match.groups()
    try:
        since_1970 = datetime.fromisoformat(whole + zone) - _EPOCH
    except (ValueError, OverflowError):  # the year 0, February 30, an instant before the year 1
        raise Rejected(Reason.TIME_FORMAT, "/taken_at") from None
    seconds = since_1970.days * 86_400 + since_1970.seconds
    return seconds * SECOND + (int(fraction[1:7].ljust(6, "0")) if fraction else 0)


def utc_text(at: Instant) -> str:
    """RFC 3339 in UTC with milliseconds, as gateway times go out: ``2026-11-21T04:30:01.204Z``."""
    moment = _EPOCH + timedelta(microseconds=at)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def shifted_text(taken_at: str, used: Instant) -> str:
    """``used`` in the zone and to the precision that ``taken_at`` has: a corrected time claims no finer clock.

    Rounded to the nearest, for a cut would be a bias. Raises Rejected with ``time.format``.
    """
    match = _RFC3339(taken_at)
    if match is None:
        raise Rejected(Reason.TIME_FORMAT, "/taken_at")
    digits = min(len(match[2]) - 1, 6) if match[2] else 0
    unit = 10 ** (6 - digits)
    rounded = (used + unit // 2) // unit * unit
    zone = UTC if match[3] == "Z" else timezone(_zone(match[3]))
    moment = (_EPOCH + timedelta(microseconds=rounded)).astimezone(zone)
    fraction = f".{moment.microsecond:06d}"[: digits + 1] if digits else ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + fraction + match[3]


def _zone(text: str) -> timedelta:
    shift = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return -shift if text[0] == "-" else shift


def measured_offset(device_now: Instant, echo: Instant, received_at: Instant) -> tuple[int, int] | None:
    """(offset, uncertainty) in microseconds from one echo, gateway minus device; None if the round trip is too long.

    The device read its clock somewhere between the welcome (``echo``) and the arrival of its answer: the middle is
    taken and half the round trip, rounded up, is the uncertainty.
    """
    round_trip = received_at - echo
    if not 0 <= round_trip <= ROUND_TRIP:
        return None
    half = round_trip // 2
    return echo + half - device_now, round_trip - half


def settle(taken_at: str, facts: ClockFacts, *, disciplined: bool) -> Timing:
    """The time that counts, by what is known of the epoch now; raises ``time.format``."""
    sent = parse(taken_at)
    if disciplined and facts.offset is not None:
        if abs(facts.offset) > TOLERATED_OFFSET:
            return Timing(taken_at, sent + facts.offset, TimeMark.CORRECTED, facts.offset, facts.uncertainty)
        return Timing(taken_at, sent, TimeMark.DEVICE, facts.offset, facts.uncertainty)
    return Timing(taken_at, sent, TimeMark.DEVICE if facts.synced else TimeMark.UNVERIFIED)


def judge_time(taken_at: str | int | Decimal, epoch: int, facts: Facts) -> Timing:
    """Settle the time and hold it against the gateway's; raises Rejected with ``time.*``.

    A number is a time of some epoch in some unit: ``time.format``, not a wrong type (contract, section 10).
    """
    if not isinstance(taken_at, str):
        raise Rejected(Reason.TIME_FORMAT, "/taken_at")
    timing = settle(taken_at, facts.clocks.get(epoch, _NOTHING), disciplined=facts.disciplined)
    if timing.used > facts.now + AHEAD:
        raise Rejected(Reason.TIME_FUTURE, "/taken_at")
    if timing.used < FIRST_YEAR:
        raise Rejected(Reason.TIME_UNSET_CLOCK, "/taken_at")
    if timing.used < facts.now - facts.oldest:
        raise Rejected(Reason.TIME_TOO_OLD, "/taken_at")
    return timing
