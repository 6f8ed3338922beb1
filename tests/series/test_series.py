"""What every time series promises: one suite for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.ledger.files import open_ledger
from ingest.series.embedded import EmbeddedSeries
from ingest.series.memory import MemorySeries
from ingest.series.port import Bucket, Point, Series, Span

HOUR = 3_600_000_000
T0 = 1_795_000_000_000_000 // HOUR * HOUR
ALL = [Span("bp-0001", 0, 2**62)]


@pytest.fixture(params=["memory", "embedded"])
def series(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Series]:
    """Each implementation in turn."""
    if request.param == "memory":
        yield MemorySeries()
        return
    with open_ledger(tmp_path / "ledger.sqlite") as file:
        yield EmbeddedSeries(file)


def point(at: int, value: str = "128", position: int = 1, metric: str = "systolic", device: str = "bp-0001") -> Point:
    """A point ``at`` microseconds after T0."""
    return Point(device, metric, T0 + at, position, Decimal(value))


def test_a_range_is_in_order_of_time(series: Series) -> None:
    """Points come by time, whatever the order of their arrival, and no more than asked for."""
    late, early, middle = point(30, position=1), point(10, position=2), point(20, position=3)
    series.write([late, early])
    series.write([middle])
    assert series.range("systolic", ALL, 10) == [early, middle, late]
    assert series.range("systolic", ALL, 2) == [early, middle]


def test_digits_stay(series: Series) -> None:
    """A value comes back with the digits it had."""
    values = ["36.60", "0.0000001", "128", "12345678901234567890.123"]
    series.write([point(n, value) for n, value in enumerate(values)])
    assert [format(found.value, "f") for found in series.range("systolic", ALL, 10)] == values


def test_two_readings_of_one_instant_stay_two(series: Series) -> None:
    """Their positions keep them apart; they come in the order of arrival."""
    first, second = point(0, "128", position=1), point(0, "128", position=2)
    series.write([second, first])
    assert series.range("systolic", ALL, 10) == [first, second]
    (bucket,) = series.buckets("systolic", ALL, HOUR)
    assert bucket.count == 2
    assert series.last(ALL) == [second]


def test_writing_again_changes_nothing(series: Series) -> None:
    """A point that is there stays as it is."""
    series.write([point(0, "128"), point(1, "130")])
    series.write([point(0, "128"), point(0, "999")])
    series.write([])
    assert series.range("systolic", ALL, 10) == [point(0, "128"), point(1, "130")]


def test_spans_hold_their_start_and_not_their_end(series: Series) -> None:
    """A device handed over at an instant is the next patient's from that instant on."""
    before, at, after = point(-1), point(0), point(1)
    series.write([before, at, after])
    first, second = [Span("bp-0001", 0, T0)], [Span("bp-0001", T0, T0 + 1)]
    assert series.range("systolic", first, 10) == [before]
    assert series.range("systolic", second, 10) == [at]
    assert series.last(second) == [at]
    assert [bucket.count for bucket in series.buckets("systolic", second, HOUR)] == [1]


def test_several_spans_are_one_line(series: Series) -> None:
    """The devices that were a patient's one after the other make one trend; no span, no points."""
    one, two, other = point(0), point(10, device="bp-0002"), point(5, device="bp-0003")
    series.write([two, other, one, point(20)])
    spans = [Span("bp-0002", T0, T0 + 20), Span("bp-0001", T0, T0 + 20)]
    assert series.range("systolic", spans, 10) == [one, two]
    assert series.last(spans) == [two]
    assert series.range("systolic", [], 10) == []
    assert series.buckets("systolic", [], HOUR) == []
    assert series.last([]) == []


def test_buckets_are_cut_at_the_hour(series: Series) -> None:
    """Hours begin at the hour; each has its number, lowest, mean and highest value; an empty one is left out."""
    minutes = {0: "120", 59: "121", 60: "100", 61: "100.5", 62: "101.1", 200: "36.60"}
    series.write([point(minute * HOUR // 60, value, minute) for minute, value in minutes.items()])
    assert series.buckets("systolic", ALL, HOUR) == [
        Bucket(T0, 2, Decimal(120), Decimal("120.5"), Decimal(121)),
        Bucket(T0 + HOUR, 3, Decimal(100), Decimal("100.533333"), Decimal("101.1")),
        Bucket(T0 + 3 * HOUR, 1, Decimal("36.6"), Decimal("36.6"), Decimal("36.6")),
    ]


@pytest.mark.parametrize("width", [0, -1])
def test_a_bucket_is_wider_than_nothing(series: Series, width: int) -> None:
    """No width, no buckets."""
    with pytest.raises(ValueError, match="wider"):
        series.buckets("systolic", ALL, width)


def test_the_last_of_each_metric(series: Series) -> None:
    """One point a metric, by metric; the newest in time, not in arrival."""
    newest = point(9, "80", position=1, metric="diastolic")
    series.write([newest, point(8, position=2, metric="diastolic"), point(3), point(4, position=9)])
    assert series.last(ALL) == [newest, point(4, position=9)]


def test_nothing_is_left_after_clear(series: Series) -> None:
    """Cleared, it is empty, and can be filled again."""
    series.write([point(0)])
    series.clear()
    assert series.range("systolic", ALL, 10) == []
    series.write([point(0)])
    assert len(series.range("systolic", ALL, 10)) == 1


points = st.builds(
    Point,
    st.sampled_from(["bp-0001", "bp-0002"]),
    st.sampled_from(["systolic", "diastolic", "pulse"]),
    st.integers(T0, T0 + 20),
    st.integers(1, 9),
    st.decimals(-1000, 1000, places=3),
)
spans = st.lists(
    st.builds(
        lambda device, start, length: Span(device, T0 + start, T0 + start + length),
        st.sampled_from(["bp-0001", "bp-0002"]),
        st.integers(0, 20),
        st.integers(0, 9),
    ),
    max_size=3,
)


@given(st.lists(points, max_size=20), spans, st.integers(1, 7))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_say_the_same(tmp_path: Path, written: list[Point], asked: list[Span], width: int) -> None:
    """Whatever is written and asked, the embedded series answers as the one in memory does."""
    memory = MemorySeries()
    with open_ledger(tmp_path / "ledger.sqlite") as file:
        embedded = EmbeddedSeries(file)
        embedded.clear()
        for series in (memory, embedded):
            series.write(written)
        assert embedded.range("systolic", asked, 7) == memory.range("systolic", asked, 7)
        assert embedded.buckets("systolic", asked, width) == memory.buckets("systolic", asked, width)
        assert embedded.last(asked) == memory.last(asked)
