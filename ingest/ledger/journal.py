"""A batch of judged messages becomes rows: the one transaction after which devices may be answered.

Comes in: items in the order they came, a connection inside a transaction. Goes out: an answer for each. Refuses to
know: who asks, how an answer is sent.

A key is looked up only when its stream has already seen so high a seq: ``stream.highest`` is written in the same
transaction as the keys, so above it nothing can be known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeAlias

from sqlalchemy import Connection

from ingest.judge import against
from ingest.ledger import contents, told
from ingest.ledger.engine import Overtaken, is_postgres
from ingest.ledger.held import Held, OneByOne, Together
from ingest.ledger.many import insert, insert_lists
from ingest.ledger.port import Answer, Item, Kept, PieceKept, Told
from ingest.ledger.rows import journal_row, reading_rows
from ingest.ledger.streams import Streams
from ingest.model import Instant, Judged, Key, Outcome, Piece, Reading
from ingest.reasons import Reason

_TABLES = ("journal", "key", "quarantine", "reading", "measurement", "recording")
_NOT_OVER = "ON CONFLICT DO NOTHING RETURNING position"

_Name: TypeAlias = "Key | tuple[str, bytes]"
"""What a repeat is known by: its key, or without one its device and hash."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A journal row that a message may repeat."""

    position: int
    sha: bytes
    outcome: str
    reason: str | None
    pointer: str | None
    confirmed: int | None

    def repeated(self, key: Key | None, missing: tuple[tuple[int, int], ...] | None) -> Kept:
        return Kept(
            Outcome(self.outcome),
            Reason(self.reason) if self.reason else None,
            self.pointer,
            repeat=True,
            reading=key.reading if key else None,
            confirmed=self.confirmed is not None,
            missing=missing,
        )


@dataclass(slots=True)
class Batch:
    """The rows of one transaction, gathered in order and written table by table by ``save``."""

    connection: Connection
    now: Instant
    positions: Iterator[int]
    streams: Streams
    held: Held
    position: int = field(init=False)
    """The place of the message at hand."""
    _rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: {table: [] for table in _TABLES})
    _order: deque[tuple[int, Judged, Kept]] = field(default_factory=deque)
    """What was newly kept and is not in ``_here`` and ``_kept`` yet."""
    _here: dict[_Name, list[int]] = field(default_factory=dict)
    """Positions of this batch by ``_name``."""
    _kept: dict[int, tuple[Judged, Kept]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._next()

    def keep(self, judged: Judged) -> Kept:
        """Decide what a judged message is beside what is already kept, and gather its rows."""
        key = judged.claim
        is_new = key is not None and self.streams.take((key.device, key.stream), key.seq)
        found, taken = judged, False
        for known in () if is_new else self._held(judged):
            beside = None if known.sha == judged.sha else against(judged, self._payload(known.position))
            if beside is None:
                return self._repeat(judged, known)
            found, taken = beside, True
        if key is not None and not taken:
            self._rows["key"].append((key.device, bytes.fromhex(key.stream), key.seq, self.position))
            if not is_new:
                self.streams.seen((key.device, key.stream), key.seq)
        return self._set_aside(found) if found.reading is None else self._store(found, found.reading)

    def save(self) -> None:
        """Write everything gathered. Raises Overtaken when a key was taken since it was looked for."""
        for table, rows in self._rows.items():
            if table == "key" and is_postgres(self.connection):
                take(self.connection, rows)
            else:
                insert(self.connection, f"INSERT INTO {table} VALUES", rows)
        self.streams.save()

    # ------------------------------------------------------------ known already?

    def _held(self, judged: Judged) -> Iterator[_Held]:
        """Rows that this message may repeat: those of its key, the one that took it first; else those of its hash."""
        key = judged.claim
        if key is not None:
            yield from (_Held(*row) for row in self.held.by_key((key.device, bytes.fromhex(key.stream), key.seq)))
        elif judged.raw.dup:
            yield from (_Held(*row) for row in self.held.by_sha(judged.sha, judged.raw.device))
        if key is not None or judged.raw.dup:
            self._index()
            yield from map(self._just_kept, self._here.get(_name(judged), ()))

    def _index(self) -> None:
        """Bring ``_here`` and ``_kept`` up to date; most batches hold no repeat and never need them."""
        while self._order:
            position, judged, kept = self._order.popleft()
            self._kept[position] = (judged, kept)
            self._here.setdefault(_name(judged), []).append(position)

    def _just_kept(self, position: int) -> _Held:
        judged, kept = self._kept[position]
        return _Held(position, judged.sha, kept.outcome, kept.reason, kept.pointer, None)

    def _payload(self, position: int) -> bytes:
        if position in self._kept:
            return self._kept[position][0].raw.payload
        return self.held.payload(position)

    def _next(self) -> None:
        self.position = next(self.positions, 0)

    # ------------------------------------------------------------ rows

    def _set_aside(self, judged: Judged) -> Kept:
        key, verdict = judged.claim, judged.verdict
        stream, seq = (bytes.fromhex(key.stream), key.seq) if key else (None, None)
        self._rows["quarantine"].append(
            (self.position, judged.raw.device, stream, seq, judged.sha, verdict.reason, "waiting", self.now)
        )
        reading = key.reading if key else None
        return self._new(judged, Kept(Outcome.QUARANTINED, verdict.reason, verdict.pointer, reading=reading))

    def _store(self, judged: Judged, reading: Reading) -> Kept:
        row, measured, recorded = reading_rows(self.position, reading)
        self._rows["reading"].append(row)
        self._rows["measurement"].extend(measured)
        if recorded:
            self._rows["recording"].append(recorded)
        if reading.part is not None:
            contents.add_live(self.connection, self.position, reading, reading.part, self.now)
        if reading.blob is None:
            return self._new(judged, Kept(Outcome.STORED, reading=reading.key.reading))
        left = contents.claim(self.connection, self.position, reading, self.now)
        return self._new(judged, Kept(Outcome.PENDING, reading=reading.key.reading, missing=left))

    def _new(self, judged: Judged, kept: Kept) -> Kept:
        self._order.append((self.position, judged, kept))
        row = journal_row(self.position, judged, self.now, kept.outcome.value, kept.reason, kept.pointer)
        self._rows["journal"].append(row)
        self._next()
        return kept

    def _repeat(self, judged: Judged, known: _Held) -> Kept:
        row = journal_row(self.position, judged, self.now, Outcome.DUPLICATE.value, first=(known.position, known.sha))
        self._rows["journal"].append(row)
        self._next()
        pending = known.outcome == Outcome.PENDING
        return known.repeated(judged.claim, contents.left(self.connection, known.position) if pending else None)


def commit(connection: Connection, items: Sequence[Item], now: Instant) -> list[Answer]:
    """Keep a batch in order; returns an answer for each item. The caller commits before it passes them on."""
    batch = _begun(connection, items, now)
    streams = batch.streams
    answers: list[Answer] = []
    parts: list[Piece] = []
    for item in items:
        if isinstance(item, Judged):
            answers.append(batch.keep(item))
        elif isinstance(item, Told):
            answers.append(told.hello(connection, streams, item))
        elif isinstance(item, Piece):
            parts.append(item)
            answers.append(PieceKept())
        else:
            told.state(connection, streams, item)
            answers.append(None)
    contents.keep(connection, parts, now)
    batch.save()
    return answers


def _begun(connection: Connection, items: Sequence[Item], now: Instant) -> Batch:
    """The batch, with its places in the journal, and with what is asked for all of it at once where that pays."""
    if not is_postgres(connection):
        (last,) = connection.exec_driver_sql("SELECT coalesce(max(position), 0) FROM journal").one()
        return Batch(connection, now, count(last + 1), Streams(connection, now), OneByOne(connection))
    from ingest.ledger.postgres import positions  # loads its driver

    held = Together(connection)
    held.load(items)
    places = positions(connection, sum(isinstance(item, Judged) for item in items))
    return Batch(connection, now, iter(places), Streams(connection, now, held.streams), held)


def take(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert keys, all or none: one that another commit took is never taken over. Raises Overtaken."""
    if rows and insert_lists(connection, "INSERT INTO key VALUES", sorted(rows), _NOT_OVER) != len(rows):
        raise Overtaken


def _name(judged: Judged) -> _Name:
    return judged.claim or (judged.raw.device, judged.sha)
