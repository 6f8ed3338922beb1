"""The embedded engine: how a ledger file is opened, for the one writer of a process and for its readers.

Comes in: a path. Goes out: SQLAlchemy engines with the pragmas that the promises rest on. Refuses to know: tables.

WAL with ``synchronous=FULL`` loses nothing acknowledged to a power cut; ``NORMAL`` did in 274 of 380 simulated ones.
SQLite before 3.51.3 can corrupt a WAL when two connections write or checkpoint at the same instant
(sqlite.org/wal.html#walresetbug): ``WriteLock`` is held around every write, whichever process it comes from, and
readers open the file read-only, so that they never checkpoint.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.pool import NullPool, QueuePool

from ingest import durable
from ingest.ledger.faults import FlushFailed, LedgerLost, LedgerRefused
from ingest.ledger.whereabouts import Whereabouts

_BUSY_S = 10.0
_READERS = 8
_CACHE_KIB = 32_768
_LONG_LOG = 64 << 20  # bytes; one that nobody holds up stays below a few
_FRAME = 4096 + 24  # sqlite.org/fileformat2.html#the_write_ahead_log
_MAGIC = b"SQLite format 3\0"  # sqlite.org/fileformat2.html#magic_header_string


class WriteLock:
    """Keeps the writers of all processes apart, each in its turn: two ``flock``s on files beside the ledger.

    ``flock`` alone lets whoever has just finished begin again before one who waits has woken up. So a writer first
    waits for the turn, keeps it while it waits for the ledger, then passes it on: nobody is overtaken more than once.
    """

    def __init__(self, ledger: Path) -> None:
        self._turn, self._file = (
            os.open(ledger.with_name(ledger.name + end), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            for end in (".turn", ".lock")
        )

    def __enter__(self) -> Self:
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the lock files back."""
        os.close(self._file)
        os.close(self._turn)


class SqliteStore:
    """``ingest.ledger.engine.Store`` over a file: one writer at a time, of all processes."""

    def __init__(self, ledger: Path) -> None:
        self.engine: Engine = writing_engine(ledger, create=False)
        self._lock = WriteLock(ledger)
        self._file = Whereabouts(ledger)
        self._log_bytes = 0
        event.listen(self.engine, "connect", lambda *_: self._file.opened())

    @property
    def warning(self) -> str | None:
        """A log that cannot be begun anew, because somebody reads an old state of the ledger for long."""
        return (
            f"the log is {self._log_bytes >> 20} MiB long: somebody reads an old state of the ledger"
            if self._log_bytes > _LONG_LOG
            else None
        )

    def alone(self) -> WriteLock:
        """See the port."""
        return self._lock

    def enter(self, connection: Connection, lanes: Collection[str] | None) -> None:  # noqa: ARG002 - the port's
        """See the port: ``alone`` keeps everybody else out already."""
        self.committed()

    def committed(self) -> None:
        """See the port: the disk has it, or there was an error. Raises LedgerLost when nobody would find it there."""
        fault = self.lost()
        if fault is not None:
            raise fault

    def may_repeat(self, error: Exception) -> bool:  # noqa: ARG002 - the port's
        """See the port."""
        return False

    def checkpoint(self, connection: Connection) -> None:
        """See the port."""
        if self.lost() is None:
            self._log_bytes = checkpoint(connection)

    def renew(self) -> None:
        """See the port."""
        renew(self._file.log)

    def lost(self) -> LedgerLost | None:
        """See the port."""
        return self._file.lost()

    def leave(self, connection: Connection) -> None:
        """See the port: a log that belongs to a file that is elsewhere now may not be taken for another one's."""
        raw = connection.connection.dbapi_connection
        if raw is not None and self._file.lost() is not None:
            self._file.leave(raw.cursor().execute)
        self._file.closed()

    def close(self) -> None:
        """See the port."""
        self._lock.close()


def writing_engine(ledger: Path, *, create: bool = True) -> Engine:
    """An engine whose one connection writes and checkpoints; begin only under ``WriteLock``."""
    query = {"mode": "rwc" if create else "rw", "uri": "true"}
    engine = create_engine(
        URL.create("sqlite", database=f"file:{quote(str(ledger))}", query=query),
        poolclass=NullPool,
        hide_parameters=True,  # they are health data, and an exception's text ends up in a log
        connect_args={"timeout": _BUSY_S},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver would open transactions by guess
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"cache_size=-{_CACHE_KIB}",
            "wal_autocheckpoint=0",  # see ``checkpoint``
            f"journal_size_limit={_LONG_LOG}",  # what a long reader made of the log is given back after it
        ):
            connection.execute(f"PRAGMA {pragma}")

    event.listen(engine, "begin", _begin_immediate)
    return engine


def checkpoint(connection: Connection) -> int:
    """Copy the WAL back into the file, as far as readers let it; only under ``WriteLock``, outside a transaction.

    Called now and then instead of by SQLite itself, which tries at every commit once the WAL is long and a reader
    keeps it from beginning anew: two more flushes for each. Returns how many bytes of the log are in use. What fails
    here is tried again, writes all of it again, and nothing is lost by it; what the disk says is raised.
    """
    raw = connection.connection.dbapi_connection
    if raw is None:
        return 0
    try:
        _, frames, _ = raw.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return 0
        raise
    return max(0, int(frames)) * _FRAME


def renew(log: Path) -> None:
    """See that the log which is read is the log on disk; only under ``WriteLock``. Raises FlushFailed."""
    try:
        durable.renew(log)
    except OSError as error:
        raise FlushFailed(
            f"The ledger's log cannot be written and read back ({error.strerror}).",
            "Nothing was acknowledged that is not on disk; devices keep what was not answered.",
            "See that the disk of the data folder has room, is writable and healthy.",
        ) from None


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def reading_engine(ledger: Path) -> Engine:
    """An engine of read-only connections; each ``connect`` sees one snapshot until it is closed."""
    engine = create_engine(
        URL.create("sqlite", database=f"file:{quote(str(ledger))}", query={"mode": "ro", "uri": "true"}),
        poolclass=QueuePool,
        hide_parameters=True,
        pool_size=_READERS,
        max_overflow=_READERS,
        connect_args={"timeout": _BUSY_S, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA query_only=ON")
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB // 4}")

    event.listen(engine, "begin", _begin_deferred)
    event.listen(engine, "handle_error", _distrust)
    return engine


def _distrust(context: ExceptionContext) -> None:
    """Give back no connection that could not read: whoever comes next opens the file anew."""
    code = getattr(context.original_exception, "sqlite_errorcode", 0)
    if code & 0xFF == sqlite3.SQLITE_IOERR:
        context.is_disconnect = True


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def check_file(ledger: Path) -> None:
    """Refuse a folder or file that cannot be a ledger, before SQLite makes a mess of it; raises LedgerRefused.

    Nobody but SQLite may open the file, not even to read its first bytes: closing it again would give back every lock
    that this process holds on it, and the next process to close the ledger would take itself for the last one and
    remove the log under those who use it (sqlite.org/howtocorrupt.html, section 2.2).
    """
    try:
        ledger.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        writable = os.access(ledger.parent, os.W_OK) and (not ledger.exists() or os.access(ledger, os.R_OK | os.W_OK))
        if writable and _is_alien(ledger):
            raise _refused(ledger, "not a ledger file")
    except OSError as error:
        raise _refused(ledger, error.strerror or "unreadable") from None
    if not writable:
        raise _refused(ledger, "not writable")


def _is_alien(ledger: Path) -> bool:
    """Whether the file never was a database; one that is damaged is another matter. Raises OSError.

    SQLite looks first, and only reads, so that it never checkpoints. What it does not know for a database nobody in
    this process has in use: then its first bytes tell.
    """
    if ledger.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not ledger.exists():
        return False
    try:
        with closing(sqlite3.connect(f"file:{quote(str(ledger))}?mode=ro", uri=True, timeout=_BUSY_S)) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_NOTADB:
            return False
        with ledger.open("rb") as opened:
            return opened.read(len(_MAGIC)) != _MAGIC
    return False


def _refused(ledger: Path, why: str) -> LedgerRefused:
    return LedgerRefused(
        f"The ledger {ledger.name} cannot be opened in {ledger.parent}: {why}.",
        "Nothing was changed.",
        "Give this user read and write access to the folder, or name another one with CONSTANTES_DATA.",
    )


def integrity(connection: Connection) -> list[str]:
    """What SQLite's own check of the file finds; empty when all is well."""
    found = connection.execute(text("PRAGMA integrity_check(20)")).scalars().all()
    return [line for line in found if line != "ok"]
