"""The parts of docker-compose.yml as they would run on this machine without Docker: the same commands and settings.

Comes in: the compose file, where things are here. Goes out: for each part the words after ``constantes`` and its
environment. Refuses to know: how a process is started.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.compose_file import Value, filled, read

ROOT = Path(__file__).parents[1]
COMPOSE = ROOT / "docker-compose.yml"
IMAGE = "constantes:"
ENV_FILE = ".env"
DATA, SECRETS = "/var/lib/constantes", "/run/secrets"


@dataclass(frozen=True, slots=True)
class Here:
    """Where things are on this machine: ``places`` replaces ``host:port`` of a service in an address.

    ``http_port`` is the API's; ``answers`` is what would stand in ``.env``: compose's variables, and settings of the
    services that have that file for their ``env_file``.
    """

    data: Path
    secrets: Path
    places: Mapping[str, str]
    http_port: int
    answers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Command:
    """A part: ``constantes WORDS...`` in an environment that has these settings and no others."""

    words: tuple[str, ...]
    environment: Mapping[str, str]


def commands(here: Here, path: Path = COMPOSE) -> dict[str, Command]:
    """Every service that runs our own image, by name, in the file's order."""
    services = filled(read(path)["services"], here.answers)
    return {
        name: Command(tuple(service["command"]), _placed(_given(service, here.answers), here))
        for name, service in services.items()
        if service["image"].startswith(IMAGE)
    }


def _given(service: Mapping[str, Value], answers: Mapping[str, str]) -> dict[str, Value]:
    """What the service's process finds: ``environment`` goes before ``env_file``, as compose has it."""
    files = [each["path"] for each in service.get("env_file", ())]
    return {**(answers if ENV_FILE in files else {}), **service["environment"]}


def _placed(environment: Mapping[str, Value], here: Here) -> dict[str, str]:
    return {name: _moved(str(value), here) for name, value in environment.items()} | {
        "CONSTANTES_HTTP__HOST": "127.0.0.1",  # a container's own address is everybody's: its network is its own
        "CONSTANTES_HTTP__PORT": str(here.http_port),
        "CONSTANTES_HTTP__PUBLIC_URL": f"http://127.0.0.1:{here.http_port}",
    }


def _moved(value: str, here: Here) -> str:
    for inside, outside in (*here.places.items(), (DATA, str(here.data)), (SECRETS, str(here.secrets))):
        value = value.replace(inside, outside)
    return value
