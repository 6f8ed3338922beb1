"""Lines, ledgers and a consumer for the gateway's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.broker import nats_config
from scripts.probes.brokers import embedded
from tests.support.brokers import BrokerLine, Line, MemoryLine
from tests.support.ledgers import IMPLEMENTATIONS, Bench, bench
from tests.support.servers import mosquitto_site

EMBEDDED = pytest.param("embedded", id="embedded")
MOSQUITTO = pytest.param("mosquitto", id="mosquitto", marks=pytest.mark.services)


@pytest.fixture(params=[pytest.param("memory", id="memory"), EMBEDDED, MOSQUITTO])
def line(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """Each kind of source in turn, with a device at the other end."""
    if request.param == "memory":
        yield MemoryLine()
        return
    # The embedded broker sends again when this time runs out, not at a reconnect: shorter, or each test waits for it.
    monkeypatch.setattr(nats_config, "ACK_WAIT_S", 2)
    with (embedded if request.param == "embedded" else mosquitto_site)(tmp_path / "broker") as site:
        made = BrokerLine(site)
        yield made
        made.close()


@pytest.fixture(name="bench", params=IMPLEMENTATIONS)
def each_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Each kind of ledger in turn."""
    with bench(request.param, tmp_path) as made:
        yield made
