"""A ledger that cannot be written, and a hundred thousand messages behind it: memory is bounded, and nothing is lost.

Size from the environment: BOUND_READINGS (10,000 when absent; the full run has 100,000).

This test can fail. With a buffer of any number of bytes (`gateway.mqtt`), or batches of any number (`_AT_ONCE`), the
gateway grew past the bound.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.ledger.sqlite import WriteLock
from scripts.probes.brokers import Client
from simulators.devices import messages
from tests.faults.bursts import measuring
from tests.faults.installation import Installation, until
from tests.faults.trusting import Trusting

READINGS = int(os.environ.get("BOUND_READINGS", "10000"))
DEVICES = 5
LONG, LONG_BYTES = 200, 900_000
"""Messages as long as the contract lets them be, and rejected only once they are looked at: 180 MB."""
BOUND = 256 * 1024**2
ASKED = 200
_PATIENCE_S = 60.0 + READINGS / 500

pytestmark = [pytest.mark.faults, pytest.mark.timeout(int(180 + 3 * _PATIENCE_S))]


@contextmanager
def stopped_writer(site: Installation) -> Iterator[None]:
    """Have the ledger's turn, as another process's writer that hangs would."""
    lock = WriteLock(site.data / "ledger.sqlite")
    try:
        with lock:
            yield
    finally:
        lock.close()


def peak(pid: int) -> int:
    """The most resident memory that a process ever had, in bytes."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def counts(site: Installation) -> dict[str, int]:
    """The balance."""
    with site.api() as api:
        return {name: int(count) for name, count in api.get("/ledger/balance").items()}


def long_messages(site: Installation, device: str, secret: str) -> Client:
    """Hand over messages without waiting for the broker."""
    host, port = "127.0.0.1", site.mqtt
    client = Client(device, secret, device)
    assert client.connect((host, port)) == 0
    stream = secrets.token_hex(16)
    for seq in range(LONG):
        whole = {"v": 1, "stream": stream, "seq": seq, "kind": "body_weight", "padding": "x" * LONG_BYTES}
        client.paho.publish(messages.up(device, "reading"), json.dumps(whole).encode(), qos=1)
    return client


def test_messages_wait_in_the_broker_while_the_ledger_cannot_write(site: Installation, tmp_path: Path) -> None:
    """The gateway says why, answers and acknowledges nothing, stays under 256 MB; then everything is stored.

    Devices that trust the broker's PUBACK, one that waits for receipts, and messages of 900 kB among them.
    """
    names = site.register(DEVICES + 2)
    asking, long = names.popitem(), names.popitem()
    site.start()
    gateway = site.pids()["gateway"]
    idle = peak(gateway)
    devices = [Trusting(site.url, name, secret) for name, secret in names.items()]
    with measuring(site, dict([asking]), tmp_path / "outbox") as crowd:
        before = counts(site)
        with stopped_writer(site):
            crowd.more(ASKED)
            client = long_messages(site, *long)
            for device in devices:
                device.publish(READINGS // DEVICES)
            until(lambda: not sum(device.settle() for device in devices), "the broker took all", _PATIENCE_S)
            until(lambda: not site.is_ready(), "the gateway says that it cannot keep anything")
            told = site.told("gateway")
            assert told is not None
            assert "ledger has not answered" in str(told.problem)
            assert crowd.answered == 0, "a receipt came before the commit"
            assert site.pids()["gateway"] == gateway
            blocked = peak(gateway)
        began = time.monotonic()
        wanted = before["stored"] + READINGS + ASKED
        until(lambda: counts(site)["stored"] >= wanted, "all is stored", _PATIENCE_S, 0.2)
        seconds = time.monotonic() - began
        receipts = crowd.finish(_PATIENCE_S)
        until(lambda: counts(site)["quarantined"] >= LONG, "the long ones are set aside", _PATIENCE_S, 0.2)
    client.leave()
    for device in devices:
        device.close()
    after = peak(gateway)
    taken = [reading for device in devices for reading in device.taken]
    assert len(taken) == READINGS
    assert set(receipts["verdicts"]) == {"stored"}, "a repeat gets the same verdict"
    assert receipts["answered"] == ASKED
    assert counts(site)["stored"] == wanted
    assert after < BOUND
    assert site.pids()["gateway"] == gateway, "it was started again"
    assert "Traceback" not in site.words
    figures = {"idle": idle, "blocked": blocked, "after": after}
    print({name: f"{size / 1024**2:.0f} MB" for name, size in figures.items()} | {"seconds": round(seconds, 1)})  # noqa: T201 - for -s
