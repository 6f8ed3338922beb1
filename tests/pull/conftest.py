"""A ledger with a feed as practice software finds it, and a client that may pull all of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copyfile

import pytest
from fastapi import FastAPI

from fhir_export import feed
from fhir_export.pull.routes import fhir_router
from ingest.ledger.files import open_ledger
from tests.pull.clinic import BASE, KEY, Clinic, TestClient, device, ids, patient, valid


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new ledger: making one takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "ledger.db"
    open_ledger(path).close()
    return path


@pytest.fixture
def clinic(tmp_path: Path, empty: Path) -> Iterator[Clinic]:
    """Two patients, two devices, no observation yet."""
    with open_ledger(copyfile(empty, tmp_path / "ledger.db")) as file:
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
