"""Every row looked at again: what was changed, is missing, or does not fit its neighbours.

Comes in: a connection. Goes out: ``Verified`` with each fault by table and position. Refuses to know: what rows mean.

Three looks: SQLite's own check of the file, where it is one; each row's hash, computed again from what is there; and
the rows that have to be there because others are (a key and its journal row, a stored message and its reading). Reads
everything once, in pages, inside the caller's snapshot.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table, func, select, text

from ingest.blobs import Blobs
from ingest.content.found import Found
from ingest.ledger.engine import is_postgres, unhurried
from ingest.ledger.integrity import row_hash
from ingest.ledger.rows import journal_hash, reading_hash, recording_hash
from ingest.ledger.schema import AUDIT, FEED, JOURNAL, MEASUREMENT, READING, RECORDING
from ingest.ledger.sqlite import integrity
from ingest.model import Key

Progress: TypeAlias = Callable[[int, int], None]
"""Called now and then with rows looked at, and rows there are."""

_PAGE = 500
_Row: TypeAlias = Sequence[Any]
_Measured: TypeAlias = Mapping[int, Sequence[_Row]]
"""The measurements of a page's readings, by position."""
_Look: TypeAlias = Callable[[_Row, _Measured], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Fault:
    """``what`` is a code: file, row_hash, payload, position_gap, or the pair of tables that disagree."""

    table: str
    position: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Verified:
    """Rows whose hash was computed again, blobs whose hash was, and everything that was wrong."""

    rows: int
    blobs: int
    faults: tuple[Fault, ...]


def verify(
    connection: Connection, progress: Progress = lambda _done, _all: None, blobs: Blobs | None = None
) -> Verified:
    """Look at everything; takes about a minute for a million readings, and as long as reading every blob takes.

    Without ``blobs`` only rows are looked at.
    """
    unhurried(connection)
    faults = [] if is_postgres(connection) else [Fault("file", None, "file") for _ in integrity(connection)]
    sparse = (*_SPARSE, JOURNAL) if is_postgres(connection) else _SPARSE
    whole = sum(_count(connection, table) for table in _HASHED)
    done = 0
    for table, look in _HASHED.items():
        last = 0
        for page in _pages(connection, table):
            beside = _measured(connection, page) if table is READING else {}
            for row in page:
                faults += [Fault(table.name, row[0], what) for what in _looked(look, row, beside)]
                if row[0] != last + 1 and table not in sparse:
                    faults.append(Fault(table.name, row[0], "position_gap"))
                last = row[0]
            done += len(page)
            progress(done, whole)
    faults += _disagreements(connection)
    names = {} if blobs is None else _named(connection)
    faults += [Fault("blob", at, "blob") for name, at in names.items() if blobs and not blobs.is_sound(name)]
    progress(whole, whole)
    return Verified(done, len(names), tuple(faults))


# ---------------------------------------------------------------- each row for itself


def _looked(look: _Look, row: _Row, measured: _Measured) -> list[str]:
    """What a look finds; a value of a type that was never written is a changed row too."""
    try:
        return list(look(row, measured))
    except (TypeError, ValueError):
        return ["row_hash"]


def _journal(row: _Row, _measured: _Measured) -> Iterator[str]:
    sha, size, payload = row[6:9]
    if journal_hash(row[:-1]) != row[-1]:
        yield "row_hash"
    # A message that was too large keeps its beginning only: there is nothing to hold its hash against.
    if payload is not None and len(payload) == size and hashlib.sha256(payload).digest() != sha:
        yield "payload"


def _reading(row: _Row, measured: _Measured) -> Iterator[str]:
    if reading_hash(row[:-1], measured.get(row[0], ())) != row[-1]:
        yield "row_hash"


def _recording(row: _Row, _measured: _Measured) -> Iterator[str]:
    if recording_hash(row[:-1]) != row[-1]:
        yield "row_hash"


def _feed(row: _Row, _measured: _Measured) -> Iterator[str]:
    if row_hash((*row[:8], hashlib.sha256(row[8]).digest())) != row[-1]:
        yield "row_hash"


def _plain(row: _Row, _measured: _Measured) -> Iterator[str]:
    if row_hash(row[:-1]) != row[-1]:
        yield "row_hash"


_HASHED: dict[Table, _Look] = {
    JOURNAL: _journal,
    READING: _reading,
    RECORDING: _recording,
    FEED: _feed,
    AUDIT: _plain,
}
"""Tables whose rows carry a hash. All but ``_SPARSE`` count their positions from 1 without a hole; on PostgreSQL the
journal has holes where a commit was undone."""


_SPARSE = (READING, RECORDING)


def _pages(connection: Connection, table: Table) -> Iterator[list[_Row]]:
    """Every row by position, a page at a time: the driver would hold them all."""
    after = 0
    while page := connection.execute(
        select(table).where(table.c.position > after).order_by(table.c.position).limit(_PAGE)
    ).all():
        yield [tuple(row) for row in page]
        after = page[-1][0]


def _measured(connection: Connection, page: Sequence[_Row]) -> _Measured:
    at = MEASUREMENT.c.position
    found: dict[int, list[_Row]] = defaultdict(list)
    rows = select(MEASUREMENT).where(at.between(page[0][0], page[-1][0])).order_by(at, MEASUREMENT.c.ordinal)
    for row in connection.execute(rows):
        found[row.position].append(tuple(row))
    return found


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
_WAVES = "SELECT position, file FROM recording WHERE file IS NOT NULL ORDER BY position"


def _named(connection: Connection) -> dict[str, int]:
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
    for (table, what), statement in _PAIRS.items():
        yield from (Fault(table, at, what) for at in connection.execute(text(statement)).scalars())
    named = text(
        "SELECT r.position, r.reading, j.device, j.stream, j.seq FROM reading r JOIN journal j USING (position)"
    )
    for at, reading, device, stream, seq in connection.execute(named):
        if not isinstance(stream, bytes) or bytes.fromhex(Key(device, stream.hex(), seq).reading) != reading:
            yield Fault("reading", at, "reading_id")
