"""What every time series promises: one suite for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.ledger.files import OpenLedger
from ingest.series.embedded import EmbeddedSeries
from ingest.series.memory import MemorySeries
from ingest.series.port import Bucket, Point, Series, Span
from tests.support.engines import ENGINES, place
from tests.support.influx_series import in_influxdb
from tests.support.servers import InfluxServer

HOUR = 3_600_000_000
T0 = 1_795_000_000_000_000 // HOUR * HOUR
ALL = [Span("bp-0001", 0, 2**62)]


@contextmanager
def memory(_request: pytest.FixtureRequest, _folder: Path) -> Iterator[Series]:
    """Without a file."""
    yield MemorySeries()


@contextmanager
def embedded(request: pytest.FixtureRequest, folder: Path) -> Iterator[Series]:
    """Beside the ledger's rows, in a file."""
    with place(request, "sqlite", folder) as where, where.open() as file:
        yield EmbeddedSeries(file)


@contextmanager
def in_postgres(request: pytest.FixtureRequest, folder: Path) -> Iterator[Series]:
    """Beside the ledger's rows, in a database."""
    with place(request, "postgres", folder) as where, where.open() as file:
        yield EmbeddedSeries(file)


@contextmanager
def influx(request: pytest.FixtureRequest, _folder: Path) -> Iterator[Series]:
    """In a bucket of its own."""
    with in_influxdb(request.getfixturevalue("influx_server")) as series:
        yield series


SERVED = [pytest.param(each, marks=pytest.mark.services) for each in (in_postgres, influx)]


@pytest.fixture(params=[memory, embedded, *SERVED])
def series(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Series]:
    """Each implementation in turn."""
    with request.param(request, tmp_path) as made:
        yield made


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


def test_points_can_be_taken_back(series: Series) -> None:
    """Only they go; what is not there is gone already."""
    stays = [point(0, position=1), point(0, position=1001), point(0, metric="diastolic"), point(0, device="bp-0002")]
    gone = [point(0, position=2001), point(1, position=1)]
    series.write([*stays, *gone])
    series.remove([*gone, point(2), point(0, position=7)])
    assert series.range("systolic", ALL, 10) == stays[:2]
    assert [found.metric for found in series.last(ALL)] == ["diastolic", "systolic"]
    series.write(gone)
    assert len(series.range("systolic", ALL, 10)) == 4


def test_many_readings_of_one_instant_stay_as_many(series: Series) -> None:
    """Also those whose positions end alike, whatever the order in which they come and come again."""
    every = [point(0, str(n), position=position) for n, position in enumerate([999, 1000, 1999, 2000, 2001, 12_999])]
    for some in (every[3:], every[:4], every):
        series.write(some)
    assert series.range("systolic", ALL, 10) == every
    assert series.range("systolic", ALL, 1) == every[:1]
    assert series.last(ALL) == every[-1:]
    assert [found.count for found in series.buckets("systolic", ALL, HOUR)] == [len(every)]


ODD = [
    "a b", "a,b", "a=b", 'a"b', "a\\", "\\", "a\nb", "a\tb", "${a}", "#a", "_a", "%41", "%", "é", "心拍", "a'b", "*",
    "constantes/ledger", "\u2028", "a;b", "a|b", "time", "_field", "-1", "1.0", "true",
]  # fmt: skip


def test_names_may_hold_every_character(series: Series) -> None:
    """Devices and metrics come back as they are, and none is taken for another."""
    written = [
        point(n, device=odd, metric=other) for n, (odd, other) in enumerate(zip(ODD, ODD[1:] + ODD[:1], strict=True))
    ]
    series.write(written)
    for one in written:
        span = [Span(one.device, 0, 2**62)]
        assert series.range(one.metric, span, 10) == [one]
        assert series.last(span) == [one]
        assert [found.count for found in series.buckets(one.metric, span, HOUR)] == [1]


@pytest.mark.parametrize("width", [1, 7, HOUR * 24 * 365 * 20, 999_999 * 24 * HOUR, 2**62])
def test_a_bucket_may_be_as_wide_as_it_likes(series: Series, width: int) -> None:
    """From a microsecond to more than all of time."""
    series.write([point(0), point(1, "130", position=2)])
    buckets = series.buckets("systolic", ALL, width)
    assert sum(found.count for found in buckets) == 2
    assert [found.start for found in buckets] == sorted({T0 // width * width, (T0 + 1) // width * width})


def test_a_meter_of_many_patients_gives_each_his_own(series: Series) -> None:
    """A hundred short spans of one device, some of which touch or overlap, hold each point once."""
    series.write([point(n * 10, str(n), position=n + 1) for n in range(300)])
    odd = [Span("bp-0001", T0 + n * 30, T0 + n * 30 + 10 + n % 30) for n in range(100)]
    once = [*odd, *odd[::7], Span("bp-0001", T0, T0), Span("bp-0001", T0 + 9, T0 + 3)]
    held = [n for n in range(300) if any(span.start <= T0 + n * 10 < span.end for span in odd)]
    assert [int(found.value) for found in series.range("systolic", once, 999)] == held
    assert sum(found.count for found in series.buckets("systolic", once, 1000)) == len(held)


points = st.builds(
    Point,
    st.sampled_from(["bp-0001", "bp-0002"]),
    st.sampled_from(["systolic", "diastolic", "pulse"]),
    st.integers(T0, T0 + 20),
    st.sampled_from([*range(1, 8), 1001, 2001]),
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


def same(one: Series, other: Series, written: list[Point], asked: list[Span], width: int) -> None:
    """Fill both, take a point back, and ask."""
    for series in (one, other):
        series.clear()
        series.write(written)
        series.remove(written[-1:])
    assert other.range("systolic", asked, 7) == one.range("systolic", asked, 7)
    assert other.buckets("systolic", asked, width) == one.buckets("systolic", asked, width)
    assert other.last(asked) == one.last(asked)


@pytest.fixture(params=ENGINES)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenLedger]:
    """A ledger of each engine in turn."""
    with place(request, request.param, tmp_path) as where, where.open() as opened:
        yield opened


@given(st.lists(points, max_size=20), spans, st.integers(1, 7))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_embedded_and_memory_say_the_same(
    file: OpenLedger, written: list[Point], asked: list[Span], width: int
) -> None:
    """Whatever is written and asked, the embedded series answers as the one in memory does."""
    same(MemorySeries(), EmbeddedSeries(file), written, asked, width)


@pytest.fixture(scope="module")
def bucket(influx_server: InfluxServer) -> Iterator[Series]:
    """One bucket for all examples."""
    with in_influxdb(influx_server) as made:
        yield made


@given(st.lists(points, max_size=20), spans, st.integers(1, 7))
@settings(max_examples=40, deadline=None)
def test_influxdb_and_memory_say_the_same(bucket: Series, written: list[Point], asked: list[Span], width: int) -> None:
    """Whatever is written and asked, InfluxDB answers as the one in memory does."""
    same(MemorySeries(), bucket, written, asked, width)


moments = st.builds(
    Point,
    st.just("bp-0001"),
    st.sampled_from(["systolic", "pulse"]),
    st.integers(0, 11).map(lambda third: T0 + third * HOUR // 3),
    st.integers(1, 3),
    st.integers(50, 60).map(Decimal),
)
batches = st.lists(
    st.tuples(st.lists(moments, max_size=4), st.sampled_from(["write", "remove", "restart"])), max_size=8
)
hours = st.lists(
    st.builds(
        lambda first, length: Span("bp-0001", T0 + first * HOUR // 6, T0 + (first + length) * HOUR // 6),
        st.integers(-3, 24),
        st.integers(0, 30),
    ),
    max_size=3,
)


@given(batches, hours, st.integers(1, 3))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hours_are_right_whatever_comes_when(
    file: OpenLedger, done: list[tuple[list[Point], str]], asked: list[Span], width: int
) -> None:
    """Late readings, readings taken back, and other processes that go on change kept hours as they change points."""
    kept, embedded = MemorySeries(), EmbeddedSeries(file)
    embedded.clear()
    for some, what in done:
        if what == "restart":
            embedded = EmbeddedSeries(file)
        for series in (kept, embedded):
            (series.remove if what == "remove" else series.write)(some)
    for metric in ("systolic", "pulse"):
        assert embedded.buckets(metric, asked, width * HOUR) == kept.buckets(metric, asked, width * HOUR)
