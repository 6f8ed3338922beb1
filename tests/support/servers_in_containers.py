"""The same servers in containers, for machines with Docker: the images of docker-compose.yml, ports of our choice.

In: an empty folder. Out: the very objects of `scripts.services`, whose process is a container instead: what they say of
addresses, accounts and settings is the same text. Refuses to know: which suites run on them, and native programs.

Secrets lie in files that everybody may read, in a folder that only this user may enter: a container's user is another.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from secrets import token_urlsafe
from typing import Final, TypeVar, cast

from scripts.services import cluster
from scripts.services.hapi import Server as Hapi
from scripts.services.influx import USER
from scripts.services.influx import Server as Influx
from scripts.services.mosquitto import SHIPPED, placed
from scripts.services.mosquitto import Server as Mosquitto
from scripts.services.postgres import ADMIN, write_secrets
from scripts.services.postgres import Server as Postgres
from scripts.services.process import Life, Service, place
from tests.support.servers_container import Contained

AnyService = TypeVar("AnyService", bound=Service)
ROOT: Final = Path(__file__).parents[2]
NAMED_IN: Final = (ROOT / "docker-compose.yml", ROOT / "deploy" / "hapi" / "Dockerfile")
_ALL_READ: Final = 0o644
_ALL_WRITE: Final = 0o777
_HUP: Final = "import docker, sys; docker.from_env().containers.get(sys.argv[1]).kill('HUP')"


class ContainedPostgres(Postgres):
    """PostgreSQL, its roles and databases made by the file that makes them in production."""

    def _made(self) -> Life:
        names = (ADMIN, *cluster.SECRETS)
        return Contained(
            image("postgres"),
            5432,
            self.port,
            self._answers,
            {
                "POSTGRES_USER": cluster.ADMINISTRATOR,
                "POSTGRES_PASSWORD_FILE": f"{cluster.INSIDE}/{ADMIN}",
                "POSTGRES_INITDB_ARGS": " ".join(cluster.INITDB),
            },
            {
                **_readable(self.folder / name for name in names),
                cluster.SHIPPED: f"/docker-entrypoint-initdb.d/{cluster.SHIPPED.name}",
            },
        )


class ContainedInflux(Influx):
    """InfluxDB 2, set up by its image."""

    def _made(self) -> Life:
        password = self.folder / "series_password"
        password.write_text(token_urlsafe(18), "utf-8")
        self.token_file.write_text(self.token, "utf-8")
        return Contained(
            image("influxdb"),
            8086,
            self.port,
            self._answers,
            {
                "DOCKER_INFLUXDB_INIT_MODE": "setup",
                "DOCKER_INFLUXDB_INIT_USERNAME": USER,
                "DOCKER_INFLUXDB_INIT_PASSWORD_FILE": f"{cluster.INSIDE}/{password.name}",
                "DOCKER_INFLUXDB_INIT_ORG": self.org,
                "DOCKER_INFLUXDB_INIT_BUCKET": self.bucket,
                "DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE": f"{cluster.INSIDE}/{self.token_file.name}",
                "INFLUXD_REPORTING_DISABLED": "true",
            },
            _readable([password, self.token_file]),
        )


class ContainedMosquitto(Mosquitto):
    """Mosquitto with the shipped configuration; its container has it and its state below /mosquitto."""

    @property
    def reload_command(self) -> list[str]:
        """What makes it read its accounts again: a signal to its container."""
        return [sys.executable, "-c", _HUP, cast("Contained", self.life).id]

    def _made(self) -> Life:
        configuration = self.folder / "mosquitto.conf"
        inside = placed(SHIPPED.read_text("utf-8"), Path("/mosquitto/data"), Path("/accounts"), 1883, user="root")
        configuration.write_text(inside.replace("listener 1883 127.0.0.1", "listener 1883"), "utf-8")
        configuration.chmod(_ALL_READ)
        mounts = {configuration: "/mosquitto/config/mosquitto.conf", self.accounts: "/accounts"}
        return Contained(image("eclipse-mosquitto"), 1883, self.port, self._answers, mounts=mounts)


class ContainedHapi(Hapi):
    """HAPI's published server, its database in a folder of ours so that a restart finds it."""

    def _made(self) -> Life:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        data.chmod(_ALL_WRITE)
        return Contained(
            image("hapiproject/hapi"),
            8080,
            self.port,
            self._answers,
            {
                "SPRING_DATASOURCE_URL": "jdbc:h2:file:/record/fhir;WRITE_DELAY=0",
                "SPRING_JPA_PROPERTIES_HIBERNATE_DIALECT": "ca.uhn.fhir.jpa.model.dialect.HapiFhirH2Dialect",
                "hapi.fhir.fhir_version": "R4",
                "hapi.fhir.enforce_referential_integrity_on_write": str(self.reference_checks).lower(),
                "hapi.fhir.client_id_strategy": "ANY",
                "hapi.fhir.server_id_strategy": "UUID",
            },
            {data: "/record"},
        )


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Run PostgreSQL."""
    with place("postgres", None) as folder:
        write_secrets(folder)
        with _running(ContainedPostgres(folder)) as server:
            yield server


@contextlib.contextmanager
def influxdb() -> Iterator[Influx]:
    """Run InfluxDB."""
    with place("influxdb", None) as folder, _running(ContainedInflux(folder, token_urlsafe(32))) as server:
        yield server


@contextlib.contextmanager
def mosquitto(folder: Path | None = None) -> Iterator[Mosquitto]:
    """Run Mosquitto."""
    with place("mosquitto", folder) as home:
        broker = ContainedMosquitto(home)
        broker.shut_out()
        with _running(broker) as server:
            yield server


@contextlib.contextmanager
def hapi() -> Iterator[Hapi]:
    """Run HAPI."""
    with place("hapi", None) as folder, _running(ContainedHapi(folder)) as server:
        yield server


def image(name: str) -> str:
    """The image of this name, with the tag (and the digest, once pinned) that production has."""
    for path in NAMED_IN:
        if found := re.search(rf"^\s*(?:image:|FROM) ({re.escape(name)}:\S+)", path.read_text("utf-8"), re.MULTILINE):
            return found[1]
    raise ValueError(f"no image {name} in {' and '.join(path.name for path in NAMED_IN)}")


@contextlib.contextmanager
def _running(server: AnyService) -> Iterator[AnyService]:
    try:
        server.start()
        yield server
    finally:
        cast("Contained", server.life).remove()


def _readable(secrets: Iterable[Path]) -> dict[Path, str]:
    """Mounts of secrets that the container's user may read; here their folder keeps others out."""
    mounts = {}
    for secret in secrets:
        secret.chmod(_ALL_READ)
        mounts[secret] = f"{cluster.INSIDE}/{secret.name}"
    return mounts
