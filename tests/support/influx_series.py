"""A series in an empty bucket of a running InfluxDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ingest.series.influx import InfluxSeries
from ingest.series.influx_server import Place, Server
from tests.support.servers import InfluxServer


@contextmanager
def in_influxdb(running: InfluxServer, keep_days: int | None = None) -> Iterator[InfluxSeries]:
    """Give one that is prepared."""
    server = Server(Place(running.url, running.org, running.fresh_bucket(), running.token_file, 30.0))
    series = InfluxSeries(server, keep_days)
    assert series.apart.prepare() is None
    yield series
    server.close()
