"""A ledger with a feed as practice software finds it, and a client that may pull all of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from fhir_export import feed
from fhir_export.pull.routes import fhir_router
from tests.pull.clinic import BASE, KEY, Clinic, TestClient, device, ids, patient, valid
from tests.support.engines import ENGINES, Place, fresh


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A new ledger, of each engine in turn."""
    yield from fresh(request, tmp_path)


@pytest.fixture
def clinic(place: Place) -> Iterator[Clinic]:
    """Two patients, two devices, no observation yet."""
    with place.open() as file:
        app = FastAPI()
        made = Clinic(file, app)
        app.include_router(fhir_router(file, KEY, base=BASE, clock=lambda: made.now))
        made.append(
            *(feed.Version(patient(one), one) for one in ("p1", "p2")),
            *(feed.Version(device(one), None, one, site) for one, site in (("d1", "nord"), ("d2", "sud"))),
        )
        yield made


@pytest.fixture
def web(clinic: Clinic) -> Iterator[TestClient]:
    """A client that may read and search everything."""
    headers = {"Authorization": f"Bearer {clinic.client()}"}
    with TestClient(clinic.app, raise_server_exceptions=False, headers=headers, follow_redirects=False) as client:
        yield client


@pytest.fixture
def found(web: TestClient) -> Callable[[str], list[str]]:
    """Search by a query; returns the ids."""

    def search(query: str) -> list[str]:
        answer = web.get(f"/fhir/{query}")
        assert answer.status_code == 200, answer.text
        return ids(valid(answer))

    return search
