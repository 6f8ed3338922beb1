"""What InfluxDB keeps: buckets, retention, hours gathered by a task that never touches a point."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingest.series.influx import InfluxSeries
from ingest.series.influx_server import Place, Server
from ingest.series.port import Mark, Point, Span
from tests.support.influx_series import in_influxdb
from tests.support.servers import InfluxServer

HOUR = 3_600_000_000
DAY = 24 * HOUR
ALL = [Span("bp-0001", 0, 2**62)]
_PATIENCE_S = 60.0


@pytest.fixture
def now() -> int:
    """This hour, as InfluxDB's own clock has it."""
    return time.time_ns() // 1000 // HOUR * HOUR


@pytest.fixture
def series(influx_server: InfluxServer) -> Iterator[InfluxSeries]:
    """In a bucket of its own."""
    with in_influxdb(influx_server) as made:
        yield made


@pytest.fixture
def ask(influx_server: InfluxServer, series: InfluxSeries) -> Iterator[Callable[..., Any]]:
    """Its own way to the same server, without the client under test."""
    with httpx.Client(
        base_url=f"{influx_server.url}/api/v2", headers={"Authorization": f"Token {influx_server.token}"}, timeout=60
    ) as client:

        def asked(method: str, path: str, **more: Any) -> Any:  # noqa: ANN401 - JSON
            answer = client.request(method, path, **more)
            assert answer.is_success, answer.text
            return answer.json() if answer.headers.get("Content-Type", "").startswith("application/json") else answer

        yield asked


def point(at: int, value: int, position: int = 1) -> Point:
    """A point at an instant."""
    return Point("bp-0001", "systolic", at, position, Decimal(value))


def place_of(series: InfluxSeries) -> Place:
    """Where it is."""
    return series._server.place  # noqa: SLF001 - the test looks behind it


def gather(ask: Callable[..., Any], series: InfluxSeries) -> None:
    """Run the task now, and wait for its end."""
    name = f"constantes hourly {place_of(series).bucket}"
    (task,) = ask("GET", "/tasks", params={"name": name})["tasks"]
    run = ask("POST", f"/tasks/{task['id']}/runs", json={})["id"]
    end, state = time.monotonic() + _PATIENCE_S, ""
    while state != "success":
        assert time.monotonic() < end
        assert state != "failed", ask("GET", f"/tasks/{task['id']}/runs/{run}/logs")
        time.sleep(0.05)
        # A run that has just ended is in neither list for a moment.
        state = next(
            (each["status"] for each in ask("GET", f"/tasks/{task['id']}/runs")["runs"] if each["id"] == run), ""
        )


def hours(ask: Callable[..., Any], series: InfluxSeries) -> list[list[str]]:
    """Field, hour and value of everything in the bucket of hours."""
    flux = (
        f'from(bucket: "{place_of(series).hourly}") |> range(start: 0) |> group()'
        ' |> keep(columns: ["_time", "_field", "_value"]) |> sort(columns: ["_time", "_field"])'
    )
    flux = flux.replace(" |> group()", " |> map(fn: (r) => ({r with _value: string(v: r._value)})) |> group()")
    body = ask("POST", "/query", params={"org": place_of(series).org}, json={"query": flux}).text
    return [line.split(",")[3:] for line in body.splitlines()[1:] if line]


def test_the_task_gathers_hours_and_leaves_points_alone(
    series: InfluxSeries, ask: Callable[..., Any], now: int
) -> None:
    """Count, sum, min and max of each hour; again when something late comes, whatever lane it is in, and once more."""
    early = now - 50 * DAY
    series.write([point(early, 120), point(early + 1, 130, 2), point(early + HOUR, 100, 3)])
    gather(ask, series)
    assert [row[0] for row in hours(ask, series)] == ["count", "max", "min", "sum"] * 2
    assert [row[2] for row in hours(ask, series)] == ["2", "130", "120", "250", "1", "100", "100", "100"]
    series.write([point(early, 90, 1001), point(now, 7, 4)])
    gather(ask, series)
    gather(ask, series)
    assert [row[2] for row in hours(ask, series)] == ["3", "130", "90", "340", "1", "100", "100", "100", *"1777"]
    assert [found.position for found in series.range("systolic", ALL, 9)] == [1, 1001, 2, 3, 4]
    series.remove([point(early + HOUR, 0, 3)])
    gather(ask, series)
    assert [row[2] for row in hours(ask, series)] == ["3", "130", "90", "340", *"1777"]
    series.clear()
    assert hours(ask, series) == []


def test_older_points_than_are_kept_are_answered_by_hours(
    influx_server: InfluxServer, series: InfluxSeries, ask: Callable[..., Any], now: int
) -> None:
    """Where single points may be forgotten, hours go on: their buckets join without a seam, and none is doubled."""
    written = [point(now - 3 * DAY + n * HOUR // 4, 100 + n, n + 1) for n in range(200)]
    series.write(written)
    whole = [series.buckets("systolic", ALL, width) for width in (HOUR, DAY)]
    gather(ask, series)
    short = InfluxSeries(series._server, 1)  # noqa: SLF001 - the same place, with another setting
    assert [short.buckets("systolic", ALL, width) for width in (HOUR, DAY)] == whole
    assert short.apart.prepare() is None
    assert _retention(ask, place_of(series).bucket) == 86_400
    assert _retention(ask, place_of(series).hourly) == 0
    short.write([point(now - 2 * DAY, 1, 999), point(now, 2, 1000)])  # the old one would be refused, for good
    assert [found.position for found in short.last(ALL)] == [1000]
    assert series.apart.prepare() is None
    assert _retention(ask, place_of(series).bucket) == 0
    del influx_server


def test_a_mark_outlives_what_is_forgotten(series: InfluxSeries, now: int) -> None:
    """With a retention the name of the ledger is written again before it would go."""
    later = InfluxSeries(series._server, 1, lambda: now + DAY // 2)  # noqa: SLF001 - the same place, later
    series.apart.claim("0a1b2c3d")
    series.apart.note(7)
    first = _named_at(series)
    assert later.apart.mark() == Mark("0a1b2c3d", 7)
    assert _named_at(series) > first
    assert series.apart.mark() == Mark("0a1b2c3d", 7)


def test_preparing_again_changes_nothing(series: InfluxSeries, ask: Callable[..., Any]) -> None:
    """One task, two buckets; a task that somebody changed or stopped is put right."""
    name = f"constantes hourly {place_of(series).bucket}"
    (first,) = ask("GET", "/tasks", params={"name": name})["tasks"]
    assert series.apart.prepare() is None
    assert ask("GET", "/tasks", params={"name": name})["tasks"] == [first]
    ask("PATCH", f"/tasks/{first['id']}", json={"status": "inactive"})
    ask("POST", "/tasks", json={"org": place_of(series).org, "flux": first["flux"]})
    assert series.apart.prepare() is None
    (found,) = ask("GET", "/tasks", params={"name": name})["tasks"]
    assert (found["status"], found["flux"]) == ("active", first["flux"])


def test_a_token_for_one_bucket_is_enough_for_points(
    influx_server: InfluxServer, series: InfluxSeries, ask: Callable[..., Any], tmp_path: Path, now: int
) -> None:
    """Hours are not gathered then, and a person is told; everything else works."""
    bucket = influx_server.fresh_bucket()
    found = ask("GET", "/buckets", params={"name": bucket})["buckets"][0]
    rights = [
        {"action": action, "resource": {"type": "buckets", "id": found["id"], "orgID": found["orgID"]}}
        for action in ("read", "write")
    ]
    (tmp_path / "token").write_text(
        ask("POST", "/authorizations", json={"orgID": found["orgID"], "permissions": rights})["token"]
    )
    server = Server(Place(influx_server.url, influx_server.org, bucket, tmp_path / "token", 30.0))
    limited = InfluxSeries(server)
    assert "hours are not gathered" in (limited.apart.prepare() or "")
    limited.clear()
    limited.apart.claim("0a1b2c3d")
    limited.write([point(now, 120)])
    limited.remove([point(now, 120)])
    limited.write([point(now, 121)])
    assert [int(found.value) for found in limited.range("systolic", ALL, 9)] == [121]
    server.close()


def test_no_series_is_made_for_a_reading(series: InfluxSeries, ask: Callable[..., Any], now: int) -> None:
    """However many readings a device sends, its tags are the device and a lane, and there is one of each."""
    series.write([point(now + n // 3, n, n + 1) for n in range(2000)])
    which = f'(bucket: "{place_of(series).bucket}", start: 1970-01-01T00:00:00Z)'
    flux = f'import "influxdata/influxdb"\n influxdb.cardinality{which}'
    body = ask("POST", "/query", params={"org": place_of(series).org}, json={"query": flux}).text
    assert int(body.split()[1].rpartition(",")[2]) <= 3 + 2 * 2
    keys = f'import "influxdata/influxdb/schema"\n schema.tagKeys{which}'
    body = ask("POST", "/query", params={"org": place_of(series).org}, json={"query": keys}).text
    found = {line.rpartition(",")[2] for line in body.splitlines()[1:] if line}
    assert {key for key in found if not key.startswith("_")} == {"device", "lane", "part"}


def _retention(ask: Callable[..., Any], bucket: str) -> int:
    (found,) = ask("GET", "/buckets", params={"name": bucket})["buckets"]
    return sum(int(rule["everySeconds"]) for rule in found["retentionRules"])


def _named_at(series: InfluxSeries) -> str:
    place = place_of(series)
    flux = (
        f'from(bucket: "{place.bucket}") |> range(start: 1970-01-01T00:00:00Z)'
        ' |> filter(fn: (r) => r._measurement == "constantes/ledger") |> last() |> keep(columns: ["_time"])'
    )
    (row,) = series._server.rows(flux)  # noqa: SLF001 - the test looks behind it
    return row["_time"]
