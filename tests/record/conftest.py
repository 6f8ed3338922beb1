"""A record in a process of its own, and a client for it."""

from collections.abc import Iterator

import httpx
import pytest

from simulators.record.process import Running, running


@pytest.fixture(scope="session")
def record() -> Iterator[Running]:
    """One record for all tests that leave its faults as they found them."""
    with running() as one:
        yield one


@pytest.fixture
def client(record: Running) -> Iterator[httpx.Client]:
    """A client of that record."""
    with httpx.Client(base_url=record.base, headers={"Content-Type": "application/fhir+json"}) as one:
        yield one
