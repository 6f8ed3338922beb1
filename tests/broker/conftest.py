"""Running brokers for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.broker.embedded import EmbeddedBroker
from scripts.probes.brokers import Site, embedded, free_port
from tests.support.servers import mosquitto_site


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """Give a running embedded broker of the folder `tmp_path / "broker"`."""
    running = EmbeddedBroker(tmp_path / "broker", free_port())
    running.start()
    yield running
    running.stop()


@pytest.fixture(
    params=[
        pytest.param(embedded, id="embedded"),
        pytest.param(mosquitto_site, id="mosquitto", marks=pytest.mark.services),
    ]
)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """Give each broker in turn, running and with nobody let in but the gateway."""
    with request.param(tmp_path / "broker") as running:
        yield running
