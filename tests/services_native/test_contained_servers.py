"""The containers of the suites, as far as they can be checked without Docker: they say what production and we say."""

import re
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from app.settings import load
from scripts.services import cluster, influx
from scripts.services.mosquitto import SHIPPED
from scripts.services.postgres import SETTINGS, write_secrets
from scripts.services.process import Service
from tests.support.servers_container import Contained, missing
from tests.support.servers_docker import PID, Daemon, daemon
from tests.support.servers_in_containers import (
    ContainedHapi,
    ContainedInflux,
    ContainedMosquitto,
    ContainedPostgres,
)

COMPOSE = (Path(__file__).parents[2] / "docker-compose.yml").read_text("utf-8")
DOCUMENTED = {
    "postgres": {"POSTGRES_USER", "POSTGRES_PASSWORD_FILE", "POSTGRES_INITDB_ARGS"},
    "influxdb": {
        "DOCKER_INFLUXDB_INIT_MODE",
        "DOCKER_INFLUXDB_INIT_USERNAME",
        "DOCKER_INFLUXDB_INIT_PASSWORD_FILE",
        "DOCKER_INFLUXDB_INIT_ORG",
        "DOCKER_INFLUXDB_INIT_BUCKET",
        "DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE",
        "INFLUXD_REPORTING_DISABLED",
    },
    "eclipse-mosquitto": set(),
    "hapiproject/hapi": {
        "SPRING_DATASOURCE_URL",
        "SPRING_JPA_PROPERTIES_HIBERNATE_DIALECT",
        "hapi.fhir.fhir_version",
        "hapi.fhir.enforce_referential_integrity_on_write",
        "hapi.fhir.client_id_strategy",
        "hapi.fhir.server_id_strategy",
    },
}
"""What each image's own page documents, of what is used here."""
PORT = 54_321


def contained(kind: str, folder: Path) -> tuple[Service, Contained]:
    """A server that was described and not started."""
    write_secrets(folder)
    kinds: dict[str, Callable[[], Service]] = {
        "postgres": lambda: ContainedPostgres(folder, port=PORT),
        "influxdb": lambda: ContainedInflux(folder, "secret", port=PORT),
        "eclipse-mosquitto": lambda: ContainedMosquitto(folder, port=PORT),
        "hapiproject/hapi": lambda: ContainedHapi(folder, port=PORT),
    }
    server = kinds[kind]()
    assert isinstance(server.life, Contained)
    return server, server.life


@pytest.fixture(params=DOCUMENTED)
def described(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Service, Contained]:
    """Give each server in turn, by its image's name."""
    return request.param, *contained(request.param, tmp_path)


def test_a_container_has_the_image_of_production(described: tuple[str, Service, Contained]) -> None:
    """Name and tag are those of docker-compose.yml, or of the image that it builds."""
    name, _, life = described
    assert re.fullmatch(rf"{name}:v?\d[\w.@:-]+", life.image)


def test_a_container_is_told_only_what_its_image_documents(described: tuple[str, Service, Contained]) -> None:
    """A variable with a slip of the pen would be ignored by the image without a word."""
    name, _, life = described
    assert set(life.environment) == DOCUMENTED[name]


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """Give a stand-in for Docker, to which the real client talks."""
    from testcontainers.core.config import testcontainers_config

    with daemon() as stand_in:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{stand_in.port}")
        monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)
        yield stand_in


def test_docker_gets_what_was_described(docker: Daemon, described: tuple[str, Service, Contained]) -> None:
    """Image, port, variables and mounts reach the daemon in its own words."""
    _, _, life = described
    life.answers = lambda: True
    life.start()
    assert docker.made["Image"] == life.image
    assert docker.made["HostConfig"]["PortBindings"] == {f"{life.inside}/tcp": [{"HostIp": "", "HostPort": str(PORT)}]}
    assert sorted(docker.made.get("Env") or []) == sorted(f"{name}={value}" for name, value in life.environment.items())
    binds = {f"{here}:{there}:{'rw' if here.is_dir() else 'ro'}" for here, there in life.mounts.items()}
    assert set(docker.made["HostConfig"].get("Binds") or []) == binds
    life.remove()


def test_a_container_lives_as_a_process_does(docker: Daemon, tmp_path: Path) -> None:
    """Killed, it is waited for and started again, not made anew; held, it goes on; in the end it is removed."""
    _, life = contained("postgres", tmp_path)
    life.answers = lambda: docker.runs
    life.start()
    assert life.pid == PID
    life.kill(signal.SIGSTOP)
    life.kill(signal.SIGKILL)
    assert life.pid == 0
    life.start()
    life.stop()
    life.remove()
    assert docker.calls == ["create", "start", "kill 19", "kill 9", "wait", "start", "stop", "remove"]


def test_a_docker_that_answers_is_found(docker: Daemon) -> None:
    """Then there is nothing to skip for."""
    assert docker.port
    assert missing() == ""


def test_every_file_that_a_container_mounts_is_there(described: tuple[str, Service, Contained], tmp_path: Path) -> None:
    """Docker would make a folder of a file that is missing. Secrets in it can be read by the container's user."""
    _, _, life = described
    (tmp_path / "broker").mkdir(exist_ok=True)
    for here, there in life.mounts.items():
        assert here.exists()
        if there.startswith("/run/secrets/"):
            assert here.stat().st_mode & 0o777 == 0o644


def test_a_variable_that_names_a_file_names_a_mounted_one(described: tuple[str, Service, Contained]) -> None:
    """The image finds its secrets."""
    _, _, life = described
    named = {value for name, value in life.environment.items() if name.endswith("_FILE")}
    assert named <= set(life.mounts.values())


@pytest.mark.parametrize("variable", sorted({*DOCUMENTED["influxdb"]} - {"DOCKER_INFLUXDB_INIT_PASSWORD_FILE"}))
def test_influx_is_set_up_as_in_production(variable: str, tmp_path: Path) -> None:
    """Organisation, bucket and mode are those of docker-compose.yml."""
    said = contained("influxdb", tmp_path)[1].environment[variable]
    found = re.search(rf'{variable}: "?([^"\n]+)', COMPOSE)
    assert found
    assert found[1] == (said if not variable.endswith("_FILE") else "/run/secrets/series_token")


def test_the_series_settings_are_those_of_production() -> None:
    """Native, contained and production agree on names."""
    assert f"CONSTANTES_SERIES__ORG:-{influx.ORG}}}\n" in COMPOSE
    assert f"CONSTANTES_SERIES__BUCKET:-{influx.BUCKET}}}\n" in COMPOSE


def test_postgres_is_made_and_run_as_in_production() -> None:
    """Encoding, order of text and checksums at its making; the durability of a commit at its start."""
    made = re.search(r"POSTGRES_INITDB_ARGS: (.*)", COMPOSE)
    assert made
    assert {"--data-checksums", "--encoding=UTF8", "--locale=C.UTF-8"} <= {*made[1].split()} & {*cluster.INITDB}
    assert f"synchronous_commit={SETTINGS['synchronous_commit']}\n" in COMPOSE


def test_mosquitto_in_a_container_has_the_shipped_settings(tmp_path: Path) -> None:
    """Only user, paths and the listener's address are others."""
    contained("eclipse-mosquitto", tmp_path)
    ours, shipped = (settings(path.read_text("utf-8")) for path in (tmp_path / "mosquitto.conf", SHIPPED))
    others = {name for name in shipped if ours[name] != shipped[name]}
    assert others == {"user", "password_file", "acl_file", "listener", "persistence_location", "pid_file"}
    assert ours["listener"] == "1883"


@pytest.mark.parametrize("kind", DOCUMENTED)
def test_the_settings_of_a_server_are_settings_of_the_project(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a server says of itself is understood by the program, and leads to its port."""
    server, life = contained(kind, tmp_path)
    monkeypatch.setattr(Contained, "id", "container")
    environment: Mapping[str, str] = server.environment
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    load(None)
    assert any(f":{PORT}" in value for value in environment.values()), life


def test_no_docker_is_told_with_where_it_was_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The reason of a skip says what to start."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody")
    assert missing() == f"no Docker answers at unix://{tmp_path}/nobody"


def settings(text: str) -> dict[str, str]:
    """Mosquitto's settings by name."""
    lines = (line.partition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in lines}
