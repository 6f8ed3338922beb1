"""Pruning: messages that are old, sealed and safe in every record lose their bytes; rows, hashes and keys stay.

Comes in: an open ledger, an age. Goes out: TOMBSTONE rows, fewer bytes. Refuses to know: who decided it, what the
messages say.

What goes is the message as it was sent. In its place stays a fingerprint of its content, so that a repeat that is
written in another way is still a repeat and another reading under the same key is still a conflict. Measurements stay:
a reading that is taken back and given to somebody else has to be built anew. A segment is pruned whole or not at all:
while one of its readings waits for a patient, a record or a person, all of it stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from ingest.ledger.engine import named_faults, unhurried
from ingest.ledger.integrity import row_hash
from ingest.model import Instant
from ingest.reasons import Rejected
from ingest.wire import FOLDED, folded

if TYPE_CHECKING:  # which opens a writer, which looks at rows in its turn
    from ingest.ledger.files import OpenLedger

DAY = 24 * 3_600 * 1_000_000
"""Microseconds."""
_WHY, _DAMAGED = "retention", "damaged"
_BATCH = 50  # rows a job: devices' commits wait for it

_OLD = """
SELECT s.segment, s."first", s."last", s.hash FROM segment s
WHERE s."of" = 'journal' AND s."rows" > 0
AND NOT EXISTS (SELECT 1 FROM tombstone t WHERE t."of" = 'journal' AND t."first" = s."first"
    AND t.why = 'retention')
AND (SELECT max(j.kept_at) FROM journal j WHERE j.position BETWEEN s."first" AND s."last") < ?
ORDER BY s.segment
"""
_KEEPS = {
    "not_published": """SELECT 1 FROM reading WHERE position BETWEEN ? AND ?
        AND position > (SELECT coalesce(max(position), 0) FROM cursor WHERE name = 'publish') LIMIT 1""",
    "inbox": "SELECT 1 FROM inbox WHERE position BETWEEN ? AND ? LIMIT 1",
    "due": """SELECT 1 FROM due WHERE CASE WHEN what IN ('reading', 'retraction') THEN CAST(ref AS BIGINT) END
        BETWEEN ? AND ? LIMIT 1""",
    "not_given": """SELECT 1 FROM reading r LEFT JOIN content c ON c.position = r.position
        WHERE r.position BETWEEN ? AND ? AND coalesce(c.state, 'ready') = 'ready'
        AND NOT EXISTS (SELECT 1 FROM attribution a WHERE a.position = r.position) LIMIT 1""",
    "not_confirmed": """SELECT 1 FROM feed f JOIN delivery d ON d.position = f.position
        WHERE f.reading BETWEEN ? AND ? LIMIT 1""",
    "quarantine": "SELECT 1 FROM quarantine WHERE position BETWEEN ? AND ? AND state = 'waiting' LIMIT 1",
    "pending": "SELECT 1 FROM content WHERE position BETWEEN ? AND ? AND state IN ('waiting', 'complete') LIMIT 1",
}
"""Why a segment stays as it is, and the question that tells."""
_GONE = """SELECT 1 FROM tombstone WHERE "of" = 'payload' AND "first" = ? AND "last" = ? AND why = ? LIMIT 1"""
_WHOLE = """
SELECT j.position, j.payload FROM journal j WHERE j.position BETWEEN ? AND ? AND length(j.payload) = j.size
AND j.outcome IN ('stored', 'pending', 'duplicate')
AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.position = j.position) ORDER BY j.position
"""
_PRUNED = """
SELECT j.position, j.payload FROM journal j WHERE j.position BETWEEN ? AND ? AND j.payload IS NOT NULL
AND j.outcome IN ('stored', 'pending', 'duplicate')
AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.position = j.position) ORDER BY j.position
"""
_FOLD = "UPDATE journal SET payload = ? WHERE position = ?"
_TOMBSTONES = """SELECT tombstone, "of", "first", "last", "rows", why, who, at, hash, row_hash FROM tombstone
ORDER BY tombstone"""
_RUNS = """SELECT "first", "last" FROM tombstone WHERE "of" = 'journal' AND why = 'retention'
ORDER BY tombstone"""
_BURIED = 'SELECT "of", "first" FROM tombstone WHERE why = ?'
_COUNT = "SELECT coalesce(max(tombstone), 0) FROM tombstone"
_INSERT = "INSERT INTO tombstone VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SEGMENT = """SELECT hash FROM segment WHERE "of" = 'journal' AND "first" = ? AND "last" = ?"""


@dataclass(frozen=True, slots=True)
class Pruned:
    """Segments, messages and bytes that went, or would; ``kept``: old segments that stay, by why."""

    segments: int
    messages: int
    bytes: int
    kept: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Segment:
    number: int
    first: int
    last: int
    hash: bytes


def prune(file: OpenLedger, now: Instant, days: int, who: str, *, dry_run: bool = False) -> Pruned:
    """Prune what was kept more than ``days`` days ago; goes on where an earlier call was cut off.

    Raises LedgerUnavailable.
    """
    if not dry_run:
        _finish(file)
    with named_faults(), file.readers.connect() as connection:
        unhurried(connection)
        old = [_Segment(*row) for row in connection.exec_driver_sql(_OLD, (now - days * DAY,))]
    segments = messages = size = 0
    kept: dict[str, int] = {}
    for segment in old:
        with named_faults(), file.readers.connect() as connection:
            why = _keeps(connection, segment)
            rows = [] if why else _whole(connection, segment.first, segment.last)
        if why is None and not dry_run:
            why = file.writer.write(_burial(segment, rows, now, who))
            if why is None:
                _fold(file, rows)
        if why is not None:
            kept[why] = kept.get(why, 0) + 1
            continue
        segments, messages = segments + 1, messages + len(rows)
        size += sum(len(payload) - len(mark) for _, payload, mark in rows)
    return Pruned(segments, messages, size, kept)


def tombstones(connection: Connection) -> list[tuple[int, int]]:
    """The runs of the journal that were pruned."""
    return [(first, last) for first, last in connection.exec_driver_sql(_RUNS)]


def bury(connection: Connection, table: str, position: int, who: str, now: Instant) -> None:
    """Note that a person knows of a damaged row; nothing of it is taken out, and ``verify`` goes on naming it."""
    number = connection.exec_driver_sql(_COUNT).scalar_one() + 1
    row = (number, table, position, position, 1, _DAMAGED, who, now, b"")
    connection.exec_driver_sql(_INSERT, (*row, row_hash(row)))


def buried(connection: Connection) -> set[tuple[str, int]]:
    """Table and position of the damaged rows that a person knows of."""
    return {(of, first) for of, first in connection.exec_driver_sql(_BURIED, (_DAMAGED,))}


def findings(connection: Connection) -> list[tuple[str, int | None, str]]:
    """Tombstones that do not fit: table, number, code."""
    found: list[tuple[str, int | None, str]] = []
    for wanted, row in enumerate(connection.exec_driver_sql(_TOMBSTONES).all(), start=1):
        number, of, first, last, rows, why, _who, _at, told, sealed = row
        if number != wanted:
            found.append(("tombstone", wanted, "position_gap"))
        if row_hash(row[:-1]) != sealed:
            found.append(("tombstone", number, "row_hash"))
        elif why != _WHY:
            continue
        elif of == "journal":
            if connection.exec_driver_sql(_SEGMENT, (first, last)).scalar() != told:
                found.append(("tombstone", number, "tombstone_without_segment"))
        elif _fingerprints(connection.exec_driver_sql(_PRUNED, (first, last)).all()) != (rows, told):
            found.append(("tombstone", number, "fingerprints_changed"))
    return found


def _keeps(connection: Connection, segment: _Segment) -> str | None:
    """Why a segment stays, None when it may go."""
    for why, asked in _KEEPS.items():
        if connection.exec_driver_sql(asked, (segment.first, segment.last)).first() is not None:
            return why
    return None


def _whole(connection: Connection, first: int, last: int) -> list[tuple[int, bytes, bytes]]:
    """Position, payload and fingerprint of the messages of a run that are still whole."""
    rows = connection.exec_driver_sql(_WHOLE, (first, last)).all()
    return [(at, bytes(payload), folded(payload)) for at, payload in rows if not payload.startswith(FOLDED)]


def _fingerprints(rows: Sequence[Any]) -> tuple[int, bytes]:
    """Of a run's messages, pruned or not yet: how many, and one hash over their fingerprints."""
    try:
        marks = [(at, payload if payload.startswith(FOLDED) else folded(payload)) for at, payload in rows]
    except Rejected:  # no message that was pruned or is to be pruned
        return 0, b""
    return len(marks), row_hash(marks)


def _burial(
    segment: _Segment, rows: Sequence[tuple[int, bytes, bytes]], now: Instant, who: str
) -> Callable[[Connection], str | None]:
    """The job that says what is taken out, before anything is; returns why not, if the segment has to stay now."""
    of = (("journal", segment.hash), ("payload", row_hash([(at, mark) for at, _, mark in rows])))

    def job(connection: Connection) -> str | None:
        if connection.exec_driver_sql(_GONE, (segment.first, segment.last, _WHY)).first() is not None:
            return "pruned"  # by another call, since this one looked
        why = _keeps(connection, segment)
        if why is None:
            number = connection.exec_driver_sql(_COUNT).scalar_one()
            for more, (name, told) in enumerate(of, start=1):
                row = (number + more, name, segment.first, segment.last, len(rows), _WHY, who, now, told)
                connection.exec_driver_sql(_INSERT, (*row, row_hash(row)))
        return why

    return job


def _fold(file: OpenLedger, rows: Sequence[tuple[int, bytes, bytes]]) -> None:
    """Put fingerprints in the messages' place, a few rows a job."""
    for start in range(0, len(rows), _BATCH):
        batch = [(mark, at) for at, _, mark in rows[start : start + _BATCH]]
        file.writer.write(partial(_put, batch=batch))


def _put(connection: Connection, batch: list[tuple[bytes, int]]) -> None:
    connection.exec_driver_sql(_FOLD, batch)


def _finish(file: OpenLedger) -> None:
    """Fold what the newest tombstone speaks of and a cut left whole."""
    with named_faults(), file.readers.connect() as connection:
        rows = [row for run in tombstones(connection)[-1:] for row in _whole(connection, *run)]
    _fold(file, rows)
