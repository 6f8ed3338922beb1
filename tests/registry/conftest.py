"""A registry over a new ledger, with a door that remembers who was let in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.ledger.files import OpenLedger
from registry.operations import Registrar, Secret
from tests.support.doors import Door
from tests.support.engines import ENGINES, Place, fresh
from tests.support.ledgers import NOW


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A new ledger, of each engine in turn."""
    yield from fresh(request, tmp_path)


@pytest.fixture
def file(place: Place) -> Iterator[OpenLedger]:
    """An open ledger with nothing in it."""
    with place.open() as opened:
        yield opened


@pytest.fixture
def door() -> Door:
    """A broker's door."""
    return Door()


@pytest.fixture
def registrar(file: OpenLedger, door: Door) -> Registrar:
    """The verbs, at a time that stands still."""
    return Registrar(file, door, lambda: NOW, lambda: Secret("plain", "hashed"), frozenset({"cuff"}))
