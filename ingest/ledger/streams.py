"""Sequence numbers seen and missing, as rows: reads a stream's state, writes what changed.

Comes in: (device, stream) and the seqs of a batch. Goes out: rows of ``stream`` and ``gap``. Refuses to know: messages.
The rules are in ``ingest.sequence``, which is pure.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import Connection

from ingest.ledger.many import insert
from ingest.model import Instant
from ingest.sequence import LIMIT, StreamState, expect, lost, recounted, seen, settled

StreamKey: TypeAlias = tuple[str, str]
"""Device id, and the stream's 32 hex digits."""
Range: TypeAlias = tuple[int, int]

_KEEP = "INSERT INTO stream (device, stream, highest, unclear_first, unclear_last) VALUES"
_OVER = """
ON CONFLICT (device, stream) DO UPDATE SET
  highest = excluded.highest, unclear_first = excluded.unclear_first, unclear_last = excluded.unclear_last
"""
# As text, because it runs for every stream of every batch.
_AGES = """
SELECT first, last, first_seen, asked_at FROM gap WHERE device = ? AND stream = ? AND closed_at IS NULL
"""
_CLOSE = """
UPDATE gap SET closed_at = ?, closed_as = ?
WHERE device = ? AND stream = ? AND closed_at IS NULL AND first = ? AND last = ?
"""
_OPEN = "INSERT INTO gap (device, stream, first, last, first_seen, asked_at) VALUES"
# Runs of keys that came, and what was declared lost, between two numbers.
_KNOWN = """
SELECT min(seq), max(seq) FROM (
  SELECT seq, seq - row_number() OVER (ORDER BY seq) AS run FROM key
  WHERE device = ? AND stream = ? AND seq BETWEEN ? AND ?
) AS runs GROUP BY run
UNION ALL
SELECT first, last FROM gap
WHERE device = ? AND stream = ? AND closed_as = 'lost' AND first <= ? AND last >= ?
"""
_ROOM = LIMIT // 2
"""Gaps that leave room for those that ``unclear`` may turn back into."""
_LOAD = """
SELECT s.highest, s.unclear_first, s.unclear_last, g.first, g.last FROM stream s
LEFT JOIN gap g ON g.device = s.device AND g.stream = s.stream AND g.closed_at IS NULL
WHERE s.device = ? AND s.stream = ? ORDER BY g.first
"""


def state_of(rows: Sequence[Sequence[Any]]) -> StreamState:
    """A stream's state from its row beside each open gap, in order: highest, unclear from, to, gap from, to."""
    highest, *unclear = rows[0][:3]
    missing = tuple((first, last) for *_, first, last in rows if first is not None)
    return StreamState(highest, missing, None if unclear[0] is None else (unclear[0], unclear[1]))


@dataclass(slots=True)
class Streams:
    """The streams of one transaction: loaded when first touched, written once by ``save``."""

    connection: Connection
    now: Instant
    loaded: Mapping[StreamKey, StreamState] | None = None
    """All streams that the transaction will touch, where they were asked for together; else each when it is touched."""
    _before: dict[StreamKey, StreamState] = field(default_factory=dict)
    _after: dict[StreamKey, StreamState] = field(default_factory=dict)
    _lost: dict[StreamKey, list[Range]] = field(default_factory=dict)
    _greeted: set[StreamKey] = field(default_factory=set)

    def take(self, key: StreamKey, seq: int) -> bool:
        """Note a seq above all that were ever kept or announced; False, and nothing noted, for one that is not above.

        Above ``highest`` no key can be known, so most messages need no look at the keys.
        """
        state = self._state(key)
        if seq <= state.highest:
            return False
        self._after[key] = seen(state, seq)
        return True

    def seen(self, key: StreamKey, seq: int) -> None:
        """A message with this seq is kept."""
        self._change(key, lambda state: seen(state, seq))

    def announced(self, key: StreamKey, next_seq: int) -> None:
        """A hello says which seq will be the next; what is unclear is counted again once the batch is written."""
        self._greeted.add(key)
        self._change(key, lambda state: expect(state, next_seq))

    def lost(self, key: StreamKey, first: int, last: int) -> None:
        """The device says that these will never come."""
        self._lost.setdefault(key, []).append((first, last))
        self._change(key, lambda state: lost(state, first, last))

    def settled(self, key: StreamKey) -> int | None:
        """Every seq up to this one is kept or lost; None when not even 0 is."""
        return settled(self._state(key))

    def save(self) -> None:
        """Write the streams whose state changed; the batch's keys are written already."""
        for key in self._greeted:
            self._recount(key)
        changed = [(key, state) for key, state in self._after.items() if state != self._before[key]]
        rows = [
            (device, bytes.fromhex(stream), state.highest, *(state.unclear or (None, None)))
            for (device, stream), state in changed
        ]
        insert(self.connection, _KEEP, rows, _OVER)
        for key, state in changed:
            if state.missing != self._before[key].missing:
                self._save_gaps(key, self._before[key].missing, state.missing)

    def _recount(self, key: StreamKey) -> None:
        state = self._state(key)
        if state.unclear is not None and len(state.missing) <= _ROOM:
            of, (first, last) = (key[0], bytes.fromhex(key[1])), state.unclear
            wanted = (*of, first, last, *of, last, first)
            known = [(begin, end) for begin, end in self.connection.exec_driver_sql(_KNOWN, wanted)]
            self._after[key] = recounted(state, known)

    def _change(self, key: StreamKey, rule: Callable[[StreamState], StreamState]) -> None:
        self._after[key] = rule(self._state(key))

    def _state(self, key: StreamKey) -> StreamState:
        if key not in self._after:
            self._before[key] = self._after[key] = self._load(key)
        return self._after[key]

    def _load(self, key: StreamKey) -> StreamState:
        if self.loaded is not None:
            return self.loaded.get(key, StreamState())
        # The driver's own cursor: this runs for every stream of every batch.
        cursor = self.connection.connection.cursor()
        cursor.execute(_LOAD, (key[0], bytes.fromhex(key[1])))
        rows = cursor.fetchall()
        return state_of(rows) if rows else StreamState()

    def _save_gaps(self, key: StreamKey, before: tuple[Range, ...], after: tuple[Range, ...]) -> None:
        """Close the gaps that are no more, and open the others; what is left of one is as old as it was."""
        of = (key[0], bytes.fromhex(key[1]))
        gone, new = sorted(set(before) - set(after)), sorted(set(after) - set(before))
        opened: list[tuple[Any, ...]] = []
        closed: list[tuple[Any, ...]] = []
        ages = {(first, last): age for first, last, *age in self.connection.exec_driver_sql(_AGES, of) if gone}
        for first, last in gone:
            rest = new[bisect_left(new, (first, first)) : bisect_left(new, (last + 1, last + 1))]
            closed.append((self.now, self._closed_as(key, (first, last), bool(rest)), *of, first, last))
            opened += [(*of, *part, *ages[first, last]) for part in rest]
        kept = {row[2:4] for row in opened}
        opened += [(*of, *part, self.now, None) for part in new if part not in kept]
        if closed:
            self.connection.exec_driver_sql(_CLOSE, closed)
        insert(self.connection, _OPEN, opened)

    def _closed_as(self, key: StreamKey, gap: Range, is_split: bool) -> str:  # noqa: FBT001 - one caller, beside it
        unclear = self._after[key].unclear
        if is_split:
            return "split"
        if unclear is not None and unclear[0] <= gap[0] and gap[1] <= unclear[1]:
            return "unclear"
        declared = self._lost.get(key, ())
        return "lost" if any(first <= gap[1] and gap[0] <= last for first, last in declared) else "filled"
