"""kill -9 in the middle of bursts: of the gateway, of the broker, of the office, of everything at once.

Sizes come from the environment: KILL_READINGS and KILL_COUNT (2,000 and 6 when absent; the full run has 20,000 and
20), KILL_SEED repeats a run's moments.

These tests can fail. With `self._source.ack(taken)` moved from the end of `Consumer._answer` into `Consumer._submit`,
ahead of the commit, the second test found 62 of 1,992 readings missing from the ledger (seed 1, 3 kills); the first
passed, because a device that waits for its receipt repeats what was lost. With the receipts moved there as well, both
failed: 235 of 2,030 and 173 of 1,992 readings were missing.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from simulators.devices.outbox import issued
from simulators.record import process as record
from tests.faults.asking import Asking
from tests.faults.bursts import Bursts, measuring
from tests.faults.installation import Installation, until
from tests.faults.oracle import check_ledger, check_record, fired, in_record
from tests.faults.trusting import Trusting

READINGS = int(os.environ.get("KILL_READINGS", "2000"))
KILLS = int(os.environ.get("KILL_COUNT", "6"))
SEED = int(os.environ.get("KILL_SEED", "1"))
DEVICES = 10
ASKING = 5 * KILLS  # readings of the one device that asks for the record's confirmation, one a second
_LONGEST_PAUSE_S = 4.0  # between a kill and the next burst: often shorter than what was killed needs to be back
_PATIENCE_S = 60.0

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300 + 60 * KILLS)]

VICTIMS: dict[str, Callable[[Installation], object]] = {
    "gateway": lambda site: site.kill("gateway"),
    "broker": lambda site: site.kill("broker"),
    "office": lambda site: site.kill("office"),
    "everything": Installation.kill_all,
}


def test_each_reading_is_kept_and_delivered_once_whatever_is_killed(site: Installation, tmp_path: Path) -> None:
    """Each reading is once in the ledger, once in the record with one content, and no receipt is missing."""
    chance = random.Random(SEED)
    with record.running(faults=["cut:0.15"], seed=SEED) as held:
        site.settings |= {"RECORD__URL": held.base, "RECORD__PATIENTS": "write"}
        secrets = site.register(DEVICES + 1)
        asking = Asking(site.url, *secrets.popitem(), tmp_path / "asking.outbox", ASKING, 1.0)
        site.start()
        with measuring(site, secrets, tmp_path / "outbox") as crowd, asking.running(30.0) as asked:
            killed = _kill(site, crowd, chance)
            receipts = crowd.finish(_PATIENCE_S)
            tally = asked().tally
        everything = [*issued(tmp_path / "outbox"), *issued(tmp_path / "asking.outbox")]
        assert len(everything) == READINGS + ASKING
        assert len(tally.stored) == ASKING
        _wait(lambda: in_record(held.inspect) >= 2 * len(everything), _PATIENCE_S + READINGS / 50)
        unconfirmed = tally.stored - tally.in_record
        confirmed_again = asking.again(unconfirmed, _PATIENCE_S)
        assert site.stop() == 0
        balance = check_ledger(site, everything)
        delivered = check_record(held.inspect, everything) | {"answers cut": fired(held.inspect, "cut")}
    assert delivered["answers cut"] > 0
    assert unconfirmed == confirmed_again, "readings in the record were not confirmed to the device that asked"
    assert "Traceback" not in site.words
    confirmed = {"at once": len(tally.in_record), "asked again": len(confirmed_again)}
    _show(kills=killed, receipts=receipts, confirmed=confirmed, balance=balance, record=delivered)


def test_what_the_broker_took_arrives_although_the_gateway_is_killed(site: Installation) -> None:
    """A device that trusts the PUBACK alone loses nothing to kills of the gateway: the broker keeps what is unacked.

    The broker is left alone here: killed, it may lose what it took a moment before, and only a device that waits for
    receipts is safe from that.
    """
    chance = random.Random(SEED)
    secrets = site.register(4)
    site.start()
    devices = [Trusting(site.url, name, secret) for name, secret in secrets.items()]
    rounds = max(KILLS // 2, 2)
    for _ in range(rounds):
        _burst(site, devices, READINGS // rounds, chance)
    taken = [reading for device in devices for reading in device.taken]
    assert len(taken) == sum(device.made for device in devices)
    _wait(lambda: _stored(site) >= len(taken), _PATIENCE_S / 2)
    for device in devices:
        device.close()
    assert site.stop() == 0
    balance = check_ledger(site, taken)
    assert "Traceback" not in site.words
    _show(kills={"gateway": rounds}, taken=len(taken), balance=balance)


def _kill(site: Installation, crowd: Bursts, chance: random.Random) -> Counter[str]:
    """Kill so many times, each at a random moment of a burst, every victim once in each round."""
    rounds = -(-KILLS // len(VICTIMS))
    order = [victim for _ in range(rounds) for victim in chance.sample(list(VICTIMS), len(VICTIMS))][:KILLS]
    for place, victim in enumerate(order):
        time.sleep(chance.uniform(0, _LONGEST_PAUSE_S))
        count = READINGS * (place + 1) // KILLS - READINGS * place // KILLS
        moment = crowd.answered + chance.randrange(count * 9 // 10)
        crowd.more(count)
        until(lambda: crowd.answered >= moment, "the burst is being answered", _PATIENCE_S, 0.001)  # noqa: B023
        VICTIMS[victim](site)
    return Counter(order)


def _burst(site: Installation, devices: list[Trusting], count: int, chance: random.Random) -> None:
    """Publish as fast as the broker takes it, kill the gateway in the middle, and wait until it is back."""
    moment = _taken(devices) + chance.randint(count // 10, count * 9 // 10)
    for device in devices:
        device.publish(count // len(devices))
    until(lambda: _taken(devices) >= moment, "the burst is under way", pause_s=0.001)
    killed = site.kill("gateway")
    until(lambda: site.serves("gateway", after=killed), "the gateway is back")
    until(lambda: not sum(device.settle() for device in devices), "the broker took the burst")


def _taken(devices: list[Trusting]) -> int:
    for device in devices:
        device.settle()
    return sum(len(device.taken) for device in devices)


def _stored(site: Installation) -> int:
    with site.api() as api:
        return int(api.get("/ledger/balance")["stored"])


def _wait(condition: Callable[[], bool], patience_s: float) -> None:
    """Wait; what is missing then is counted by what is checked next."""
    with suppress(TimeoutError):
        until(condition, "everything has arrived", patience_s, 0.2)


def _show(**figures: Any) -> None:  # noqa: ANN401 - whatever can be written as JSON
    """Say what happened, for `pytest -s` and for the reference page that quotes a full run."""
    print(json.dumps(figures, default=dict))  # noqa: T201 - seen with -s, and when the test fails
