"""Real servers for the suites, one a session: native where this machine has it, else a container, else a reasoned skip.

A pytest plugin. Fixtures: `postgres_server`, `influx_server`, `mosquitto_server`, `hapi_server`. A test that asks for
one is of the tier `services` unless it says that it is of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from gateway.broker.credentials import GatewayCredentials
from gateway.broker.gate import DeviceGate
from scripts.probes import brokers
from scripts.probes.brokers import Site
from scripts.services import hapi, influx, mosquitto, postgres
from tests.support import servers_in_containers as containers
from tests.support.servers_container import missing as docker_missing


class Server(Protocol):
    """A running server; a test that kills the session's server starts it again."""

    @property
    def url(self) -> str:
        """Its address."""

    @property
    def pid(self) -> int:
        """Its process number; 0 when it does not run."""

    @property
    def environment(self) -> dict[str, str]:
        """The project's settings that lead to it."""

    def start(self) -> None:
        """Start it again on its data and wait until it answers."""

    def stop(self) -> None:
        """End it in good order."""

    def kill(self, number: int = ...) -> None:
        """Send a signal (SIGKILL unless named); wait when it is one that ends it."""


class PostgresServer(Server, Protocol):
    """PostgreSQL with the ledger's role and database."""

    @property
    def port(self) -> int:
        """On the loopback interface."""

    @property
    def password(self) -> str:
        """The ledger's."""

    @property
    def password_file(self) -> Path:
        """The same, alone in a file."""

    def database(self) -> str:
        """Make an empty database of the ledger's role; its URL, without the password."""


class InfluxServer(Server, Protocol):
    """InfluxDB 2 with an organisation, a bucket and a token that may do everything."""

    org: str
    bucket: str
    token: str

    @property
    def token_file(self) -> Path:
        """The token, alone in a file."""

    def fresh_bucket(self, retention_s: int = 0) -> str:
        """Make an empty bucket that forgets after so many seconds (0: never); its name."""


class MosquittoServer(Server, Protocol):
    """Mosquitto with the shipped configuration, letting in nobody but the gateway."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""

    @property
    def accounts(self) -> Path:
        """The folder of its accounts."""

    @property
    def credentials(self) -> GatewayCredentials:
        """The gateway's account."""

    @property
    def gate(self) -> DeviceGate:
        """What lets devices in."""


SERVERS = frozenset({"postgres_server", "native_postgres", "influx_server", "mosquitto_server", "hapi_server"})
TIERS = frozenset({"services", "faults", "browser", "validator"})
HAPI_PATIENCE_S = 400
"""It starts in 10 s on an idle machine, in 40 on one whose two cores are busy."""
Way = TypeVar("Way", bound=Callable[..., AbstractContextManager[Server]])


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Give one PostgreSQL for all tests: `database()` makes an empty one for each."""
    with _way(postgres.missing(), postgres.running, containers.postgres)() as server:
        yield server


@pytest.fixture(scope="session")
def native_postgres() -> Callable[[], AbstractContextManager[postgres.Server]]:
    """Give what runs a native PostgreSQL of the test's own, with standbys: for tests that break it."""
    if words := postgres.missing():
        pytest.skip(words)
    return postgres.running


@pytest.fixture(scope="session")
def influx_server() -> Iterator[InfluxServer]:
    """Give one InfluxDB for all tests: `fresh_bucket()` makes an empty one for each."""
    with _way(influx.missing(), influx.running, containers.influxdb)() as server:
        yield server


@pytest.fixture(scope="session")
def mosquitto_server() -> Iterator[MosquittoServer]:
    """Give one Mosquitto for all tests: let devices of other names in for each."""
    with _way(mosquitto.missing(), mosquitto.running, containers.mosquitto)() as server:
        yield server


@pytest.fixture(scope="session")
def hapi_server() -> Iterator[Server]:
    """Give one HAPI for all tests: write resources of other names in each."""
    with _way(hapi.missing(), hapi.running, containers.hapi)() as server:
        yield server


@contextmanager
def mosquitto_site(folder: Path) -> Iterator[Site]:
    """Run a Mosquitto of the test's own, with clients that write down what happens."""
    with brokers.mosquitto(folder, _way(mosquitto.missing(), mosquitto.running, containers.mosquitto)) as site:
        yield site


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what needs a real server into the tier `services`, before `-m` chooses; HAPI's start takes its time."""
    for item in items:
        asked = SERVERS & set(getattr(item, "fixturenames", ()))
        marks = {mark.name for mark in item.iter_markers()}
        if asked and not marks & TIERS:
            item.add_marker("services")
        if "hapi_server" in asked and "timeout" not in marks:
            item.add_marker(pytest.mark.timeout(HAPI_PATIENCE_S))


def _way(missing: str, native: Way, contained: Way) -> Way:
    """Choose how to run a server, or skip with what was looked for."""
    if missing and (no_docker := docker_missing()):
        pytest.skip(f"{missing}; {no_docker}")
    return contained if missing else native
