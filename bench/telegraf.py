"""The other peer of W1: Telegraf from the same broker into InfluxDB 2, with its default settings.

Comes in: a site without a gateway, an InfluxDB. Goes out: readings a second and CPU a reading. Refuses to know: what
Constantes does with the same messages.

Telegraf gets what a careful user would give it: QoS 1, a persistent session, three numbers a message. It keeps no bad
input, answers no device, knows no patient, and writes no FHIR; a second value of one instant replaces the first.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from influxdb_client.client.influxdb_client import InfluxDBClient

from bench.site import Site, cpu_seconds
from scripts.services import influx

TOOL = Path(__file__).resolve().parent.parent / "tools" / "telegraf" / "build"
_BATCH = 1000
"""Its default ``metric_batch_size``; a smaller last batch waits for the flush interval (10 s), and is not counted."""
_START_S, _DRAIN_S = 30.0, 120.0
_CONFIGURATION = """
[agent]
  omit_hostname = true

[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{port}"]
  topics = ["constantes/v1/up/#"]
  qos = 1
  persistent_session = true
  client_id = "{client}"
  username = "{username}"
  password = "{secret}"
  data_format = "json_v2"
  [[inputs.mqtt_consumer.json_v2]]
    measurement_name = "blood_pressure"
{fields}
[[outputs.influxdb_v2]]
  urls = ["{url}"]
  token = "{token}"
  organization = "{org}"
  bucket = "{bucket}"
"""
_FIELD = """    [[inputs.mqtt_consumer.json_v2.field]]
      path = "values.{name}.value"
      rename = "{name}"
      type = "float"
"""
_COUNT = (
    'from(bucket: "{bucket}") |> range(start: 0) |> filter(fn: (r) => r._field == "systolic") |> group() |> count()'
)


@dataclass(slots=True)
class Stored:
    """Readings that Telegraf put into InfluxDB, in so many seconds, with its CPU and InfluxDB's."""

    count: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    influx_cpu_s: float = 0.0

    def add(self, more: Stored) -> None:
        """One more turn."""
        for name in ("count", "seconds", "cpu_s", "influx_cpu_s"):
            setattr(self, name, getattr(self, name) + getattr(more, name))


def missing() -> str:
    """Say what this machine lacks for it; empty when it has all."""
    if not Path(_tool("--path")).exists():
        return "Telegraf is not built (tools/telegraf/build, about a minute)"
    return influx.missing()


def stored(here: Site, publish: Callable[[], int], server: influx.Server) -> Stored:
    """Publish, and count until all but the last batch are in InfluxDB, in a bucket of their own.

    ``publish`` lets the devices in, publishes, and returns how many messages the broker accepted.
    """
    bucket = server.fresh_bucket()
    with (
        _telegraf(here, server, bucket) as process,
        InfluxDBClient(server.url, server.token, org=server.org) as client,
    ):
        cpu, influx_cpu, began = cpu_seconds(process.pid), cpu_seconds(server.pid), time.monotonic()
        accepted = publish()
        end = time.monotonic() + _DRAIN_S
        while (count := _count(client, bucket)) < accepted - _BATCH:
            if time.monotonic() > end:
                raise RuntimeError(f"Telegraf put {count} of {accepted} readings into InfluxDB, then no more")
            time.sleep(0.2)
        took = time.monotonic() - began
        return Stored(count, took, cpu_seconds(process.pid) - cpu, cpu_seconds(server.pid) - influx_cpu)


def _count(client: InfluxDBClient, bucket: str) -> int:
    tables = client.query_api().query(_COUNT.format(bucket=bucket))
    return sum(int(record["_value"]) for table in tables for record in table.records)


@contextmanager
def _telegraf(here: Site, server: influx.Server, bucket: str) -> Iterator[subprocess.Popen[bytes]]:
    own = here.account
    configuration = here.devices.with_name("telegraf.conf")
    configuration.touch(0o600)
    configuration.write_text(
        _CONFIGURATION.format(
            port=here.settings.broker.port, client=own.client_id, username=own.username, secret=own.secret,
            url=server.url, token=server.token, org=server.org, bucket=bucket,
            fields="".join(_FIELD.format(name=name) for name in ("systolic", "diastolic", "pulse")),
        ),
        "utf-8",
    )  # fmt: skip
    with (here.devices.with_name("telegraf.log")).open("wb") as log:
        command = [_tool("--path"), "--config", str(configuration)]
        with subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                _wait_until_connected(process, Path(log.name))
                yield process
            finally:
                process.kill()


def _wait_until_connected(process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_S
    while b"Connected [tcp" not in log.read_bytes():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError("Telegraf did not subscribe")
        time.sleep(0.05)


def _tool(option: str) -> str:
    return subprocess.run([str(TOOL), option], check=True, capture_output=True, text=True).stdout.strip()
