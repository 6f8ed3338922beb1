"""Jobs for a writer, and what they left: shared by the tests of the writer."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

from sqlalchemy import Connection, select

from ingest.ledger.belonging import FOLDER, NAME
from ingest.ledger.files import OpenLedger
from ingest.ledger.schema import META


def note(name: str, value: str = "-") -> Any:  # noqa: ANN401 - a job
    """A job that writes one row and returns its name."""

    def job(connection: Connection) -> str:
        connection.execute(META.insert().values(name=name, value=value))
        return name

    return job


def names(file: OpenLedger) -> set[str]:
    """What a reader sees now."""
    with file.readers.connect() as connection:
        return set(connection.execute(select(META.c.name).where(META.c.name.not_in((NAME, FOLDER)))).scalars())


def held_up(file: OpenLedger) -> tuple[threading.Event, Future[None]]:
    """Keep the writer busy in a transaction until the event is set."""
    go, busy = threading.Event(), threading.Event()

    def job(_connection: Connection) -> None:
        busy.set()
        assert go.wait(20)

    future = file.writer.submit(job)
    assert busy.wait(20)
    return go, future
