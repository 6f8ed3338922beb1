"""Segments: closed runs of rows, sealed one after the other, so that a row taken out or rewritten later shows.

Comes in: an open ledger, the time of day. Goes out: rows of SEGMENT; what does not fit them. Refuses to know: what rows
mean, who changed one.

A run ends with its hour, or with ``MOST`` rows. It is sealed when no writer can still add to it
(``ingest.ledger.engine.watermark``): what a reader computed is written in one job of two rows, and no device waits for
more. Each seal covers the one before it, over all tables, and the newest is named in META: a segment that is gone
shows, the last one too. Whoever can write the whole file can seal it anew: the head that ``ledger verify`` and every
backup's manifest tell, kept elsewhere, shows that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Connection

from ingest.ledger.engine import NO_BOUND, named_faults, unhurried, watermark
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.integrity import row_hash
from ingest.model import Instant

if TYPE_CHECKING:  # which opens a writer, which looks at rows in its turn
    from ingest.ledger.files import OpenLedger

MOST = 10_000
"""Rows of a segment at most: what the check at start has to look at stays below this, an hour's load apart."""
HOUR = 3_600 * 1_000_000
"""Microseconds."""
HEAD = "sealed"
"""Row of META: the newest segment's number and hash, ``n:hex``."""
_EVERY_S = 10.0

Finding: TypeAlias = tuple[str, int | None, str]
"""Table, position, code: what ``ingest.ledger.verify`` makes a ``Fault`` of."""

_TIMES = {
    "journal": "SELECT position, kept_at FROM journal WHERE position > ? AND position <= ? ORDER BY position LIMIT ?",
    "feed": "SELECT position, at FROM feed WHERE position > ? AND position <= ? ORDER BY position LIMIT ?",
    "audit": "SELECT position, at FROM audit WHERE position > ? AND position <= ? ORDER BY position LIMIT ?",
}
_PLAIN = "SELECT position, row_hash FROM {} WHERE position BETWEEN ? AND ? ORDER BY position"
_ROWS = {name: _PLAIN.format(name) for name in _TIMES} | {
    # A message that a person had judged again has its reading later, at its old place: REPLAY tells of that one.
    "reading": """SELECT r.position, r.row_hash FROM reading r JOIN journal j ON j.position = r.position
        WHERE r.position BETWEEN ? AND ? AND j.outcome != 'quarantined' ORDER BY r.position"""
}
_BESIDE = {"journal": ("journal", "reading")}
"""Tables whose rows have the same positions are sealed together."""
_END = 'SELECT "last" FROM segment WHERE "of" = ? ORDER BY "first" DESC LIMIT 1'
_NEWEST = "SELECT segment, hash FROM segment ORDER BY segment DESC LIMIT 1"
_KNOWN = "SELECT value FROM meta WHERE name = ?"
_NOTE = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_SEGMENTS = 'SELECT segment, "of", "first", "last", "rows", hash, sealed_at, row_hash FROM segment ORDER BY segment'
_INSERT = "INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class _Run:
    of: str
    first: int
    last: int
    rows: int
    digest: bytes


@dataclass(slots=True)
class Sealer:
    """The one that seals; a second one does no harm."""

    file: OpenLedger
    now: Callable[[], Instant]
    problem: str | None = None

    def run(self, stop: Event) -> None:
        """Seal until ``stop`` is set."""
        while not stop.is_set():
            try:
                while self.step() and not stop.is_set():
                    pass
                self.problem = None
            except LedgerUnavailable as fault:
                self.problem = fault.happened
            stop.wait(_EVERY_S)

    def step(self) -> int:
        """Seal the next run of each table; returns how many segments that made. Raises LedgerUnavailable."""
        with named_faults(), self.file.readers.connect() as connection:
            settled = watermark(connection)
            before = _newest(connection)
            now = self.now()
            runs = [run for of in _TIMES for run in _next(connection, of, settled, now)]
        return self.file.writer.write(lambda connection: _seal(connection, before, runs, now)) if runs else 0


def ends(connection: Connection) -> dict[str, int]:
    """The last sealed position of each table; 0 where nothing is sealed."""
    return {of: int(connection.exec_driver_sql(_END, (of,)).scalar() or 0) for of in _ROWS}


def head(connection: Connection) -> str | None:
    """Number and hash of the newest segment, ``n:hex``: kept elsewhere, it shows whether all was sealed anew."""
    number, sealed = _newest(connection)
    return f"{number}:{sealed.hex()}" if number else None


def findings(connection: Connection) -> Iterator[Finding]:
    """What does not fit its seal: reads the hash of every sealed row. Nothing when all is well."""
    unhurried(connection)
    number, before, ended = 0, b"", dict.fromkeys(_ROWS, 0)
    for row in connection.exec_driver_sql(_SEGMENTS).all():
        if row[0] != number + 1:
            yield "segment", number + 1, "segment_missing"
        number = row[0]
        if row_hash(row[:-1]) != row[-1]:
            yield "segment", number, "row_hash"
        yield from _looked(connection, row, before, ended)
        before = row[5]
    known = connection.exec_driver_sql(_KNOWN, (HEAD,)).scalar()
    if known != (f"{number}:{before.hex()}" if number else None):
        yield "segment", number + 1, "segment_missing"


def digest(connection: Connection, of: str, first: int, last: int) -> tuple[int, bytes]:
    """How many sealable rows ``of`` has there, and one hash over their positions and row hashes in order."""
    counted, told = 0, hashlib.sha256()
    for position, sealed in connection.exec_driver_sql(_ROWS[of], (first, last)):
        counted += 1
        told.update(position.to_bytes(8) + bytes(sealed))
    return counted, told.digest()


def _looked(connection: Connection, row: Sequence[Any], before: bytes, ended: dict[str, int]) -> Iterator[Finding]:
    """Hold one segment against the rows that are there now, and against the segment before it."""
    number, of, first, last, rows, sealed, *_ = row
    if of not in ended:
        yield "segment", number, "row_hash"
        return
    if first != ended[of] + 1:
        yield "segment", number, "segment_missing"
    ended[of] = last
    try:
        counted, told = digest(connection, of, first, last)
    except (TypeError, AttributeError, OverflowError):  # of another type than was ever written
        yield of, first, "sealed_rows_changed"
        return
    if counted != rows:
        yield of, first, "sealed_rows_missing" if counted < rows else "sealed_rows_added"
    elif _hash(number, _Run(of, first, last, rows, told), before) != sealed:
        yield of, first, "sealed_rows_changed"


def _hash(number: int, run: _Run, before: bytes) -> bytes:
    return row_hash((number, run.of, run.first, run.last, run.rows, run.digest, before))


def _newest(connection: Connection) -> tuple[int, bytes]:
    found = connection.exec_driver_sql(_NEWEST).first()
    return (int(found[0]), bytes(found[1])) if found else (0, b"")


def _next(connection: Connection, of: str, settled: int, now: Instant) -> Iterator[_Run]:
    """The run behind the last sealed row, if it is closed, with those that are sealed beside it."""
    after = int(connection.exec_driver_sql(_END, (of,)).scalar() or 0)
    bound = settled if of == "journal" else NO_BOUND  # the others are numbered in the order of their commits
    times = connection.exec_driver_sql(_TIMES[of], (after, bound, MOST)).all()
    if not times:
        return
    hour = times[0][1] // HOUR
    run = [position for position, at in times if at // HOUR == hour]
    # A clock that was set back makes the hour come again: that is another run.
    other = next((n for n, (_, at) in enumerate(times) if at // HOUR != hour), None)
    if other is not None:
        run = run[:other]
    if other is None and len(run) < MOST and now // HOUR == hour:
        return
    for table in _BESIDE.get(of, (of,)):
        yield _Run(table, after + 1, run[-1], *digest(connection, table, after + 1, run[-1]))


def _seal(connection: Connection, before: tuple[int, bytes], runs: Sequence[_Run], now: Instant) -> int:
    """Write the seals, unless another one has sealed since."""
    if _newest(connection) != before:
        return 0
    number, sealed = before
    for run in runs:
        number, sealed = number + 1, _hash(number + 1, run, sealed)
        row = (number, run.of, run.first, run.last, run.rows, sealed, now)
        connection.exec_driver_sql(_INSERT, (*row, row_hash(row)))
    connection.exec_driver_sql(_NOTE, (HEAD, f"{number}:{sealed.hex()}"))
    return len(runs)
