"""A ledger file with resources that are due, deliveries from it, and rounds until all is settled."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fhir_export.push.delivery import Delivery
from fhir_export.push.port import Record
from tests.push.shelf import HERE, Clock, Shelf
from tests.support.engines import ENGINES, Place, fresh


@pytest.fixture
def clock() -> Clock:
    """The test's clock."""
    return Clock()


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A new ledger, of each engine in turn."""
    yield from fresh(request, tmp_path)


@pytest.fixture
def shelf(place: Place) -> Iterator[Shelf]:
    """An empty ledger."""
    with place.open() as file:
        yield Shelf(file)


@pytest.fixture
def delivers(shelf: Shelf, clock: Clock) -> Callable[[Record], Delivery]:
    """Make a delivery from the shelf to a record."""
    return lambda record: Delivery(shelf.file, HERE, record, clock, random.Random(1).random)


@pytest.fixture
def settle(clock: Clock) -> Callable[[Delivery], None]:
    """Run rounds, letting the time pass that each asks for, until nothing is left that could be sent."""

    def run(delivery: Delivery, most: int = 2000) -> None:
        for _ in range(most):
            step = delivery.step()
            clock.pass_by(step.wait_s + 0.001)
            if not delivery.health().backlog.due:
                return
        raise AssertionError(f"not settled: {delivery.health()} {delivery.counts}")

    return run
