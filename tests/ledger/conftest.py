"""Each kind of ledger in turn, and an open one of each engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.ledger.files import OpenLedger
from tests.support.engines import ENGINES, Place, fresh, place
from tests.support.ledgers import Bench, bench, relational


@pytest.fixture(name="bench", params=["memory", *ENGINES])
def each_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Each implementation of the port in turn."""
    if request.param == "memory":
        with bench("memory", tmp_path) as made:
            yield made
        return
    with place(request, request.param, tmp_path) as where, where.open() as file:
        yield relational(file)


@pytest.fixture(name="place", params=ENGINES)
def each_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A new ledger of each engine in turn."""
    yield from fresh(request, tmp_path)


@pytest.fixture
def file(place: Place) -> Iterator[OpenLedger]:
    """An open ledger."""
    with place.open() as opened:
        yield opened


@pytest.fixture
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database with nothing in it."""
    with place(request, "postgres", tmp_path) as made:
        yield made


@pytest.fixture
def two(where: Place) -> Iterator[tuple[OpenLedger, OpenLedger]]:
    """One database, opened twice, as by two gateways."""
    with where.open() as first, where.open() as second:
        yield first, second
