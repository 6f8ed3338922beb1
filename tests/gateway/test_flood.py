"""Who floods is asked to wait, by buckets that are never more than so many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.flood import RETRY_MOST_S, Flood, Limit, refusal
from tests.support.ledgers import STREAM, raw

SECOND = 1_000_000_000
DAY = 86_400


def let_through(flood: Flood, count: int, now: int, sender: str = "bp-0001") -> int:
    """How many of so many messages pass at one instant."""
    return sum(flood.passes(sender, now) for _ in range(count))


def test_an_outbox_of_the_burst_drains_at_full_speed_and_no_more() -> None:
    """As many as the burst pass in one instant, from the first message of a device on."""
    assert let_through(Flood(Limit(200, 500)), 600, 7 * SECOND) == 500


def test_the_default_lets_a_day_of_one_reading_a_second_through_at_once() -> None:
    """What a broker kept for a gateway that was away for a day is no flood."""
    assert let_through(Flood(Limit()), DAY, SECOND) == DAY


def test_the_rate_comes_back_and_never_more_than_the_burst() -> None:
    """After a second as many as the rate, after an hour the burst."""
    flood = Flood(Limit(200, 500))
    assert let_through(flood, 1_000, SECOND) == 500
    assert let_through(flood, 1_000, 2 * SECOND) == 200
    assert let_through(flood, 1_000, 3_602 * SECOND) == 500


def test_a_device_at_the_rate_is_never_refused() -> None:
    """One message each 5 ms, for longer than the burst lasts."""
    flood = Flood(Limit(200, 10))
    assert all(flood.passes("bp-0001", now) for now in range(0, 20 * SECOND, SECOND // 200))


def test_one_that_floods_takes_nothing_from_another() -> None:
    """Each connection has a bucket of its own."""
    flood = Flood(Limit(1, 3))
    assert let_through(flood, 9, SECOND, "bp-0001") == 3
    assert let_through(flood, 9, SECOND, "bp-0002") == 3


@given(st.lists(st.integers(0, 3 * SECOND), max_size=200))
def test_over_any_time_no_more_pass_than_the_burst_and_the_rate(pauses: list[int]) -> None:
    """Whatever the pauses, the count that passed is at most burst + rate x time, and a pause of 1/rate lets one in."""
    flood, now, passed = Flood(Limit(10, 5)), SECOND, 0
    for pause in pauses:
        now += pause
        before = passed
        passed += flood.passes("bp-0001", now)
        assert passed > before or pause < SECOND // 10
        assert passed <= 5 + 10 * (now - SECOND) // SECOND + 1


def test_there_are_never_more_buckets_than_so_many() -> None:
    """Beyond the limit the fullest are forgotten: who is being refused stays refused."""
    flood = Flood(Limit(1, 2), most=10)
    assert let_through(flood, 5, SECOND) == 2
    for other in range(1_000):
        assert flood.passes(f"other-{other}", SECOND)
        assert flood.is_news(f"other-{other}", SECOND)
        assert not flood.passes("bp-0001", SECOND)
        assert flood.remembered <= 10


def test_a_device_is_asked_to_slow_down_once_in_the_time_it_has_to_wait() -> None:
    """Not for each message; each of a hub's devices by itself."""
    flood = Flood(Limit(10, 200))
    assert flood.retry_after_s == 2
    asked = [flood.is_news("bp-0001", at * SECOND) for at in (1, 2, 3, 4)]
    assert asked == [True, False, True, False]
    assert flood.is_news("hub-1 bp-0001", SECOND)


def test_the_time_to_wait_lies_between_a_second_and_a_minute() -> None:
    """A tenth of the burst comes back meanwhile, where that is possible."""
    assert [Limit(200, 10).retry_after_s, Limit().retry_after_s, Limit(1, 10**6).retry_after_s] == [1, 50, RETRY_MOST_S]


def test_a_refusal_names_what_the_bytes_name() -> None:
    """Stream and seq where they can be read, else the hash alone."""
    named = refusal(raw(f'{{"stream":"{STREAM}","seq":7}}'.encode()))
    assert named.key == (STREAM, 7)
    assert refusal(raw(b"\xff")).key is None
    assert named.sha != refusal(raw(b"\xff")).sha
