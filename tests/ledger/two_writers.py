"""One database and several who write to it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from ingest.ledger import journal
from ingest.ledger.files import OpenLedger
from ingest.ledger.port import Item
from ingest.ledger.relational import RelationalLedger
from tests.support.ledgers import NOW

PATIENCE_S = 20.0


@contextmanager
def held_open(file: OpenLedger, items: Sequence[Item], lanes: Collection[str] | None) -> Iterator[Future[Any]]:
    """A transaction that has written these items and does not commit before the block ends."""
    written, go = threading.Event(), threading.Event()

    def job(connection: Connection) -> object:
        done = journal.commit(connection, items, NOW)
        written.set()
        assert go.wait(PATIENCE_S)
        return done

    future = file.writer.submit(job, lanes)
    try:
        assert written.wait(PATIENCE_S)
        yield future
    finally:
        go.set()
    future.result(PATIENCE_S)


def commit(file: OpenLedger, *items: Item) -> Sequence[Any]:
    """Commit one batch as a gateway does."""
    return RelationalLedger(file).commit(items, NOW).result(PATIENCE_S)
