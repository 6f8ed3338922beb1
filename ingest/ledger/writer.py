"""The one way to write: jobs from any thread, one transaction, one fsync, then the results.

Comes in: a job, ``(Connection) -> result``. Goes out: a future that is done only when the job's rows are on stable
storage. Refuses to know: what the rows mean.

Jobs that wait while a commit runs share the next one (group commit): an audit row costs a part of an fsync, not a
whole. Each job has its own savepoint, so that one that fails takes nothing else with it. Every write of a process
goes through its one ``Writer``; the writers of several processes are kept apart by ``WriteLock``.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from ingest.ledger.faults import LedgerFault, LedgerUnavailable
from ingest.ledger.sqlite import WriteLock, named_faults, writing_engine

T = TypeVar("T")
Job = Callable[[Connection], T]

_TOGETHER = 64  # jobs in one transaction at most: it bounds how long the first of them waits
_WAITING = 1024  # jobs that may wait; then ``submit`` waits itself


class Writer:
    """One thread with one connection. ``close`` finishes what was submitted."""

    def __init__(self, ledger: Path) -> None:
        self._engine: Engine = writing_engine(ledger)
        self._lock = WriteLock(ledger)
        self._jobs: queue.Queue[tuple[Job[Any], Future[Any]] | None] = queue.Queue(_WAITING)
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job[T]) -> Future[T]:
        """Queue ``job``; the future's result comes after the fsync.

        The future raises LedgerUnavailable when nothing of the job may be taken for kept, or what the job itself raised
        (then its rows are undone and those of the jobs beside it are not).
        """
        if not self._thread.is_alive():
            raise LedgerUnavailable(
                "The ledger is closed.", "What was answered is on disk.", "Start the program again."
            )
        future: Future[T] = Future()
        self._jobs.put((job, future))
        return future

    def write(self, job: Job[T]) -> T:
        """Submit and wait."""
        return self.submit(job).result()

    def close(self) -> None:
        """Finish the jobs that wait, then let go of the file; harmless when repeated."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()
            self._lock.close()

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            batch, last = [first], False
            while len(batch) < _TOGETHER and not self._jobs.empty():
                following = self._jobs.get()
                if following is None:
                    last = True
                    break
                batch.append(following)
            self._commit(batch)
            if last:
                break
        self._let_go()

    def _commit(self, batch: list[tuple[Job[Any], Future[Any]]]) -> None:
        """Run every job in one transaction; resolve the futures when it is on disk."""
        try:
            with self._lock, named_faults():
                outcomes = self._transaction([job for job, _ in batch])
        except LedgerFault as fault:
            # The commit may or may not have reached the disk: whoever sends again is recognised by key.
            self._let_go()
            outcomes = [(None, fault)] * len(batch)
        for (_, future), (result, error) in zip(batch, outcomes, strict=True):
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def _transaction(self, jobs: list[Job[Any]]) -> list[tuple[Any, BaseException | None]]:
        if self._connection is None:
            self._connection = self._engine.connect()
        connection = self._connection
        with connection.begin():
            return [_apart(connection, job) for job in jobs]

    def _let_go(self) -> None:
        """Close the connection; after an error a new one recovers from what is really on disk."""
        if self._connection is not None:
            with self._lock:
                self._connection.close()
            self._connection = None


def _apart(connection: Connection, job: Job[Any]) -> tuple[Any, BaseException | None]:
    """Run a job in a savepoint of its own; an engine that cannot write ends the whole transaction."""
    savepoint = connection.begin_nested()
    try:
        result = job(connection)
    except (LedgerUnavailable, OperationalError):
        raise
    except Exception as error:  # noqa: BLE001 - it belongs to whoever submitted the job, and reaches him
        savepoint.rollback()
        return None, error
    savepoint.commit()
    return result, None
