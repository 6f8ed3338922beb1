"""An installation's folder of its own for each test, and the two ways to reach its API."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.settings import Settings, load
from ingest.ledger.files import OpenLedger
from tests.support.engines import ENGINES, Place, fresh
from tests.support.web import Web


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """The new ledger of an installation below the test's folder, of each engine in turn."""
    data = tmp_path / "data"
    data.mkdir()
    yield from fresh(request, data)


@pytest.fixture
def settings(tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of that installation, and no others."""
    for name in os.environ:
        if name.upper().startswith("CONSTANTES_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONSTANTES_DATA", str(tmp_path / "data"))
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    return load()


@pytest.fixture
def file(place: Place) -> Iterator[OpenLedger]:
    """The installation's ledger, opened by the test."""
    with place.open() as opened:
        yield opened


@pytest.fixture
def web(settings: Settings, file: OpenLedger) -> Web:
    """The network's application."""
    return Web(settings, file)


@pytest.fixture
def operator(settings: Settings, file: OpenLedger) -> Web:
    """The application of the Unix socket."""
    return Web(settings, file, operator=True)


@pytest.fixture
def run(settings: Settings) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process; returns exit code, standard output, standard error."""
    from app.cli import app

    def invoke(*words: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, list(words), catch_exceptions=False)
        return result.exit_code, result.stdout, result.stderr

    return invoke
