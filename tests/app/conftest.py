"""An installation's folder of its own for each test, and the two ways to reach its API."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copyfile

import pytest
from typer.testing import CliRunner

from app.settings import Settings, load
from ingest.ledger.files import OpenLedger, open_ledger
from tests.support.web import Web


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new ledger: making one takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "ledger.sqlite"
    open_ledger(path).close()
    return path


@pytest.fixture
def settings(tmp_path: Path, empty_ledger: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an installation below the test's folder, and no others."""
    for name in os.environ:
        if name.upper().startswith("CONSTANTES_"):
            monkeypatch.delenv(name)
    data = tmp_path / "data"
    data.mkdir()
    copyfile(empty_ledger, data / "ledger.sqlite")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONSTANTES_DATA", str(data))
    return load()


@pytest.fixture
def file(settings: Settings) -> Iterator[OpenLedger]:
    """The installation's ledger, opened by the test."""
    with open_ledger(settings.ledger_path) as opened:
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
