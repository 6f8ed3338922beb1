"""kill -9 at random moments: of the gateway, of the broker, of the office, of everything at once.

Sizes come from the environment: KILL_READINGS and KILL_COUNT (2,000 and 6 when absent; the full run has 20,000 and
20), KILL_SEED repeats a run's moments.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from simulators import simulate
from simulators.devices.client import Device
from simulators.devices.clock import DeviceClock
from simulators.devices.connection import Endpoint
from simulators.devices.kinds import identity
from simulators.devices.outbox import Outbox, issued
from simulators.devices.tally import Manner
from simulators.faults import Misbehaviour
from simulators.record import process as record
from tests.faults.installation import ROOT, Installation, until
from tests.faults.oracle import check_ledger, check_record, fired, in_record
from tests.faults.trusting import Trusting

READINGS = int(os.environ.get("KILL_READINGS", "2000"))
KILLS = int(os.environ.get("KILL_COUNT", "6"))
SEED = int(os.environ.get("KILL_SEED", "1"))
DEVICES = 10
ASKING = 40  # readings of the one device that asks for the record's confirmation
_EVERY_S = 6.0  # between two kills, on average

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
        asking, secret = secrets.popitem()
        site.start()
        with _load(site, secrets, tmp_path) as load, _asking(site, asking, secret, tmp_path) as asked:
            killed = _kill(site, chance)
            told = load()
            report = asked()
        assert told["unanswered"] == 0, told
        everything = [*issued(tmp_path / "load.outbox"), *issued(tmp_path / "asking.outbox")]
        assert len(everything) == READINGS + ASKING
        assert report.answered, report.tally
        assert len(report.tally.stored) == ASKING
        _wait_for(lambda: in_record(held.inspect) >= 2 * len(everything), 30 + READINGS / 50)
        unconfirmed, asked_again = _ask_again(site, asking, secret, tmp_path / "asking.outbox", report)
        assert site.stop() == 0
        balance = check_ledger(site, everything)
        delivered = check_record(held.inspect, everything) | {"cut": fired(held.inspect, "cut")}
        assert delivered["cut"] > 0
        assert not unconfirmed, f"{len(unconfirmed)} readings in the record were not confirmed to their device"
    assert "Traceback" not in site.words
    _show(
        kills=killed,
        load=told,
        confirmed={"at once": len(report.tally.in_record), "asked again": len(asked_again)},
        balance=balance,
        record=delivered,
    )


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
    _wait_for(lambda: _stored(site) >= len(taken), 30.0)
    for device in devices:
        device.close()
    assert site.stop() == 0
    balance = check_ledger(site, taken)
    assert "Traceback" not in site.words
    _show(kills={"gateway": rounds}, taken=len(taken), balance=balance)


def _kill(site: Installation, chance: random.Random) -> Counter[str]:
    """Kill so many times at random moments, every victim once in each round."""
    rounds = -(-KILLS // len(VICTIMS))
    order = [victim for _ in range(rounds) for victim in chance.sample(list(VICTIMS), len(VICTIMS))][:KILLS]
    for victim in order:
        time.sleep(chance.uniform(0.5, 2 * _EVERY_S - 0.5))
        VICTIMS[victim](site)
    return Counter(order)


@contextmanager
def _load(site: Installation, secrets: dict[str, str], folder: Path) -> Iterator[Callable[[], dict[str, Any]]]:
    """Run the crowd of meters beside the kills; what is given waits for its end and returns its account."""
    listed = folder / "devices.json"
    listed.write_text(json.dumps([{"device": name, "secret": secret} for name, secret in secrets.items()]))
    command = [sys.executable, "-m", "simulators.load", f"--url={site.url}", f"--devices={listed}", "--durable"]
    command += [f"--outbox={folder / 'load.outbox'}", f"--count={READINGS}", "--repeat-s=10", "--deadline-s=90"]
    command += [f"--rate={READINGS / (KILLS * _EVERY_S)}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield lambda: json.loads(running.communicate()[0])
        finally:
            running.terminate()


@contextmanager
def _asking(site: Installation, device: str, secret: str, folder: Path) -> Iterator[Callable[[], simulate.Report]]:
    """Run one meter that waits for the record's confirmation of each reading."""
    task = simulate.Simulation(
        "blood_pressure",
        site.url,
        device,
        secret,
        rate=ASKING / (KILLS * _EVERY_S),
        count=ASKING,
        outbox=folder / "asking.outbox",
        deadline_s=KILLS * _EVERY_S + 60,
        awaits_record=True,
    )
    stop = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(simulate.run, task, stop)
        try:
            yield running.result
        finally:
            stop.set()


def _ask_again(
    site: Installation, device: str, secret: str, outbox: Path, report: simulate.Report
) -> tuple[set[str], set[str]]:
    """Offer the readings whose confirmation was lost again, until each has come; return those still missing, and all.

    A confirmation goes to a device once; one that was away then, or whose broker was killed, repeats the reading
    (device contract, section 3).
    """
    missing = report.tally.stored - report.tally.in_record
    kept = Outbox(outbox, marks=True)
    again = Device(
        Endpoint.of(site.url, device, secret),
        identity("blood_pressure", device, asks_record=True),
        kept,
        DeviceClock(),
        Misbehaviour((), 0),
        Manner(repeat_s=3.0),
    )
    kept.hold_again(device)
    end = time.monotonic() + 30
    while not missing <= again.tally.in_record and time.monotonic() < end:
        again.step(0.05)
    again.close()
    kept.close()
    return missing - again.tally.in_record, missing


def _burst(site: Installation, devices: list[Trusting], count: int, chance: random.Random) -> None:
    """Publish as fast as the broker takes it, kill the gateway in the middle, and wait until it is back."""
    before = sum(len(device.taken) for device in devices)
    moment = before + chance.randint(count // 10, count * 9 // 10)
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


def _wait_for(condition: Callable[[], bool], patience_s: float) -> None:
    """Wait; what is missing then is counted by what is checked next."""
    with suppress(TimeoutError):
        until(condition, "everything has arrived", patience_s, 0.2)


def _stored(site: Installation) -> int:
    with site.api() as api:
        return int(api.get("/ledger/balance")["stored"])


def _show(**figures: Any) -> None:  # noqa: ANN401 - whatever can be written as JSON
    """Say what happened, for `pytest -s` and for the reference page that quotes a full run."""
    print(json.dumps(figures, default=dict))  # noqa: T201 - seen with -s, and when the test fails
