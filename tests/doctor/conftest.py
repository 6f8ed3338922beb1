"""A folder and an environment of its own for each test, and the doctor asked as a person asks it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner


@dataclass(frozen=True, slots=True)
class Told:
    """What the doctor said: exit code and findings."""

    code: int
    items: list[dict[str, Any]]

    @property
    def bad(self) -> set[str]:
        """Codes of errors and warnings."""
        return {item["code"] for item in self.items if item["severity"] != "note"}

    @property
    def codes(self) -> set[str]:
        """All codes."""
        return {item["code"] for item in self.items}

    def words(self, code: str) -> str:
        """The sentences of the one finding with this code."""
        (item,) = [item for item in self.items if item["code"] == code]
        return " ".join(item[part] for part in ("happened", "safe", "remedy"))


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a private data folder, and no setting but its own."""
    for name in os.environ:
        if name.upper().startswith("CONSTANTES_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("CONSTANTES_DATA", str(folder))
    monkeypatch.setenv("CONSTANTES_LANGUAGE", "en")
    return folder


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Told]:
    """Ask for some looks, with settings beside those that are there."""
    from app.cli import app

    def asked(*looks: str, **settings: str) -> Told:
        for name, value in settings.items():
            monkeypatch.setenv(f"CONSTANTES_{name}", value)
        words = [word for look in looks for word in ("--only", look)]
        result = CliRunner().invoke(app, ["doctor", *words, "--json"], catch_exceptions=False)
        assert result.stderr == ""
        document = json.loads(result.stdout)
        assert list(document) == ["errors", "warnings", "notes", "items"]
        return Told(result.exit_code, document["items"])

    return asked
