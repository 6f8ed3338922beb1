"""What the ledger says that trends hold, against what InfluxDB holds, point for point.

Comes in: an installation that is down, a running InfluxDB. Goes out: how many points there are, or an AssertionError
that says which promise was broken and how often. It reads both by questions of its own and shares no code with what
fills them.
"""

from __future__ import annotations

import calendar
import csv
import io
import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from time import strptime
from urllib.parse import unquote

import httpx

from tests.faults.installation import Installation, until
from tests.support.servers import InfluxServer

_GIVEN = """
SELECT m.metric, r.device, a.used_at, m.position, m.normal FROM measurement m
JOIN reading r ON r.position = m.position JOIN attribution a ON a.position = m.position
WHERE a.retracted_at IS NULL
"""
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")
Held = tuple[str, str, int, int, str]
"""Metric, device, microsecond, journal row, digits."""


def check_series(site: Installation, influx: InfluxServer, bucket: str) -> int:
    """Every point of the ledger is in the bucket once, under its time, with its digits; none is extra."""
    wanted, held = in_ledger(site), in_bucket(influx, bucket)
    missing, extra = sorted(wanted - held), sorted(held - wanted)
    assert not missing, f"{len(missing)} of {wanted.total()} points are not in the series, such as {missing[:3]}"
    assert not extra, f"{len(extra)} points are in the series and not in the ledger, such as {extra[:3]}"
    return held.total()


def in_ledger(site: Installation) -> Counter[Held]:
    """The points that there should be."""
    with closing(sqlite3.connect(f"file:{site.data / 'ledger.sqlite'}?mode=ro", uri=True)) as ledger:
        rows = ledger.execute(_GIVEN).fetchall()
    return Counter((metric, device, at, position, plain(normal)) for metric, device, at, position, normal in rows)


def in_bucket(influx: InfluxServer, bucket: str) -> Counter[Held]:
    """The points that there are."""
    fields: dict[tuple[str, str, str, str], dict[str, str]] = {}
    for row in ask(
        influx, f'from(bucket: "{bucket}") |> range(start: 1970-01-02T00:00:00Z, stop: 2100-01-01T00:00:00Z)'
    ):
        if not row["_measurement"].startswith("constantes/"):
            key = row["_measurement"], row["device"], row["lane"], row["_time"]
            fields.setdefault(key, {})[row["_field"]] = row["_value"]
    return Counter(
        (
            unquote(metric),
            unquote(device),
            microsecond(time),
            int(found["position"]),
            plain(found.get("text", found["value"])),
        )
        for (metric, device, _, time), found in fields.items()
    )


def ask(influx: InfluxServer, flux: str) -> list[dict[str, str]]:
    """The rows of a query."""
    with _line(influx) as line:
        answer = line.post("/query", params={"org": influx.org}, json={"query": flux}).raise_for_status()
    found: list[dict[str, str]] = []
    for table in answer.text.split("\r\n\r\n"):
        found += csv.DictReader(io.StringIO(table.strip()))
    assert not any("error" in row for row in found), found[-1]
    return found


def delete_everything(influx: InfluxServer, bucket: str) -> None:
    """What somebody does who wants the bucket empty."""
    which = {"org": influx.org, "bucket": bucket}
    times = {"start": "1970-01-01T00:00:00Z", "stop": "2100-01-01T00:00:00Z"}
    _delete(influx, bucket, lambda line, _: line.post("/delete", params=which, json=times))


def delete_bucket(influx: InfluxServer, bucket: str) -> None:
    """What somebody does who takes it for another one."""
    _delete(influx, bucket, lambda line, id_: line.delete(f"/buckets/{id_}"))


def _delete(influx: InfluxServer, bucket: str, how: Callable[[httpx.Client, str], httpx.Response]) -> None:
    """Delete; an InfluxDB that hangs over it is restarted, as somebody would, and has done it or not."""
    with _line(influx) as line:
        until(lambda: _ids(line, bucket), "the bucket is there")
        try:
            how(line, _ids(line, bucket)[0]).raise_for_status()
        except httpx.ReadTimeout:  # 2.7.12 can (influxdata/influxdb#26797): seen once in forty
            influx.kill()
            influx.start()


def _line(influx: InfluxServer) -> httpx.Client:
    headers = {"Authorization": f"Token {influx.token}"}
    return httpx.Client(base_url=f"{influx.url}/api/v2", headers=headers, timeout=60, trust_env=False)


def _ids(line: httpx.Client, bucket: str) -> list[str]:
    answer = line.get("/buckets", params={"name": bucket})
    return [] if answer.is_error else [each["id"] for each in answer.json()["buckets"]]


def microsecond(time: str) -> int:
    """Since 1970, of a time as InfluxDB writes it."""
    found = _TIME.fullmatch(time)
    assert found is not None, time
    return calendar.timegm(strptime(found[1], "%Y-%m-%dT%H:%M:%S")) * 1_000_000 + int(
        (found[2] or "").ljust(9, "0")[:6]
    )


def plain(digits: str) -> str:
    """Digits without an exponent."""
    return format(Decimal(digits), "f")
