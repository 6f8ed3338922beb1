"""A ledger file with a camera and a cart, and what was written into it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ingest.inspection.inspector import Inspector
from ingest.ledger.files import OpenLedger
from ingest.ledger.port import Answer, Item, Kept
from ingest.ledger.relational import RelationalLedger
from tests.support.contents import CAMERA
from tests.support.engines import ENGINES, Place, fresh
from tests.support.ledgers import NOW, Looks, register


class Bench:
    """One ledger, one inspector over it, a clock that is set by hand."""

    def __init__(self, file: OpenLedger) -> None:
        self.file, self.ledger, self.now = file, RelationalLedger(file), NOW
        self.looks = Looks()

    def commit(self, *items: Item) -> Sequence[Answer]:
        """Commit one batch and wait for it."""
        return self.ledger.commit(items, self.now).result(10)

    def kept(self, item: Item) -> Kept:
        """Commit one reading."""
        (answer,) = self.commit(item)
        assert isinstance(answer, Kept)
        return answer

    def inspect(self, looks: Looks | None = None) -> int:
        """One round of the inspector."""
        self.looks = looks or self.looks
        return Inspector(self.file, self.looks, lambda: self.now).step()

    def rows(self, statement: str) -> list[Any]:
        """Rows as tuples."""
        with self.file.readers.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A new ledger, of each engine in turn."""
    yield from fresh(request, tmp_path)


@pytest.fixture
def bench(place: Place) -> Iterator[Bench]:
    """A bench in a folder of its own."""
    with place.open() as file:
        for device in (CAMERA, "retino-0002", "ecg-0001"):
            register(file, device)
        yield Bench(file)
