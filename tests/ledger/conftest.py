"""Each kind of ledger in turn, and a ledger file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.ledger.files import OpenLedger, open_ledger
from tests.support.ledgers import IMPLEMENTATIONS, Bench, bench


@pytest.fixture(name="bench", params=IMPLEMENTATIONS)
def each_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Each implementation of the port in turn."""
    with bench(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def file(tmp_path: Path) -> Iterator[OpenLedger]:
    """An open ledger file."""
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened
