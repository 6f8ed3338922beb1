"""Buckets put together from what a store reckoned for parts of them."""

from __future__ import annotations

from ingest.series.gathered import Gathered, buckets


def test_an_hour_that_appeared_while_it_was_asked_for_is_not_there_yet() -> None:
    """A store tells count, sum, lowest and highest one after the other; some may not have seen its first point."""
    inf = float("inf")
    late = {
        0: Gathered(2, 250.0, 120.0, 130.0),
        3600: Gathered(0, 120.0, 120.0, 120.0),
        7200: Gathered(1, 120.0, inf, -inf),
        10800: Gathered(1, 120.0, 120.0, -inf),
    }
    assert [(one.start, one.count) for one in buckets(late)] == [(0, 2)]
