"""What the tests of the deployment look at: the compose file, read and with its variables filled."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.compose_file import filled, read

ROOT = Path(__file__).parents[2]
ENV = {"CONSTANTES_DEPLOYMENT__OID": "1.2.250.1.999", "CONSTANTES_RECORD__PATIENTS": "write"}


@pytest.fixture(scope="session")
def root() -> Path:
    """Give the top of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    """Give the compose file as it is for an installation that answered what must be answered."""
    found: dict[str, Any] = filled(read(ROOT / "docker-compose.yml"), ENV)
    return found


@pytest.fixture(scope="session")
def services(compose: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give its services."""
    return dict(compose["services"])


@pytest.fixture(scope="session")
def mosquitto_settings() -> dict[str, dict[str, list[str]]]:
    """Give both Mosquitto configurations: setting to its values."""
    found: dict[str, dict[str, list[str]]] = {}
    for name in ("constantes.conf", "compose.conf"):
        text = (ROOT / "deploy" / "mosquitto" / name).read_text()
        settings = found.setdefault(name, {})
        for key, value in re.findall(r"^([a-z_]+) (.+)$", text, re.MULTILINE):
            settings.setdefault(key, []).append(value)
    return found
