"""A registry over a new ledger, with a door that remembers who was let in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile

import pytest

from ingest.ledger.files import OpenLedger, open_ledger
from registry.operations import Registrar, Secret
from tests.support.doors import Door
from tests.support.ledgers import NOW


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new ledger: making one takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "ledger.sqlite"
    open_ledger(path).close()
    return path


@pytest.fixture
def file(tmp_path: Path, empty_ledger: Path) -> Iterator[OpenLedger]:
    """An open ledger with nothing in it."""
    with open_ledger(copyfile(empty_ledger, tmp_path / "ledger.sqlite")) as opened:
        yield opened


@pytest.fixture
def door() -> Door:
    """A broker's door."""
    return Door()


@pytest.fixture
def registrar(file: OpenLedger, door: Door) -> Registrar:
    """The verbs, at a time that stands still."""
    return Registrar(file, door, lambda: NOW, lambda: Secret("plain", "hashed"), frozenset({"cuff"}))
