"""The one way to write: jobs from any thread, one transaction, one fsync, then the results.

Comes in: a job, ``(Connection) -> result``. Goes out: a future that is done only when the job's rows are on stable
storage. Refuses to know: what the rows mean.

Jobs that wait while a commit runs share the next one (group commit): an audit row costs a part of an fsync, not a
whole. Each job has its own savepoint, so that one that fails takes nothing else with it. Every write of a process
goes through its one ``Writer``; the writers of several processes are kept apart by the ``Store``.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, RootTransaction
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ingest.ledger.condition import Condition
from ingest.ledger.engine import Store, named_faults
from ingest.ledger.faults import FlushFailed, LedgerFault, LedgerLost, LedgerUnavailable, silence
from ingest.ledger.jobs import Job, Outcome, alone, together

T = TypeVar("T")

_TOGETHER = 64  # jobs in one transaction at most
_LONG_S = 0.004  # a transaction that has taken so long takes no further job: other processes' writers wait for it
_CHECKPOINT_S = 1.0  # between two copies of the WAL into the file
_WAITING = 1024  # jobs that may wait; then ``submit`` waits itself
_LEAVES_S = 5.0  # of a transaction, before ``close`` waits no longer: a standby that is gone may be gone for long
_LOOK_S = 0.1  # between two looks of ``close``
_TRIES = 5  # of a transaction that another one got in the way of
_LEFT = (
    "The program ends, and a commit of the ledger still waits, for its standby or a lock.",
    "Nothing was acknowledged that is not on disk; devices keep what was not answered.",
    "See that the standby runs, then start the program again.",
)

_ENDED = LedgerLost(
    "What writes to the ledger has ended.",
    "Nothing was acknowledged that is not on disk; devices keep what was not answered.",
    "The program is started again; if this comes back, look at the disk.",
)


class _Submitted(NamedTuple):
    job: Job[Any]
    future: Future[Any]
    lanes: Collection[str] | None


class Writer:
    """One thread with one connection. ``close`` finishes what was submitted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._jobs: queue.Queue[_Submitted | None] = queue.Queue(_WAITING)
        self._left: Sequence[_Submitted] = ()  # of a transaction that had become long
        self._checkpointed = time.monotonic()
        self._connection: Connection | None = None
        self._condition = Condition()
        self._door = threading.Lock()  # nothing is queued behind the last word of ``close``
        self._open = True
        self._since: float | None = None  # when the transaction at hand began
        self._hand: Sequence[_Submitted] = ()  # its jobs
        self._telling = threading.Lock()  # nobody is told twice
        self._given_up = False
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job[T], lanes: Collection[str] | None = None) -> Future[T]:
        """Queue ``job``; the future's result comes after the fsync.

        ``lanes`` names all that the job reads and writes: then other processes may write beside it what has other
        names, and the job may be run again when another one got in its way. Without, nobody writes while it runs.

        The future raises LedgerUnavailable when nothing of the job may be taken for kept, or what the job itself raised
        (then its rows are undone and those of the jobs beside it are not). It cannot be cancelled.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        with self._door:
            if not self._open:
                raise LedgerUnavailable(
                    "The ledger is closed.", "What was answered is on disk.", "Start the program again."
                )
            self._jobs.put(_Submitted(job, future, lanes))
        return future

    def write(self, job: Job[T]) -> T:
        """Submit and wait."""
        return self.submit(job).result()

    @property
    def problem(self) -> str | None:
        """Why nothing is kept at the moment: the last try failed, or waits for a standby or a lock."""
        return silence(self._since) or self._condition.problem

    @property
    def warning(self) -> str | None:
        """What somebody should know of the disk, though it works."""
        return self._store.warning

    @property
    def lost(self) -> LedgerFault | None:
        """Why nothing will be kept any more by this process, which should end; None while there is hope."""
        return self._condition.lost or self._store.lost() or (_ENDED if self._has_ended else None)

    @property
    def _has_ended(self) -> bool:
        """Whether the thread that writes is gone though nobody has closed it: nothing would ever be kept."""
        return self._open and not self._thread.is_alive()

    def close(self) -> None:
        """Finish the jobs that wait, then let go of the file; harmless when repeated.

        A transaction that waits for long, for its standby or a lock, is waited for no more: its jobs and those behind
        it raise LedgerUnavailable, whatever becomes of it.
        """
        with self._door:
            first, self._open = self._open, False
        if first:
            self._jobs.put(None)
        began = time.monotonic()
        while self._thread.is_alive() and not self._given_up:
            self._thread.join(_LOOK_S)
            since = self._since
            if since is not None and time.monotonic() > max(began, since) + _LEAVES_S:
                self._give_up(since)

    def _give_up(self, since: float) -> None:
        """Leave the transaction that began at ``since`` to itself, and tell those who wait for it and behind it."""
        with self._telling:
            if self._since != since:
                return
            self._given_up = True
            left = list(self._hand)
            with suppress(queue.Empty):
                while True:
                    left += filter(None, [self._jobs.get_nowait()])
            self._jobs.put(None)
            for each in left:
                each.future.set_exception(LedgerUnavailable(*_LEFT))

    def _run(self) -> None:
        while batch := self._next():
            self._commit(batch)
        self._let_go()
        self._store.close()

    def _next(self) -> list[_Submitted]:
        """Wait for a job, and take those that wait beside it; none when the last one is done."""
        if self._given_up:
            return []
        batch, self._left = list(self._left), ()
        while len(batch) < _TOGETHER and not (batch and self._jobs.empty()):
            submitted = self._jobs.get()
            if submitted is None:
                self._jobs.put(None)
                break
            batch.append(submitted)
        return batch

    def _commit(self, batch: Sequence[_Submitted]) -> None:
        """Run jobs in one transaction; resolve the futures when it is on disk. What is left has its turn next."""
        outcomes: list[Outcome]
        self._hand, self._since = batch, time.monotonic()
        try:
            with self._store.alone(), named_faults():
                outcomes = self._repeated(batch)
            self._condition.committed()
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            # The commit may or may not have reached the disk: whoever sends again is recognised by key.
            outcomes = [(None, self._failed(_unavailable(error)))] * len(batch)
        with self._telling:
            self._since = None
        if self._given_up:
            return
        self._left = batch[len(outcomes) :]
        for (_, future, _), (result, fault) in zip(batch, outcomes, strict=False):
            if fault is None:
                future.set_result(result)
            else:
                future.set_exception(fault)
        self._checkpoint()

    def _checkpoint(self) -> None:
        """Now and then, when those who wait have their answer."""
        now = time.monotonic()
        if self._connection is not None and now > self._checkpointed + _CHECKPOINT_S:
            self._checkpointed = now
            try:
                with self._store.alone(), named_faults():
                    self._store.checkpoint(self._connection)
                self._condition.checkpointed()
            except LedgerUnavailable as fault:  # commits go on in the log: only a flush that failed ends that
                self._condition.held_up(fault)
                if isinstance(fault, FlushFailed):
                    self._failed(fault)

    def _failed(self, fault: LedgerFault) -> LedgerFault:
        """Close the connection; after an error a new one recovers from what is really on disk."""
        self._condition.failed(fault, self._connection)
        self._let_go()
        return fault

    def _repeated(self, batch: Sequence[_Submitted]) -> list[Outcome]:
        """Run the jobs; again, where another process got in the way and each of them may be run again."""
        named = [each.lanes for each in batch if each.lanes is not None]
        lanes = set().union(*named) if len(named) == len(batch) else None
        jobs = [each.job for each in batch]
        for _ in range(_TRIES - 1):
            try:
                return self._transaction(jobs, lanes)
            except Exception as error:
                if lanes is None or not self._store.may_repeat(error):
                    raise
        return self._transaction(jobs, lanes)

    def _transaction(self, jobs: Sequence[Job[Any]], lanes: Collection[str] | None) -> list[Outcome]:
        connection, transaction = self._begun(lanes)
        outcomes: list[Outcome] = []
        with transaction:
            if len(jobs) == 1:
                outcomes.append(alone(connection, transaction, jobs[0]))
            else:
                together(connection, jobs, outcomes, _LONG_S)
        self._store.committed()
        return outcomes

    def _begun(self, lanes: Collection[str] | None) -> tuple[Connection, RootTransaction]:
        """A transaction in which jobs may run; on a new line where the old one was cut while nobody used it."""
        while True:
            is_new = self._connection is None
            if is_new:
                self._condition.refuse_lost()
                if self._condition.in_doubt:
                    self._store.renew()
            connection = self._connection = self._connection or self._store.engine.connect()
            transaction = connection.begin()
            try:
                self._store.enter(connection, lanes)
                if is_new:
                    self._condition.check(connection)
            except BaseException as error:
                transaction.close()
                if is_new or not (isinstance(error, DBAPIError) and error.connection_invalidated):
                    raise
                connection.close()
                self._connection = None
            else:
                return connection, transaction

    def _let_go(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError, OSError), self._store.alone():
                self._store.leave(connection)
                connection.close()


def _unavailable(error: Exception) -> LedgerFault:
    """The fault itself, or a name for what should not have happened; no text of it, for it may quote a row."""
    if isinstance(error, LedgerFault):
        return error
    return LedgerUnavailable(
        f"The ledger cannot be used ({type(error).__name__}).",
        "Nothing was acknowledged that is not on disk; devices keep what was not answered.",
        "Restart the program; if it comes back, report it as a defect.",
    )
