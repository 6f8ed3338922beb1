"""Bad lines between the broker and the gateway, and between devices and the broker: 0 lost, 0 twice, and said so.

The whole installation and a real Mosquitto with the shipped configuration; in between lines that misbehave
(`tests.support.line`). Meters keep each reading until its receipt; the ledger is held against what they made.

Sizes from the environment: LINE_READINGS (300 when absent), LINE_AWAY_S (60: three times the keepalive).
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from scripts.services import mosquitto
from simulators.devices.outbox import issued
from tests.faults.bursts import measuring
from tests.faults.installation import Installation, until
from tests.faults.oracle import check_ledger
from tests.support.line import LOOPBACK, Fault, Line

READINGS = int(os.environ.get("LINE_READINGS", "300"))
AWAY_S = float(os.environ.get("LINE_AWAY_S", "60"))
DEVICES = 5
_PATIENCE_S = 90.0
_RSS = 256 * 2**20
WELL = Fault()

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(300 + int(AWAY_S) + READINGS // 5),
    pytest.mark.skipif(bool(mosquitto.missing()), reason=mosquitto.missing() or "Mosquitto is here"),
]


@dataclass
class Lines:
    """An installation whose gateway reaches Mosquitto by `inner`, and whose meters do by `outer`."""

    site: Installation
    inner: Line
    outer: Line
    secrets: dict[str, str]
    outbox: Path

    def start(self) -> None:
        """Start it and wait until readings are taken."""
        self.site.start()

    def problem(self) -> str | None:
        """Why the gateway takes no readings, None when it does."""
        told = self.site.told("gateway")
        return "nothing said yet" if told is None else None if told.ready else told.problem

    def all_is_there(self, count: int) -> dict[str, Any]:
        """End it; each of so many readings is stored once with its bytes, and nothing else is."""
        assert self.site.stop() == 0
        made = list(issued(self.outbox))
        assert len(made) == count
        assert "Traceback" not in self.site.words
        return check_ledger(self.site, made)


@pytest.fixture
def lines(site: Installation, tmp_path: Path) -> Iterator[Lines]:
    """Give an installation that is not started yet, on two lines that are well."""
    with ExitStack() as held:
        broker = held.enter_context(mosquitto.running(site.data))
        inner = held.enter_context(Line(broker.address).running())
        outer = held.enter_context(Line(broker.address).running())
        site.settings |= {
            "MQTT__URL": f"mqtt://{LOOPBACK}:{inner.port}",
            "MQTT__RELOAD_COMMAND": shlex.join(broker.reload_command),
        }
        secrets = site.register(DEVICES)
        site.mqtt = outer.port
        yield Lines(site, inner, outer, secrets, tmp_path / "outbox")
        site.end()


def test_a_broker_that_takes_the_line_and_says_nothing_is_told_and_tried_again(lines: Lines) -> None:
    """No CONNACK is no connection: not ready, the reason said, tried anew; it goes on when the broker answers."""
    lines.start()
    tries = lines.inner.taken
    lines.inner.fault = Fault(half_open=True)
    lines.inner.cut()
    until(lambda: "broker" in (lines.problem() or ""), "the reason is said")
    until(lambda: not lines.site.is_ready(), "and it is not ready")
    with measuring(lines.site, lines.secrets, lines.outbox) as crowd:
        crowd.more(50)
        until(lambda: lines.inner.taken >= tries + 2, "it gives up waiting, and tries again by itself", 60.0)
        assert not lines.site.is_ready()
        lines.inner.fault = WELL
        until(lines.site.is_ready, "it is ready", 60.0)
        crowd.finish(_PATIENCE_S)
    lines.all_is_there(50)


@pytest.mark.parametrize(
    "fault",
    [Fault(cut_every=3_000), Fault(slice=1), Fault(slice=7, stalls=0.002)],
    ids=["cut mid-PUBLISH", "1-byte slices", "packets late"],
)
def test_a_bad_line_of_the_devices_makes_no_half_reading(lines: Lines, fault: Fault) -> None:
    """Cut in the middle of a PUBLISH, byte by byte, with lost packets: each reading once, whole, with its receipt."""
    lines.start()
    lines.outer.fault = fault
    with measuring(lines.site, lines.secrets, lines.outbox) as crowd:
        crowd.more(READINGS)
        until(lambda: crowd.made == READINGS, "all are measured", _PATIENCE_S)
        if fault.cut_every:
            until(lambda: lines.outer.cuts >= 2 * DEVICES, "every device was cut, twice on average", _PATIENCE_S)
            lines.outer.fault = WELL
        account = crowd.finish(_PATIENCE_S)
    assert account["answered"] == READINGS
    balance = lines.all_is_there(READINGS)
    assert balance["quarantined"] == 0


@pytest.mark.parametrize(
    "fault",
    [Fault(slice=1), Fault(cut_every=3_000), Fault(rate=8_000.0)],
    ids=["1-byte slices", "cut mid-packet", "64 kbit/s"],
)
def test_a_bad_line_of_the_gateway_delays_and_loses_nothing(lines: Lines, fault: Fault) -> None:
    """Receipts come late; each reading is stored once, memory stays bounded, and the gateway is the same process."""
    lines.start()
    pid = lines.site.pids()["gateway"]
    lines.inner.fault = fault
    with measuring(lines.site, lines.secrets, lines.outbox) as crowd:
        crowd.more(READINGS)
        until(lambda: crowd.made == READINGS, "all are measured", _PATIENCE_S)
        if fault.cut_every:
            until(lambda: lines.inner.cuts >= 3, "the gateway was cut", _PATIENCE_S)
            lines.inner.fault = WELL
        crowd.finish(_PATIENCE_S)
    assert resident(pid) < _RSS
    assert lines.site.pids()["gateway"] == pid
    lines.all_is_there(READINGS)


@pytest.mark.parametrize(
    "fault",
    [Fault(silent_down=True), Fault(silent_up=True), Fault(silent_up=True, silent_down=True)],
    ids=["nothing comes", "nothing goes", "both"],
)
def test_a_line_that_falls_silent_is_noticed_and_nothing_is_lost(lines: Lines, fault: Fault) -> None:
    """One way or both: the keepalive notices; what came meanwhile is stored once when the line is well again."""
    lines.start()
    with measuring(lines.site, lines.secrets, lines.outbox) as crowd:
        crowd.more(50)
        crowd.finish(_PATIENCE_S)
        begun = time.monotonic()
        lines.inner.fault = fault
        crowd.more(50)
        until(lambda: lines.problem() is not None, "it says that the broker is away", AWAY_S)
        until(lambda: not lines.site.is_ready(), "and is not ready")
        assert time.monotonic() - begun > 1.0, "it was noticed by the keepalive, not by a cut"
        lines.inner.fault = replace(WELL)
        until(lines.site.is_ready, "it is ready again", 60.0)
        crowd.finish(_PATIENCE_S)
    lines.all_is_there(100)


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")
