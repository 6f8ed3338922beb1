"""InfluxDB killed, stopped, emptied, deleted and rebuilt while devices measure: afterwards it equals the ledger.

Sizes come from the environment: INFLUX_READINGS and INFLUX_ROUNDS (2,000 and 1 when absent; the full run has 50,000
and 3), INFLUX_SEED repeats a run's moments.

These tests can fail. With `self._at = versions[-1].position` in `Projector.step` moved ahead of the write, the first
one found 690 of 3,000 points missing (2,000 readings, seed 1).
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulators.devices.outbox import issued
from tests.faults.bursts import Bursts, measuring
from tests.faults.installation import Installation, until
from tests.faults.oracle import check_ledger
from tests.faults.series_oracle import check_series, delete_bucket, delete_everything
from tests.support.servers import InfluxServer

READINGS = int(os.environ.get("INFLUX_READINGS", "2000"))
ROUNDS = int(os.environ.get("INFLUX_ROUNDS", "1"))
SEED = int(os.environ.get("INFLUX_SEED", "1"))
DEVICES = 10
_AWAY_S = (0.5, 4.0)
_AWAY = ("killed", "stopped", "office killed", "all killed")
_LOST = ("emptied", "bucket deleted", "rebuild asked for", "killed")
"""What makes all of it be written again hides what was skipped before: each part is checked before the next."""
_PATIENCE_S = 60.0 + READINGS / 40  # publishing is what takes the time: one reading after the other

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300 + READINGS / 10)]


@pytest.fixture
def influx(influx_server: InfluxServer) -> InfluxServer:
    """One that runs, also after the test."""
    return influx_server


def test_the_series_equals_the_ledger_whatever_befalls_influxdb(
    site: Installation, influx: InfluxServer, tmp_path: Path
) -> None:
    """Every device is answered meanwhile, nothing is skipped, nothing is twice, and nobody has to lift a finger."""
    chance, bucket = random.Random(SEED), influx.fresh_bucket()
    site.settings |= _settings(influx) | {"SERIES__BUCKET": bucket, "SERIES__TIMEOUT_S": "3"}
    secrets = site.register(DEVICES)
    site.start()
    until(lambda: "filled from the start" in site.words, "the series is claimed")
    befell: dict[str, Callable[[], object]] = {
        "killed": lambda: _away(influx, influx.kill, chance),
        "stopped": lambda: _away(influx, influx.stop, chance),
        "emptied": lambda: delete_everything(influx, bucket),
        "bucket deleted": lambda: delete_bucket(influx, bucket),
        "rebuild asked for": lambda: _rebuild(site),
        "office killed": lambda: site.kill("office"),
        "all killed": lambda: _away(influx, influx.kill, chance, site.kill_all),
    }
    orders = [chance.sample(names, len(names)) for _ in range(ROUNDS) for names in (_AWAY, _LOST)]
    behind: list[float] = []
    with measuring(site, secrets, tmp_path / "outbox") as crowd:
        made = 0
        for part, order in enumerate(orders):
            upto = READINGS * (part + 1) // len(orders)
            for place, name in enumerate(order):
                goal = made + (upto - made) * (place + 1) // len(order)
                _burst(site, crowd, goal, chance)
                befell[name]()
            made = upto
            until(lambda: crowd.answered >= made, "the devices are answered", _PATIENCE_S)  # noqa: B023
            behind.append(_catch_up(site, made))
            points = check_series(site, influx, bucket)  # before the next part writes all of it again
        receipts = crowd.finish(_PATIENCE_S)
    assert site.stop() == 0
    everything = [*issued(tmp_path / "outbox")]
    assert len(everything) == READINGS
    balance = check_ledger(site, everything)
    assert "Traceback" not in site.words
    assert influx.token not in site.words
    assert not any(name in line for line in site.words.splitlines() if '"series"' in line for name in secrets)
    _show(befell=orders, receipts=receipts, balance=balance, points=points, seconds_until_caught_up=behind)


def test_devices_are_answered_and_people_are_told_while_influxdb_is_away(
    site: Installation, influx: InfluxServer, tmp_path: Path
) -> None:
    """It starts without it, acknowledges, says how far behind trends are and why, and fills them when it is back."""
    bucket = influx.fresh_bucket()
    site.settings |= _settings(influx) | {"SERIES__BUCKET": bucket, "HTTP__OPEN_METRICS": "yes"}
    secrets = site.register(2)
    influx.kill()
    try:
        site.start()
        with measuring(site, secrets, tmp_path / "outbox") as crowd:
            crowd.more(40)
            crowd.finish(_PATIENCE_S)
            until(lambda: _health(site)["behind"] == 40, "what is behind is counted")
            until(lambda: "nobody answers there" in (_health(site)["problem"] or ""), "a person is told why")
            assert site.is_ready()
            assert "constantes_series_behind 40.0" in _get(site, "/metrics").text
    finally:
        influx.start()
    until(lambda: _health(site)["behind"] == 0 and _health(site)["problem"] is None, "it goes on by itself")
    assert site.stop() == 0
    assert check_series(site, influx, bucket) >= 2 * 40
    assert "trends wait" in site.words
    assert "trends are filled again" in site.words


def _settings(influx: InfluxServer) -> dict[str, str]:
    return {name.removeprefix("CONSTANTES_"): value for name, value in influx.environment.items()}


def _burst(site: Installation, crowd: Bursts, goal: int, chance: random.Random) -> None:
    """Measure until there are ``goal`` readings, and return at a random moment of their way into the series."""
    count = goal - crowd.asked
    moment = _published(site) + chance.randrange(max(count * 9 // 10, 1))
    crowd.more(count)
    until(lambda: _published(site) >= moment, "the burst is being published", _PATIENCE_S, 0.01)


def _away(
    influx: InfluxServer, ends: Callable[[], object], chance: random.Random, meanwhile: Callable[[], object] = int
) -> None:
    ends()
    meanwhile()
    time.sleep(chance.uniform(*_AWAY_S))
    influx.start()


def _rebuild(site: Installation) -> None:
    with site.api() as api:
        api.post("/series/rebuild")


def _get(site: Installation, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{site.http}{path}", timeout=10.0, trust_env=False)


def _health(site: Installation) -> dict[str, Any]:
    return dict(_get(site, "/healthz").json()["series"])


def _catch_up(site: Installation, readings: int) -> float:
    """Wait until so many readings are published and in the series; the seconds that took."""
    began = time.monotonic()
    until(lambda: _published(site) >= readings and _is_level(site), "trends have caught up", _PATIENCE_S, 0.5)
    return round(time.monotonic() - began, 1)


def _is_level(site: Installation) -> bool:
    with site.api() as api:
        found = api.get("/series/lag")
    return not found["behind"] and not found["rebuilding"]


def _published(site: Installation) -> int:
    with closing(sqlite3.connect(f"file:{site.data / 'ledger.sqlite'}?mode=ro", uri=True)) as ledger:
        (given,) = ledger.execute("SELECT count(DISTINCT position) FROM attribution").fetchone()
    return int(given)


def _show(**figures: Any) -> None:  # noqa: ANN401 - whatever can be written as JSON
    """Say what happened, for `pytest -s` and for the reference page that quotes a full run."""
    print(json.dumps(figures, default=dict))  # noqa: T201 - seen with -s, and when the test fails
