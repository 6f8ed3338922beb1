"""Jobs inside a transaction: each may fail without the others.

Comes in: jobs, ``(Connection) -> result``, a connection inside a transaction. Goes out: a result or a fault for each.
Refuses to know: who waits for them, how a transaction ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, RootTransaction

from ingest.ledger.engine import is_of_one_statement

T = TypeVar("T")
Job = Callable[[Connection], T]
Outcome = tuple[Any, Exception | None]


def alone(connection: Connection, transaction: RootTransaction, job: Job[Any]) -> Outcome:
    """Run a job that has the transaction to itself, and so needs no savepoint."""
    try:
        return job(connection), None
    except Exception as error:
        if not is_of_one_statement(error):
            raise
        transaction.rollback()
        return None, error


def together(connection: Connection, jobs: Sequence[Job[Any]], outcomes: list[Outcome], long_s: float) -> None:
    """Run jobs one after the other until they have taken ``long_s``; adds an outcome for each that was run."""
    end = time.monotonic() + long_s
    for job in jobs:
        outcomes.append(_apart(connection, job))
        if time.monotonic() > end:
            break


def _apart(connection: Connection, job: Job[Any]) -> Outcome:
    """Run a job in a savepoint of its own; a ledger that cannot be written ends the whole transaction.

    SQLite may have undone the transaction by itself then. Its savepoint is gone with it, so even a job that swallows
    the error cannot make the commit look done.
    """
    savepoint = connection.begin_nested()
    try:
        result = job(connection)
    except Exception as error:
        if not is_of_one_statement(error):
            raise
        savepoint.rollback()
        return None, error
    savepoint.commit()
    return result, None
