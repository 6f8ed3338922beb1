"""Real brokers on free ports, and a gateway that answers."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulators.fake_gateway import Broker, FakeGateway

NATS = Path(sys.executable).parent / "nats-server"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _nats(folder: Path, port: int) -> list[str]:
    document = {
        "server_name": "test",
        "listen": "127.0.0.1:-1",
        "jetstream": {"store_dir": str(folder / "store"), "sync_interval": "1s"},
        "mqtt": {"listen": f"127.0.0.1:{port}", "ack_wait": "2s", "max_ack_pending": 4096},
    }
    (folder / "nats.conf").write_text(json.dumps(document))
    return [str(NATS), "-c", str(folder / "nats.conf")]


def _mosquitto(folder: Path, port: int) -> list[str]:
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if found is None:
        pytest.skip("Mosquitto is not installed")
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "persistence false", "max_inflight_messages 0"]
    (folder / "mosquitto.conf").write_text("\n".join([*lines, "max_queued_messages 0"]) + "\n")
    return [found, "-c", str(folder / "mosquitto.conf")]


@pytest.fixture(params=["nats", pytest.param("mosquitto", marks=pytest.mark.services)])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """Each of the two brokers, without permissions."""
    port = _free_port()
    folder = tmp_path / "broker"
    folder.mkdir()
    running = Broker((_nats if request.param == "nats" else _mosquitto)(folder, port), port)
    running.start()
    yield running
    running.kill()


@pytest.fixture
def gateway(broker: Broker) -> Iterator[FakeGateway]:
    """A gateway that is subscribed."""
    answering = FakeGateway(broker.port)
    yield answering
    answering.close()
