"""Sequence numbers seen and missing, as rows: reads a stream's state, writes what changed.

Comes in: (device, stream) and the seqs of a batch. Goes out: rows of ``stream`` and ``gap``. Refuses to know: messages.
The rules are in ``ingest.sequence``, which is pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlalchemy import ColumnElement, Connection, and_, select, update

from ingest.ledger.schema import GAP
from ingest.model import Instant
from ingest.sequence import StreamState, lost, seen, settled

StreamKey: TypeAlias = tuple[str, str]
"""Device id, and the stream's 32 hex digits."""
Range: TypeAlias = tuple[int, int]

_UPSERT = """
INSERT INTO stream (device, stream, highest, unclear_first, unclear_last) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (device, stream) DO UPDATE SET
  highest = excluded.highest, unclear_first = excluded.unclear_first, unclear_last = excluded.unclear_last
"""
# As text, because it runs for every stream of every batch.
_LOAD = """
SELECT s.highest, s.unclear_first, s.unclear_last, g.first, g.last FROM stream s
LEFT JOIN gap g ON g.device = s.device AND g.stream = s.stream AND g.closed_at IS NULL
WHERE s.device = ? AND s.stream = ? ORDER BY g.first
"""


@dataclass(slots=True)
class Streams:
    """The streams of one transaction: loaded when first touched, written once by ``save``."""

    connection: Connection
    now: Instant
    _before: dict[StreamKey, StreamState] = field(default_factory=dict)
    _after: dict[StreamKey, StreamState] = field(default_factory=dict)
    _lost: set[StreamKey] = field(default_factory=set)

    def seen(self, key: StreamKey, seq: int) -> None:
        """A message with this seq is kept."""
        self._change(key, lambda state: seen(state, seq))

    def change(self, key: StreamKey, rule: Callable[[StreamState], StreamState]) -> None:
        """Apply a rule of ``ingest.sequence``."""
        self._change(key, rule)

    def lost(self, key: StreamKey, first: int, last: int) -> None:
        """The device says that these will never come."""
        self._lost.add(key)
        self._change(key, lambda state: lost(state, first, last))

    def highest(self, key: StreamKey) -> int:
        """The highest seq ever kept or announced of this stream, -1 for none: above it no key can be known."""
        return self._state(key).highest

    def settled(self, key: StreamKey) -> int | None:
        """Every seq up to this one is kept or lost; None when not even 0 is."""
        return settled(self._state(key))

    def save(self) -> None:
        """Write the streams whose state changed."""
        changed = [(key, state) for key, state in self._after.items() if state != self._before[key]]
        rows = [
            (device, bytes.fromhex(stream), state.highest, *(state.unclear or (None, None)))
            for (device, stream), state in changed
        ]
        if rows:
            self.connection.exec_driver_sql(_UPSERT, rows)
        for key, state in changed:
            if state.missing != self._before[key].missing:
                self._save_gaps(key, self._before[key].missing, state.missing)

    def _change(self, key: StreamKey, rule: Callable[[StreamState], StreamState]) -> None:
        self._after[key] = rule(self._state(key))

    def _state(self, key: StreamKey) -> StreamState:
        if key not in self._after:
            self._before[key] = self._after[key] = self._load(key)
        return self._after[key]

    def _load(self, key: StreamKey) -> StreamState:
        rows = self.connection.exec_driver_sql(_LOAD, (key[0], bytes.fromhex(key[1]))).all()
        if not rows:
            return StreamState()
        highest, *unclear = rows[0][:3]
        missing = tuple((first, last) for *_, first, last in rows if first is not None)
        return StreamState(highest, missing, None if unclear[0] is None else (unclear[0], unclear[1]))

    def _save_gaps(self, key: StreamKey, before: tuple[Range, ...], after: tuple[Range, ...]) -> None:
        gone, new = set(before) - set(after), sorted(set(after) - set(before))
        ages = {
            (first, last): (since, asked)
            for first, last, since, asked in self.connection.execute(
                select(GAP.c.first, GAP.c.last, GAP.c.first_seen, GAP.c.asked_at).where(_open(key))
            )
        }
        for first, last in gone:
            how = self._closed_as(key, (first, last), new)
            here = and_(_open(key), GAP.c.first == first, GAP.c.last == last)
            self.connection.execute(update(GAP).where(here).values(closed_at=self.now, closed_as=how))
        for first, last in new:
            older = [age for (a, b), age in ages.items() if a <= first and last <= b]
            since, asked = older[0] if older else (self.now, None)
            values = {"first": first, "last": last, "first_seen": since, "asked_at": asked}
            self.connection.execute(GAP.insert().values(device=key[0], stream=bytes.fromhex(key[1]), **values))

    def _closed_as(self, key: StreamKey, gap: Range, new: list[Range]) -> str:
        unclear = self._after[key].unclear
        if any(gap[0] <= other[0] and other[1] <= gap[1] for other in new):
            return "split"
        if unclear is not None and unclear[0] <= gap[0] and gap[1] <= unclear[1]:
            return "unclear"
        return "lost" if key in self._lost else "filled"


def _open(key: StreamKey) -> ColumnElement[bool]:
    return and_(GAP.c.device == key[0], GAP.c.stream == bytes.fromhex(key[1]), GAP.c.closed_at.is_(None))
