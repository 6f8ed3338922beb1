"""W8 of the performance page: a year of one patient, a reading a minute, asked for in hourly buckets.

Comes in: a folder, how long. Goes out: ``Row`` values for the embedded series and InfluxDB, beside raw SQL on the same
rows in the same run. Refuses to know: how they are shown.
"""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from decimal import Decimal
from pathlib import Path

from app.memory import collect_rarely
from bench.rows import Row, Say
from ingest.ledger.files import open_ledger
from ingest.series.embedded import EmbeddedSeries
from ingest.series.influx import InfluxSeries
from ingest.series.influx_server import Place, Server
from ingest.series.port import Bucket, Point, Series, Span
from scripts.services import influx

MUST_MS, AIM_MS = 150, 40
YEAR = 365 * 24 * 60
_MINUTE, _HOUR = 60_000_000, 3_600_000_000
_FIRST = 1_764_547_200_000_000  # 2025-12-01, microseconds
_DEVICE, _METRIC = "ox-0001", "spo2"
_TOGETHER = 5000
_FEWEST, _MOST = 5, 40
_SQL = """
SELECT at - at % ?, count(*), min(CAST(value AS REAL)), avg(CAST(value AS REAL)), max(CAST(value AS REAL)) FROM point
WHERE device = ? AND metric = ? AND at >= ? AND at < ? GROUP BY 1 ORDER BY 1
"""


def w8(folder: Path, seconds: float, say: Say, points: int = YEAR) -> list[Row]:
    """Ask raw SQL, the embedded series and InfluxDB (left out where it is not installed) in turn; ms, median and worst.

    A turn after the other, so that what else the machine does meets all alike; the first turn is not counted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    collect_rarely()  # as the process that answers does
    span = [Span(_DEVICE, _FIRST, _FIRST + points * _MINUTE)]
    with ExitStack() as stack:
        stores = dict(_filled(folder, points, say, stack))
        asked: dict[str, Callable[[], int]] = {
            name: lambda store=store: len(store.buckets(_METRIC, span, _HOUR))  # type: ignore[misc]
            for name, store in stores.items()
        }
        peer = stack.enter_context(closing(sqlite3.connect(folder / "ledger.sqlite")))
        asked = {"raw SQL": lambda: len(_raw(peer, span[0])), **asked}
        say("W8: asking")
        _agree(stores, span)
        taken = _in_turn(asked, points // 60, seconds)
    return _rows(taken)


def _filled(folder: Path, points: int, say: Say, stack: ExitStack) -> Iterator[tuple[str, Series]]:
    ledger = stack.enter_context(open_ledger(folder / "ledger.sqlite"))
    embedded = EmbeddedSeries(ledger)
    say(f"W8: {points} points into the embedded series")
    _fill(embedded, points)
    yield "embedded", embedded
    if not influx.missing():
        say(f"W8: {points} points into InfluxDB")
        apart = stack.enter_context(_in_influxdb())
        _fill(apart, points)
        yield "InfluxDB", apart


@contextmanager
def _in_influxdb() -> Iterator[Series]:
    with influx.running() as running:
        server = Server(Place(running.url, running.org, running.fresh_bucket(), running.token_file, 60.0))
        series = InfluxSeries(server)
        series.apart.prepare()
        yield series
        server.close()


def _fill(series: Series, points: int) -> None:
    for first in range(0, points, _TOGETHER):
        numbers = range(first, min(first + _TOGETHER, points))
        series.write([Point(_DEVICE, _METRIC, _FIRST + n * _MINUTE, n + 1, _value(n)) for n in numbers])


def _value(n: int) -> Decimal:
    """A saturation that breathes, with a dip now and then."""
    return Decimal(970 + n % 7 * 3 - (60 if n % 1009 < 5 else 0)) / 10  # noqa: PLR2004 - any shape does


def _raw(connection: sqlite3.Connection, span: Span) -> Sequence[tuple[int, int, float, float, float]]:
    return connection.execute(_SQL, (_HOUR, _DEVICE, _METRIC, span.start, span.end)).fetchall()


def _agree(stores: dict[str, Series], span: Sequence[Span]) -> None:
    """A figure of a wrong answer is worth nothing."""
    said: list[Sequence[Bucket]] = [store.buckets(_METRIC, span, _HOUR) for store in stores.values()]
    assert all(each == said[0] for each in said)


def _in_turn(asked: dict[str, Callable[[], int]], hours: int, seconds: float) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in asked}
    end = time.monotonic() + seconds
    while len(taken["raw SQL"]) < _FEWEST or (time.monotonic() < end and len(taken["raw SQL"]) < _MOST):
        for name, ask in asked.items():
            began = time.perf_counter()
            assert ask() == hours
            taken[name].append((time.perf_counter() - began) * 1000)
    return {name: found[1:] for name, found in taken.items()}


def _rows(taken: dict[str, list[float]]) -> list[Row]:
    peer = statistics.median(taken["raw SQL"])
    rows = []
    for name, found in taken.items():
        middle = statistics.median(found)
        what, value = f"a year by the minute in hours, {name}", f"{middle:.0f} ms (worst {max(found):.0f})"
        facts = {"median_ms": middle, "worst_ms": max(found), "turns": len(found)}
        if name == "raw SQL":
            rows.append(Row("W8", what, value, facts=facts))
        else:
            rows.append(Row("W8", what, value, peer / middle, f"< {MUST_MS} ms", middle < MUST_MS, facts))
    return rows
