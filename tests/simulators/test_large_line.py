"""Large contents over a real broker: a camera process, its outbox, and a gateway that keeps parts."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from simulators.devices.client import Device
from simulators.devices.clock import DeviceClock
from simulators.devices.connection import Endpoint
from simulators.devices.contents import claimed
from simulators.devices.messages import Identity
from simulators.devices.outbox import Outbox, issued
from simulators.devices.retino_camera import NoiseCamera
from simulators.devices.tally import Manner
from simulators.faults import Misbehaviour, parse
from tests.simulators.fake_gateway import Broker, eventually
from tests.simulators.wide_gateway import WideGateway

AT = datetime.fromisoformat("2026-11-21T08:30:00+04:00")
WHO = Identity("cam-0001", "Exemple", "X", "0", "1", ("retinography",))
PROCESS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from tests.simulators.test_large_line import camera, photograph
device = camera(sys.argv[1], Path(sys.argv[2]))
for _ in range(int(sys.argv[3])):
    photograph(device, 3_000_000)
while device.waiting or not device.online:
    device.step(0.02)
device.close()
"""


@pytest.fixture
def wide(broker: Broker) -> Iterator[WideGateway]:
    """A gateway that keeps parts."""
    answering = WideGateway(broker.port)
    yield answering
    answering.close()


def camera(url: str, file: Path | None, *faults: str, manner: Manner | None = None) -> Device:
    """A device on its line."""
    at, wrong = Endpoint.of(url, WHO.device, "s"), Misbehaviour(tuple(map(parse, faults)), 1)
    manner = manner or Manner(part=65_536, ask_s=0.5, repeat_s=1, reconnect_s=0.1)
    return Device(at, WHO, Outbox(file), DeviceClock(), wrong, manner)


def photograph(device: Device, size: int) -> None:
    """Another picture of noise."""
    made = NoiseCamera(int(time.monotonic() * 1000), size).measure(AT)
    device.take({"kind": "retinography", "taken_at": AT.isoformat(), **made})


def finish(device: Device, within_s: float = 25.0) -> None:
    """Until everything is answered."""
    deadline = time.monotonic() + within_s
    while device.waiting or not device.online:
        assert time.monotonic() < deadline, "it never ended"
        device.step(0.02)
    device.close()


def hashes(file: Path) -> set[str]:
    """Of every content ever claimed in an outbox."""
    return {claim.sha256 for reading in issued(file) if (claim := claimed(reading.payload))}


@pytest.mark.parametrize("part", [65_536, 262_144])
def test_twenty_megabytes_cross_the_line(broker: Broker, wide: WideGateway, part: int) -> None:
    """A picture of 20 MB arrives whole, each byte once."""
    device = camera(broker.url, None, manner=Manner(part=part))
    photograph(device, 20_000_000)
    finish(device)
    room = wide.rooms["cam-0001"]
    assert list(room.said.values()) == ["stored"]
    assert room.bytes == sum(map(len, room.contents.values())) == device.tally.part_bytes > 19_900_000


def test_a_bad_line_costs_time_and_nothing_else(broker: Broker, wide: WideGateway, tmp_path: Path) -> None:
    """Shuffled, repeated, dropped, damaged, cut: three pictures arrive, each reading has its verdict."""
    faults = ("blob_shuffle:0.5", "blob_repeat:0.05", "blob_drop:0.1", "blob_byte:0.05", "blob_cut:0.03")
    device = camera(broker.url, tmp_path / "outbox", *faults)
    for _ in range(3):
        photograph(device, 3_000_000)
    finish(device)
    assert set(wide.rooms["cam-0001"].contents) == hashes(tmp_path / "outbox")
    assert device.tally.lost == 0
    assert list((tmp_path / "outbox.contents").iterdir()) == []


def test_a_broker_that_dies_in_the_middle_is_found_again(broker: Broker, wide: WideGateway) -> None:
    """Killed half way and started again: the rest is sent, what had arrived is not."""
    device = camera(broker.url, None)
    photograph(device, 6_000_000)
    failed: list[AssertionError] = []

    def run() -> None:
        try:
            finish(device)
        except AssertionError as late:
            failed.append(late)

    sending = threading.Thread(target=run)
    sending.start()
    eventually(lambda: wide.rooms["cam-0001"].bytes > 1_000_000)
    broker.kill()
    broker.start()
    sending.join()
    assert not failed
    (whole,) = wide.rooms["cam-0001"].contents.values()
    assert device.tally.connects >= 2
    assert device.tally.part_bytes <= len(whole) + 2 * 8 * 65_536


@pytest.mark.faults
def test_a_camera_killed_in_the_middle_loses_nothing(broker: Broker, wide: WideGateway, tmp_path: Path) -> None:
    """Kill -9 while parts are on their way: the next start sends what is missing from its own disk."""
    file, room = tmp_path / "outbox", wide.rooms["cam-0001"]
    words = [sys.executable, "-c", PROCESS, broker.url, str(file)]
    with subprocess.Popen([*words, "3"]) as running:
        eventually(lambda: room.bytes > 1_500_000)
        running.kill()
    assert "pending" in room.said.values()
    subprocess.run([*words, "0"], check=True, timeout=40)
    eventually(lambda: set(room.said.values()) == {"stored"})
    assert set(room.contents) == hashes(file)
    assert list((tmp_path / "outbox.contents").iterdir()) == []
