"""Every row looked at again: what was changed, is missing, or does not fit its neighbours.

Comes in: a connection. Goes out: ``Verified`` with each fault by table and position. Refuses to know: what rows mean.

Four looks: SQLite's own check of the file, where it is one; each row's hash, computed again from what is there; the
seals over runs of rows, and the tombstones of those that were pruned; and the rows that have to be there because others
are (a key and its journal row, a stored message and its reading). Reads everything once, in pages, inside the caller's
snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection, Table, func, select, text
from sqlalchemy.exc import DBAPIError

from ingest.blobs import Blobs
from ingest.content.found import Found
from ingest.ledger import pruning, sealing
from ingest.ledger.engine import is_postgres, unhurried
from ingest.ledger.looks import HASHED, Fault, faults, pages
from ingest.ledger.schema import JOURNAL, METADATA, READING, RECORDING
from ingest.ledger.sqlite import integrity
from ingest.model import Key

__all__ = ["Fault", "Progress", "Verified", "verify"]

Progress: TypeAlias = Callable[[int, int], None]
"""Called now and then with rows looked at, and rows there are."""
_SPARSE = (READING, RECORDING)
"""All others count from 1 without a hole; on PostgreSQL the journal has holes where a commit was undone: there it is
the seals that tell of a row that is missing."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Rows whose hash was computed again, blobs whose hash was, and everything that was wrong.

    ``head`` names the newest seal (``ingest.ledger.sealing.head``).
    """

    rows: int
    blobs: int
    faults: tuple[Fault, ...]
    head: str | None = None


def verify(
    connection: Connection, progress: Progress = lambda _done, _all: None, blobs: Blobs | None = None
) -> Verified:
    """Look at everything; takes about a minute for a million readings, and as long as reading every blob takes.

    Without ``blobs`` only rows are looked at.
    """
    unhurried(connection)
    found = [] if is_postgres(connection) else _file(connection)
    whole = sum(_count(connection, table) for table in HASHED)
    done = 0
    for table in HASHED:
        for looked_at, wrong in _table(connection, table):
            done += looked_at
            found += wrong
            progress(done, whole)
    found += _sealed(connection)
    found += _unreadable(connection)
    found += _disagreements(connection)
    names = {} if blobs is None else named_blobs(connection)
    found += [Fault("blob", at, "blob") for name, at in names.items() if blobs and not blobs.is_sound(name)]
    progress(whole, whole)
    return Verified(done, len(names), tuple(found), sealing.head(connection))


def _file(connection: Connection) -> list[Fault]:
    """What SQLite says of its file."""
    try:
        return [Fault("file", None, "file") for _ in integrity(connection)]
    except DBAPIError:
        return [Fault("file", None, "file")]


def _table(connection: Connection, table: Table) -> Iterator[tuple[int, list[Fault]]]:
    """How many rows a page had, and what is wrong with them; what the engine cannot read ends the table."""
    sparse = table in _SPARSE or (table is JOURNAL and is_postgres(connection))
    last = 0
    try:
        for page in pages(connection, table):
            wrong = faults(connection, table, page)
            for at in sorted((*(row[0] for row in page.rows), *page.unreadable)):
                if at != last + 1 and not sparse:
                    wrong.append(Fault(table.name, at, "position_gap"))
                last = at
            yield len(page.rows) + len(page.unreadable), wrong
    except DBAPIError:
        if is_postgres(connection):
            raise
        yield 0, [Fault(table.name, last + 1, "unreadable")]


def _sealed(connection: Connection) -> list[Fault]:
    """Seals and tombstones."""
    found = []
    for look, table in ((sealing.findings, "segment"), (pruning.findings, "tombstone")):
        try:
            found += [Fault(*each) for each in look(connection)]
        except (DBAPIError, TypeError, AttributeError, ValueError):  # of another type than was ever written
            if is_postgres(connection):
                raise
            found.append(Fault(table, None, "unreadable"))
    return found


def _unreadable(connection: Connection) -> Iterator[Fault]:
    """Tables without hashes, read once: what the engine cannot read shows."""
    for table in METADATA.sorted_tables:
        if table in HASHED or is_postgres(connection):
            continue
        try:
            for _ in connection.execution_options(yield_per=1000).execute(select(table)):
                pass
        except DBAPIError:
            yield Fault(table.name, None, "unreadable")


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


# ---------------------------------------------------------------- rows beside each other

_PAIRS = {
    ("key", "key_without_journal"): """
        SELECT k.position FROM key k LEFT JOIN journal j ON j.position = k.position
        AND j.device = k.device AND j.stream = k.stream AND j.seq = k.seq WHERE j.position IS NULL""",
    ("journal", "journal_without_key"): """
        SELECT j.position FROM journal j LEFT JOIN key k
        ON k.device = j.device AND k.stream = j.stream AND k.seq = j.seq AND k.position <= j.position
        WHERE j.seq IS NOT NULL AND k.position IS NULL AND coalesce(j.reason, '') != 'device.not_served'""",
    ("journal", "stored_without_reading"): """
        SELECT j.position FROM journal j LEFT JOIN reading r ON r.position = j.position AND r.device = j.device
        WHERE j.outcome = 'stored' AND r.position IS NULL""",
    ("reading", "reading_without_journal"): """
        SELECT r.position FROM reading r LEFT JOIN journal j ON j.position = r.position WHERE j.position IS NULL""",
    ("journal", "quarantined_without_row"): """
        SELECT j.position FROM journal j LEFT JOIN quarantine q ON q.position = j.position
        WHERE j.outcome = 'quarantined' AND q.position IS NULL""",
    ("quarantine", "replayed_without_reading"): """
        SELECT q.position FROM quarantine q LEFT JOIN reading r ON r.position = q.position
        LEFT JOIN replay p ON p.position = q.position AND p.outcome IN ('stored', 'pending', 'look_again')
        WHERE q.state = 'replayed' AND (r.position IS NULL OR p.position IS NULL)
        GROUP BY q.position""",
    ("journal", "duplicate_without_first"): """
        SELECT j.position FROM journal j LEFT JOIN journal f ON f.position = j.first AND f.position < j.position
        WHERE j.outcome = 'duplicate' AND f.position IS NULL""",
    ("measurement", "measurement_without_reading"): """
        SELECT m.position FROM measurement m LEFT JOIN reading r ON r.position = m.position
        WHERE r.position IS NULL GROUP BY m.position""",
    ("reading", "ecg_without_recording"): """
        SELECT r.position FROM reading r LEFT JOIN recording m ON m.position = r.position
        WHERE r.kind = 'ecg' AND r.content IS NULL AND m.position IS NULL""",
    ("recording", "recording_without_reading"): """
        SELECT m.position FROM recording m LEFT JOIN reading r ON r.position = m.position WHERE r.position IS NULL""",
}
_CONTENTS = "SELECT position, sha, found FROM content WHERE state = 'ready' AND sha IS NOT NULL ORDER BY position"
_IDS = "SELECT r.position, r.reading, j.device, j.stream, j.seq FROM reading r JOIN journal j USING (position)"
_WAVES = "SELECT position, file FROM recording WHERE file IS NOT NULL ORDER BY position"


def named_blobs(connection: Connection) -> dict[str, int]:
    """The hex SHA-256 of every blob that a row stands on, with the first of those rows."""
    found: dict[str, int] = {}
    for at, sha, told in connection.execute(text(_CONTENTS)):
        picture = Found.of(told).picture if told else None
        for name in (sha.hex(), picture.thumbnail if picture else None):
            if name is not None:
                found.setdefault(name, at)
    for at, name in connection.execute(text(_WAVES)):
        found.setdefault(name, at)
    return found


def _disagreements(connection: Connection) -> Iterator[Fault]:
    """Rows that need another one; asked one by one, so that one that cannot be answered hides no other."""
    for (table, what), statement in _PAIRS.items():
        try:
            yield from (Fault(table, at, what) for at in connection.execute(text(statement)).scalars().all())
        except DBAPIError:
            if is_postgres(connection):
                raise
            yield Fault(table, None, "unreadable")
    yield from _misnamed(connection)


def _misnamed(connection: Connection) -> Iterator[Fault]:
    """Readings whose id is not that of their key."""
    try:
        for at, reading, device, stream, seq in connection.execute(text(_IDS)):
            if not isinstance(stream, bytes) or bytes.fromhex(Key(device, stream.hex(), seq).reading) != reading:
                yield Fault("reading", at, "reading_id")
    except (DBAPIError, TypeError):
        if is_postgres(connection):
            raise
        yield Fault("reading", None, "unreadable")
