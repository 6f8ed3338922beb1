"""Which time counts: the table of the device contract, section 10."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.clock import (
    AHEAD,
    FIRST_YEAR,
    ROUND_TRIP,
    SECOND,
    TOLERATED_OFFSET,
    judge_time,
    measured_offset,
    parse,
    settle,
    shifted_text,
    utc_text,
)
from ingest.model import ClockFacts, DeviceStatus, Facts, TimeMark
from ingest.reasons import Reason, Rejected
from ingest.wire import MAX_SEQ

NOW = parse("2026-11-21T04:30:00Z")
FACTS = Facts(NOW, DeviceStatus.ACTIVE)
DAY = 86_400 * SECOND


def _reason(taken_at: str | int, facts: Facts = FACTS, epoch: int = 0) -> Reason | None:
    try:
        judge_time(taken_at, epoch, facts)
    except Rejected as fault:
        return fault.reason if fault.pointer == "/taken_at" else None
    return None


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.5Z", -SECOND // 2),
        ("2015-01-01T04:00:00+04:00", FIRST_YEAR),
        ("2026-11-21T08:30:00.000001+04:00", NOW + 1),
        ("2026-11-21T08:30:00.1+04:00", NOW + SECOND // 10),
        ("2026-11-21T04:30:00.9999999999Z", NOW + 999_999),
        ("2026-11-20T14:30:00-14:00", NOW),
        ("2026-11-21T00:30:00-04:00", NOW),
        ("2026-10-25T02:30:00+02:00", 1_792_888_200 * SECOND),
        ("2026-10-25T02:30:00+01:00", 1_792_891_800 * SECOND),
    ],
)
def test_a_text_with_an_offset_is_an_instant(text: str, instant: int) -> None:
    """To the microsecond; further digits are cut, and an hour that comes twice is told apart by its offset."""
    assert parse(text) == instant


NO_TIMES = [
    "",
    "x",
    "2026-11-21T08:30:00",
    "2026-11-21",
    "20261121T083000Z",
    "2026-W47-6T08:30:00Z",
    "2026-325T08:30:00Z",
    "2026-11-21 08:30:00Z",
    "2026-11-21T24:00:00Z",
    "2026-11-21T08:30:60Z",
    "2026-02-30T08:30:00Z",
    "2026-13-01T08:30:00Z",
    "2026-11-21T08:60:00Z",
    "2026-11-21T08:30:00+25:00",
    "2026-11-21T08:30:00+14:01",
    "2026-11-21T08:30:00-00:00",
    "2026-11-21T08:30:00+0400",
    "2026-11-21T08:30:00+04",
    "2026-11-21T08:30:00z",
    "2026-11-21t08:30:00Z",
    "2026-11-21T08:30Z",
    "2026-11-21T08:30:00,5Z",
    "2026-11-21T08:30:00.Z",
    " 2026-11-21T08:30:00Z",
    "2026-11-21T08:30:00Z\n",
    "0000-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "2026-1-21T08:30:00Z",
    "1795235400",
    "1795235400000",
    "٢٠٢٦-11-21T08:30:00Z",
    "2026-11-21T08:30:00." + "1" * 41 + "Z",
    "-026-11-21T08:30:00Z",
]


@pytest.mark.parametrize("text", NO_TIMES)
def test_a_text_that_is_not_rfc_3339_with_an_offset_has_no_time(text: str) -> None:
    """Nothing is guessed: no zone, no century, no leap second, no epoch."""
    assert _reason(text) is Reason.TIME_FORMAT


@pytest.mark.parametrize("number", [1795235400, 1795235400000, 0])
def test_a_number_is_no_time(number: int) -> None:
    """Seconds or milliseconds: the message does not say (contract, section 10)."""
    assert _reason(number) is Reason.TIME_FORMAT


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_times_at_the_ends_of_the_calendar_are_refused_without_error(text: str) -> None:
    """They lie outside every limit, or cannot be reckoned with."""
    assert _reason(text) in {Reason.TIME_FORMAT, Reason.TIME_UNSET_CLOCK, Reason.TIME_FUTURE}


M = TimeMark
OFFSET = 3 * 3600 * SECOND + 40 * 60 * SECOND
SETTLED = [
    (ClockFacts(), True, M.UNVERIFIED, 0),
    (ClockFacts(synced=False), True, M.UNVERIFIED, 0),
    (ClockFacts(synced=True), True, M.DEVICE, 0),
    (ClockFacts(synced=True, offset=OFFSET, uncertainty=9), True, M.CORRECTED, OFFSET),
    (ClockFacts(synced=False, offset=OFFSET, uncertainty=9), True, M.CORRECTED, OFFSET),
    (ClockFacts(synced=None, offset=OFFSET, uncertainty=9), True, M.CORRECTED, OFFSET),
    (ClockFacts(synced=True, offset=-OFFSET, uncertainty=9), True, M.CORRECTED, -OFFSET),
    (ClockFacts(synced=False, offset=TOLERATED_OFFSET, uncertainty=9), True, M.DEVICE, 0),
    (ClockFacts(synced=False, offset=-TOLERATED_OFFSET, uncertainty=9), True, M.DEVICE, 0),
    (ClockFacts(synced=False, offset=TOLERATED_OFFSET + 1, uncertainty=9), True, M.CORRECTED, TOLERATED_OFFSET + 1),
    (ClockFacts(synced=True, offset=-TOLERATED_OFFSET - 1, uncertainty=9), True, M.CORRECTED, -TOLERATED_OFFSET - 1),
    (ClockFacts(synced=True, offset=OFFSET, uncertainty=9), False, M.DEVICE, 0),
    (ClockFacts(synced=False, offset=OFFSET, uncertainty=9), False, M.UNVERIFIED, 0),
]


@pytest.mark.parametrize(("facts", "disciplined", "mark", "shift"), SETTLED)
def test_the_epochs_facts_decide_which_time_counts(
    facts: ClockFacts, mark: TimeMark, shift: int, *, disciplined: bool
) -> None:
    """An offset over two minutes corrects, whatever ``synced`` says; an undisciplined gateway corrects nothing."""
    timing = settle("2026-11-21T08:30:00+04:00", facts, disciplined=disciplined)
    assert (timing.mark, timing.used) == (mark, NOW + shift)
    assert timing.taken_at == "2026-11-21T08:30:00+04:00"


def test_a_correction_is_disclosed() -> None:
    """Device time, offset and uncertainty stay beside the time used."""
    timing = settle(
        "2026-11-21T05:12:40+04:00", ClockFacts(synced=True, offset=OFFSET, uncertainty=350_000), disciplined=True
    )
    assert (timing.offset, timing.uncertainty) == (OFFSET, 350_000)
    assert shifted_text(timing.taken_at, timing.used) == "2026-11-21T08:52:40+04:00"
    tolerated = settle(
        "2026-11-21T05:12:40+04:00", ClockFacts(synced=True, offset=SECOND, uncertainty=9), disciplined=True
    )
    assert (tolerated.offset, tolerated.uncertainty) == (SECOND, 9)


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (NOW + AHEAD, None),
        (NOW + AHEAD + 1, Reason.TIME_FUTURE),
        (NOW - 90 * DAY, None),
        (NOW - 90 * DAY - 1, Reason.TIME_TOO_OLD),
        (FIRST_YEAR, Reason.TIME_TOO_OLD),
        (FIRST_YEAR - 1, Reason.TIME_UNSET_CLOCK),
        (0, Reason.TIME_UNSET_CLOCK),
        (parse("2038-01-19T03:14:08Z"), Reason.TIME_FUTURE),
        (parse("9999-12-31T23:59:59Z"), Reason.TIME_FUTURE),
    ],
)
def test_limits_of_time_are_inclusive(at: int, reason: Reason | None) -> None:
    """Five minutes ahead and ninety days behind are still taken."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
    assert _reason(moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")) is reason


def test_how_old_is_too_old_is_a_setting() -> None:
    """The limit comes with the facts."""
    assert _reason("2026-11-20T04:29:59Z", replace(FACTS, oldest=DAY)) is Reason.TIME_TOO_OLD
    assert _reason("2016-11-20T04:29:59Z", replace(FACTS, oldest=3653 * DAY + DAY)) is None


def test_the_corrected_time_is_the_one_that_is_limited() -> None:
    """A clock never set but measured makes a good reading, and a good-looking one may lie in the future."""
    unset = replace(FACTS, clocks={1: ClockFacts(synced=False, offset=NOW, uncertainty=9)})
    assert _reason("1970-01-01T00:00:00Z", unset, epoch=1) is None
    assert _reason("1970-01-01T00:00:00Z", unset, epoch=2) is Reason.TIME_UNSET_CLOCK
    late = replace(FACTS, clocks={1: ClockFacts(synced=True, offset=OFFSET, uncertainty=9)})
    assert _reason("2026-11-21T04:00:00Z", late, epoch=1) is Reason.TIME_FUTURE


def test_an_offset_belongs_to_one_epoch() -> None:
    """The reading's own epoch is looked up, up to the largest there is."""
    facts = replace(
        FACTS, clocks={0: ClockFacts(synced=True), MAX_SEQ: ClockFacts(synced=True, offset=-OFFSET, uncertainty=9)}
    )
    assert judge_time("2026-11-21T04:00:00Z", 0, facts).mark is TimeMark.DEVICE
    assert judge_time("2026-11-21T04:00:00Z", MAX_SEQ, facts).mark is TimeMark.CORRECTED
    assert judge_time("2026-11-21T04:00:00Z", 5, facts).mark is TimeMark.UNVERIFIED


@pytest.mark.parametrize(
    ("device", "echo", "received", "found"),
    [
        (NOW, NOW, NOW, (0, 0)),
        (NOW - 60 * SECOND, NOW, NOW + 2 * SECOND, (61 * SECOND, SECOND)),
        (NOW + 60 * SECOND, NOW, NOW + 2 * SECOND, (-59 * SECOND, SECOND)),
        (NOW, NOW, NOW + ROUND_TRIP, (5 * SECOND, 5 * SECOND)),
        (NOW, NOW, NOW + ROUND_TRIP + 1, None),
        (NOW, NOW, NOW - 1, None),
        (0, NOW, NOW + 3, (NOW + 1, 2)),
    ],
)
def test_an_echo_measures_the_offset(device: int, echo: int, received: int, found: tuple[int, int] | None) -> None:
    """Gateway minus device at the middle of the round trip, half of which, rounded up, is the uncertainty."""
    assert measured_offset(device, echo, received) == found


@given(st.integers(0, ROUND_TRIP), st.integers(-(10**12), 10**12), st.data())
def test_the_true_offset_lies_within_the_uncertainty(round_trip: int, offset: int, data: st.DataObject) -> None:
    """Wherever in the round trip the device read its clock."""
    delay = data.draw(st.integers(0, round_trip))
    found = measured_offset(NOW + delay - offset, NOW, NOW + round_trip)
    assert found is not None
    assert abs(found[0] - offset) <= found[1]


@pytest.mark.parametrize(
    ("taken_at", "used", "text"),
    [
        ("2026-11-21T08:30:00+04:00", NOW + 499_999, "2026-11-21T08:30:00+04:00"),
        ("2026-11-21T08:30:00+04:00", NOW + 500_000, "2026-11-21T08:30:01+04:00"),
        ("2026-11-21T08:30:00.0+04:00", NOW + 150_000, "2026-11-21T08:30:00.2+04:00"),
        ("2026-11-21T08:30:00.000000000Z", NOW + 7, "2026-11-21T04:30:00.000007Z"),
        ("2026-11-20T14:30:00-14:00", NOW + DAY, "2026-11-21T14:30:00-14:00"),
        ("2026-11-21T08:30:00Z", NOW, "2026-11-21T04:30:00Z"),
    ],
)
def test_a_corrected_time_keeps_zone_and_precision(taken_at: str, used: int, text: str) -> None:
    """Rounded to the nearest of the digits that the device gave."""
    assert shifted_text(taken_at, used) == text


def test_gateway_times_are_utc_with_milliseconds() -> None:
    """Cut, not rounded: an echo never comes back before its welcome."""
    assert utc_text(NOW + 1_204_999) == "2026-11-21T04:30:01.204Z"
    assert parse(utc_text(NOW)) == NOW


def test_a_time_without_form_cannot_be_shifted() -> None:
    """The same refusal as when it is judged."""
    with pytest.raises(Rejected):
        shifted_text("yesterday", NOW)


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001 - the zone comes next
def test_every_instant_reads_back(naive: datetime, minutes: int) -> None:
    """Whatever the offset it is written with."""
    moment = naive.replace(tzinfo=UTC)
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    local = (naive + timedelta(minutes=minutes)).isoformat(timespec="microseconds")
    offset = f"{sign}{hours:02d}:{rest:02d}"
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    if offset != "-00:00":
        assert parse(local + offset) == expected
