"""What the ledger needs to know of its engine, and nothing more: the small port behind which SQLite and PostgreSQL lie.

Comes in: connections, errors of a driver. Goes out: ``Store``, faults by name, the watermark. Refuses to know: what a
job writes, tables but for the journal's positions.

Statements are one text for both engines, with ``?`` for values; what cannot be one text asks ``is_postgres``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoReaderFree

from ingest.ledger.faults import FlushFailed, LedgerLost, LedgerUnavailable

NO_BOUND = (1 << 63) - 1
"""A watermark that keeps nothing back."""
_ONE_STATEMENT = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_RANGE,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_MISUSE,
    }
)
"""Primary result codes that say something of one statement, and nothing of the file (sqlite.org/rescode.html)."""
_FLUSHES = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})


class Overtaken(LedgerUnavailable):
    """Another commit took what this one was about to take; begun anew, it sees that."""

    def __init__(self) -> None:
        super().__init__(
            "Another gateway keeps messages of the same device.",
            "Nothing was acknowledged that is not on disk; devices keep what was not answered.",
            "Nothing has to be done: it is tried again.",
        )


class Store(Protocol):
    """An engine for the one writer of a process."""

    @property
    def engine(self) -> Engine:
        """Makes the connection that writes."""

    @property
    def warning(self) -> str | None:
        """What somebody should know, though it works; None when all is well."""

    def alone(self) -> AbstractContextManager[object]:
        """Held around everything that the connection does, checkpoints and closing included."""

    def enter(self, connection: Connection, lanes: Collection[str] | None) -> None:
        """The first statement of each transaction: waits until nobody writes what its jobs may read or write.

        ``lanes`` names what a gateway's commit touches: devices. None: anything. Raises LedgerUnavailable when nothing
        may be written now.
        """

    def committed(self) -> None:
        """Called after each commit; raises LedgerUnavailable when it is not where an acknowledgement says it is."""

    def may_repeat(self, error: Exception) -> bool:
        """Whether the same transaction, begun anew, may well succeed."""

    def checkpoint(self, connection: Connection) -> None:
        """Called now and then, outside a transaction, when nobody waits for an answer.

        When it returns, all that was committed before it is where a flush has put it. Raises what the disk raises.
        """

    def renew(self) -> None:
        """Called before a new connection is made where a flush has failed: see that what will be read is on disk.

        Raises LedgerUnavailable when it is not.
        """

    def lost(self) -> LedgerLost | None:
        """Why nothing that is written now would ever be found again; None while all is well. Costs microseconds."""

    def leave(self, connection: Connection) -> None:
        """Called before the connection is closed."""

    def close(self) -> None:
        """Give back what is held outside the connection."""


def is_postgres(connection: Connection) -> bool:
    """Which engine a connection speaks to."""
    return connection.dialect.name == "postgresql"


def watermark(connection: Connection) -> int:
    """The journal's highest position below which no row can appear any more; ask before the snapshot that reads them.

    Where several writers commit at once, positions become visible out of order: a cursor that went on to the highest
    one it sees would never see those that were given before and committed after. Where one writes at a time, all are
    visible in order, and nothing is kept back.

    ``connection`` must be outside a transaction, and is left so: rows are then read in a newer snapshot.
    """
    if not is_postgres(connection):
        return NO_BOUND
    from ingest.ledger.postgres import settled_position  # loads its driver

    return settled_position(connection)


def confirm_in_turn(connection: Connection) -> None:
    """Wait until no other commit gives positions in ``confirmed``: its readers have no watermark."""
    if is_postgres(connection):
        from ingest.ledger.postgres import confirm_alone

        confirm_alone(connection)


def unhurried(connection: Connection) -> None:
    """Let the transaction at hand read for as long as it takes: others end after half a minute."""
    if is_postgres(connection):
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


@contextmanager
def named_faults() -> Iterator[None]:
    """Turn the driver's errors into ``LedgerUnavailable``; SQL and its parameters never reach the text.

    The text of an error of PostgreSQL's has been replaced by names when it comes here (``ingest.ledger.reaching``).
    """
    try:
        yield
    except (DBAPIError, NoReaderFree, sqlite3.Error, UnicodeDecodeError) as error:  # of a damaged file's own words
        cause = getattr(error, "orig", error)
        code = getattr(cause, "sqlite_errorname", str(cause) if hasattr(cause, "sqlstate") else type(cause).__name__)
        fault = FlushFailed if getattr(cause, "sqlite_errorcode", None) in _FLUSHES else LedgerUnavailable
        raise fault(
            f"The ledger cannot be used ({code}).",
            "Nothing was acknowledged that is not on disk; devices keep what was not answered.",
            _remedy(cause),
        ) from None


_SERVER = "See that the ledger's database server runs, can be reached, and has room."
_REMEDIES = {
    "55P03": "A commit may be waiting for its standby: see that the standby runs and is connected.",
    "42501": "Give the ledger's database user its rights to tables and sequences back.",
    "42": "See that this is the ledger's database, and that nobody has changed its tables.",
}
"""By an error's code, or its class, where the server is there and has room."""


def _remedy(cause: object) -> str:
    if isinstance(cause, sqlite3.Error):
        return "See that the disk of the data folder has room, is writable and healthy."
    if isinstance(cause, NoReaderFree):
        return "Too much is read at once: try again in a moment."
    code = getattr(cause, "sqlstate", None) or ""
    return _REMEDIES.get(code) or _REMEDIES.get(code[:2], _SERVER)


def is_of_one_statement(error: Exception) -> bool:
    """Whether an error leaves the transaction usable: not so when the disk, a lock or the line is behind it."""
    cause = getattr(error, "orig", error)
    if isinstance(error, LedgerUnavailable):
        return False
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & 0xFF in _ONE_STATEMENT
    if isinstance(error, DBAPIError):
        from ingest.ledger.reaching import leaves_transaction

        return leaves_transaction(cause)
    return True
