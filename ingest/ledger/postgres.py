"""PostgreSQL as the ledger's engine: which writers wait for which, and what may be read already.

Comes in: an address. Goes out: ``PostgresStore``, positions and their watermark. Refuses to know: what a job writes.

**Two lanes.** A gateway's commit holds the *office lock* shared and one lock for each device of its batch: all that a
commit reads and writes belongs to its devices, so gateways with other devices commit at the same time. Every other job
(publishing, delivering, registering, auditing) holds the office lock alone, and so runs as all of them do on SQLite:
with nobody beside it. Feed and audit get their positions in commit order by that.

**No deadlock.** Every transaction takes its locks in one order: the office lock first, once, in the strength that it
needs to its end; then the devices' locks by ascending key; then the mark, which is shared and never waited for; then,
if at all, the lock of ``CONFIRMED``, whose holder takes none after it. Rows are locked only by those who hold the lock
that they belong to. Should PostgreSQL find a deadlock all the same (40P01), a gateway's commit is repeated whole: it is
a function of its items.

**READ COMMITTED** for what writes: each statement sees all that was committed before the locks were granted. Readers
see one snapshot (REPEATABLE READ) until they close.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import psycopg
from psycopg import errors
from sqlalchemy import Connection, Engine, event

from ingest.ledger import numbers
from ingest.ledger.arrays import array
from ingest.ledger.engine import Overtaken
from ingest.ledger.faults import LedgerRefused, LedgerUnavailable
from ingest.ledger.reaching import ISOLATION, PATIENCE, Address, writing_engine

_REPEAT = (errors.DeadlockDetected, errors.SerializationFailure)
# Advisory locks: pairs of 32 bits for what is waited for, one of 64 bits (tag, position) for marks.
_DEVICES, _ALONE = 1_129_270_867, 1_129_270_868  # 'CONS', and the next
_OFFICE, _MIGRATION, _CONFIRMED = 1, 2, 3
_TAG = 0x434F  # above 48 bits of a position

_LOOKED_AT = (
    "synchronous_commit",
    "synchronous_standby_names",
    "fsync",
    "full_page_writes",
    "transaction_isolation",
    "lock_timeout",
)
_STANDING = ", ".join(f"current_setting('{name}')" for name in _LOOKED_AT)
# Only a transaction that has written to the WAL waits for the standby. One that finds all that it has to keep kept
# would answer for a commit that the standby may not have yet: so each writes a word that nobody reads.
_WORD = "pg_logical_emit_message(true, 'constantes', '')"
_ENTER_ALONE = f"SELECT {_STANDING}, {_WORD}, pg_advisory_xact_lock({_ALONE}, {_OFFICE})"
_ENTER_BESIDE = f"SELECT {_STANDING}, {_WORD}, pg_advisory_xact_lock_shared({_ALONE}, {_OFFICE})"
_ENTER_LANES = f"SELECT count(pg_advisory_xact_lock({_DEVICES}, k)::text) FROM unnest(CAST(? AS integer[])) AS k"  # noqa: S608 - constants
_LAST = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM journal_position_seq"
# The row of ``mark`` has to be there before the first value is drawn: the lock is held by then.
_DRAW = f"""
WITH mark AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(({_TAG}::bigint << 48) | ({_LAST}))::text AS held)
SELECT nextval('journal_position_seq'), held FROM mark CROSS JOIN generate_series(1, ?)
"""  # noqa: S608 - constants
_MARKS = f"""
SELECT min(((classid::bigint & 65535) << 32) | objid::bigint) FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 16 = {_TAG}
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""  # noqa: S608 - constants


class PostgresStore:
    """``ingest.ledger.engine.Store`` over a database that any number of processes write to."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.engine: Engine = writing_engine(address)
        self.warning: str | None = None
        self._is_warned = False
        event.listen(self.engine, "connect", self._listen)
        for end in ("commit", "rollback"):
            event.listen(self.engine, end, self._forget)

    def alone(self) -> AbstractContextManager[None]:
        """See the port: the database keeps its writers apart by itself."""
        return nullcontext()

    def enter(self, connection: Connection, lanes: Collection[str] | None) -> None:
        """See the port."""
        wanted = _ENTER_ALONE if lanes is None else _ENTER_BESIDE
        self._look(*connection.exec_driver_sql(wanted).one()[: len(_LOOKED_AT)])
        if lanes:
            connection.exec_driver_sql(_ENTER_LANES, (array(sorted(map(_key, lanes)), "BIGINT"),))

    def enter_migration(self, connection: Connection) -> None:
        """Let one process at a time look at the schema and change it; raises LedgerRefused for a wrong database."""
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ALONE}, {_MIGRATION})")
        *standing, encoding = connection.exec_driver_sql(
            f"SELECT {_STANDING}, current_setting('server_encoding')"
        ).one()
        if encoding != "UTF8":
            raise LedgerRefused(
                f"The ledger's database keeps text as {encoding}.",
                "Nothing was changed.",
                "Make the database anew with the encoding UTF8.",
            )
        self._look(*standing)

    def set_forward(self, connection: Connection) -> None:
        """Numbers go on behind the highest that is used, however the rows came here; after ``enter_migration``."""
        if numbers.behind(connection):
            # Whoever draws a number meanwhile would be overtaken: nobody writes.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ALONE}, {_OFFICE})")
            numbers.set_forward(connection)

    def _look(self, commits: str, names: str, has_fsync: str, has_pages: str, isolation: str, waits: str) -> None:
        """Whether a commit is on two machines before it is told of; raises LedgerUnavailable where it has to be."""
        if (isolation, waits) != (ISOLATION, PATIENCE):
            raise LedgerUnavailable(*_NOT_OURS)
        for name, value in (("fsync", has_fsync), ("full_page_writes", has_pages)):
            if value == "off":
                raise LedgerUnavailable(*_loses(name))
        if commits == "off" and not self._address.standby_required:
            raise LedgerUnavailable(*_ANSWERS_EARLY)
        is_waited_for = bool(names.strip()) and commits in ("on", "remote_apply")
        is_early = bool(names.strip()) and commits == "remote_write"
        self.warning = None if is_waited_for else _STANDBY_EARLY if is_early else _NO_STANDBY
        if self._address.standby_required and not is_waited_for:
            raise LedgerUnavailable(*_STANDBY_REQUIRED)

    def _listen(self, connection: psycopg.Connection[Any], _record: object) -> None:
        connection.add_notice_handler(self._hear)

    def _hear(self, notice: errors.Diagnostic) -> None:
        self._is_warned = self._is_warned or notice.severity_nonlocalized == "WARNING"

    def _forget(self, _connection: Connection) -> None:
        """What was said before a transaction's end says nothing of its end."""
        self._is_warned = False

    def committed(self) -> None:
        """See the port. A wait for the standby that somebody cancels ends like a commit, and with a warning."""
        if self._is_warned:
            raise LedgerUnavailable(*_CUT_SHORT)

    def may_repeat(self, error: Exception) -> bool:
        """See the port."""
        return isinstance(error, Overtaken) or isinstance(getattr(error, "orig", error), _REPEAT)

    def renew(self) -> None:
        """See the port: the server sees to its own disk, and panics when a flush fails."""

    def lost(self) -> None:
        """See the port: a server that was replaced ends its connections."""

    def leave(self, connection: Connection) -> None:
        """See the port."""

    def checkpoint(self, connection: Connection) -> None:
        """See the port: the server does it."""

    def close(self) -> None:
        """See the port."""
        self.engine.dispose()


_NOT_OURS = (
    "The database does not keep to the ledger's session options, as behind a pooler that drops session options.",
    "Nothing was written; devices keep what was not answered.",
    "Connect to PostgreSQL itself, or have the pooler pass `options` on and keep a session to its client.",
)
_CUT_SHORT = (
    "PostgreSQL gave up waiting for its standby in the midst of a commit.",
    "Nothing was acknowledged; what is sent again is recognised.",
    "See that the standby runs, and who cancels the ledger's commits.",
)
_STANDBY_EARLY = "synchronous_commit is remote_write: the standby answers before its disk has what is acknowledged"
_NO_STANDBY = "no synchronous standby: what is acknowledged is on one machine only"
_ANSWERS_EARLY = (
    "PostgreSQL is set to answer before it has written (synchronous_commit is off).",
    "Nothing was written; devices keep what was not answered.",
    "Set synchronous_commit to on for the ledger's database or user.",
)
_STANDBY_REQUIRED = (
    "A synchronous standby is required, and PostgreSQL does not wait for one.",
    "Nothing was written; devices keep what was not answered.",
    "Set synchronous_standby_names, and synchronous_commit to on, or CONSTANTES_LEDGER__STANDBY=auto.",
)


def _loses(setting: str) -> tuple[str, str, str]:
    return (
        f"PostgreSQL runs with {setting}=off: a power cut would take what was acknowledged.",
        "Nothing was written; devices keep what was not answered.",
        f"Set {setting} to on.",
    )


def positions(connection: Connection, count: int) -> list[int]:
    """``count`` places in the journal, ascending, for the transaction at hand; leaves the mark that others stop at.

    The mark is a lock on the last position that was given to anybody before: ``settled_position`` says why.
    """
    return [row[0] for row in connection.exec_driver_sql(_DRAW, (count,))]


def settled_position(connection: Connection) -> int:
    """See ``ingest.ledger.engine.watermark``.

    A writer W locks (shared) the sequence's last value k, and only then draws its positions: each is above k. The
    reader takes the last value L, then the lowest lock m, and reads rows up to min(L, m) in a snapshot that begins
    after that. Let p be a position of W that this snapshot does not show. When the locks were looked at, W

    - held its lock: then m <= k < p;
    - had none yet: then it draws p later, when L was already read: L < p, for a sequence only grows;
    - had none any more: its lock goes when its rows are visible or undone (PostgreSQL ends a transaction for others
      before it gives up its locks), so the later snapshot shows p, or p will never be.

    So no row at or below min(L, m) can appear any more. A commit that waits for its standby still holds its lock.
    """
    if connection.in_transaction():
        raise RuntimeError("the watermark is asked for before the snapshot")
    last = int(connection.exec_driver_sql(_LAST).scalar_one())
    lowest = connection.exec_driver_sql(_MARKS).scalar()
    connection.rollback()
    return last if lowest is None else min(last, int(lowest))


def confirm_alone(connection: Connection) -> None:
    """See ``ingest.ledger.engine.confirm_in_turn``; the last lock that a transaction takes."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ALONE}, {_CONFIRMED})")


def _key(lane: str) -> int:
    """32 signed bits; two lanes with one key wait for each other without need, and harm nothing."""
    return zlib.crc32(lane.encode()) - (1 << 31)
