"""What the ledger already holds that the messages of a batch may repeat.

Comes in: keys, hashes, a connection inside the writer's transaction. Goes out: rows: position, hash, present verdict.
Refuses to know: what follows from them.

A file answers each question in microseconds, and most messages ask none: ``OneByOne``. A server is a way there and back
from every answer: ``Together`` asks for a whole batch before it begins, which is allowed because nobody else
writes what belongs to its devices meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from sqlalchemy import Connection

from ingest.ledger import present
from ingest.ledger.arrays import array
from ingest.ledger.port import Item, State, Told
from ingest.ledger.streams import StreamKey, state_of
from ingest.model import Judged
from ingest.sequence import StreamState

Wanted: TypeAlias = tuple[str, bytes, int]
"""Device, stream, seq."""
Row: TypeAlias = Sequence[Any]
"""Position, hash, outcome, reason, pointer, and whether the record has it."""

_KEYED = f"""
SELECT {{first}}k.position, j.sha, {present.OUTCOME}, {present.REASON}, {present.POINTER},
       (SELECT max(1) FROM confirmed c WHERE c.reading = k.position)
FROM {{key}} JOIN journal j ON j.position = k.position {present.BESIDE}
"""  # noqa: S608 - our own pieces
_BY_KEY = _KEYED.format(first="", key="key k") + "WHERE k.device = ? AND k.stream = ? AND k.seq = ?"
_ASIDE = f"""
SELECT {{first}}q.position, q.sha, 'quarantined', q.reason, {present.POINTER}, NULL
FROM {{quarantine}} JOIN journal j ON j.position = q.position
LEFT JOIN content t ON t.position = q.position AND t.sha IS NOT NULL
"""  # noqa: S608 - our own pieces
_SET_ASIDE = _ASIDE.format(first="", quarantine="quarantine q")
_BESIDE = _SET_ASIDE + "WHERE q.device = ? AND q.stream = ? AND q.seq = ? AND q.position != ? ORDER BY q.position"
_BY_SHA = _SET_ASIDE + "WHERE q.sha = ? AND q.seq IS NULL AND q.device = ? ORDER BY q.position LIMIT 1"
_PAYLOAD = "SELECT payload FROM journal WHERE position = ?"

# The same, of lists: one question for a batch.
_KEYS = "unnest(CAST(? AS text[]), CAST(? AS bytea[]), CAST(? AS bigint[])) AS w (device, stream, seq)"
_OF_KEYS = "w.device, w.stream, w.seq, "
_BY_KEYS = _KEYED.format(
    first=_OF_KEYS, key=f"{_KEYS} JOIN key k ON k.device = w.device AND k.stream = w.stream AND k.seq = w.seq"
)
_BESIDES = (
    _ASIDE.format(
        first=_OF_KEYS,
        quarantine=f"{_KEYS} JOIN quarantine q ON q.device = w.device AND q.stream = w.stream AND q.seq = w.seq",
    )
    + "ORDER BY q.position"
)
_SHAS = "unnest(CAST(? AS bytea[]), CAST(? AS text[])) AS w (sha, device)"
_BY_SHAS = (
    _ASIDE.format(
        first="w.sha, w.device, ",
        quarantine=f"{_SHAS} JOIN quarantine q ON q.sha = w.sha AND q.device = w.device AND q.seq IS NULL",
    )
    + "ORDER BY q.position DESC"
)
_STREAMS = """
SELECT w.device, w.stream, s.highest, s.unclear_first, s.unclear_last, g.first, g.last
FROM unnest(CAST(? AS text[]), CAST(? AS bytea[])) AS w (device, stream)
JOIN stream s ON s.device = w.device AND s.stream = w.stream
LEFT JOIN gap g ON g.device = s.device AND g.stream = s.stream AND g.closed_at IS NULL
ORDER BY w.device, w.stream, g.first
"""


class Held(Protocol):
    """Rows that a message may repeat."""

    def by_key(self, wanted: Wanted) -> Iterable[Row]:
        """The row that took the key, and those of other content beside it, in order."""

    def by_sha(self, sha: bytes, device: str) -> Iterable[Row]:
        """The first row of the same bytes without a key, from this device."""

    def payload(self, position: int) -> bytes:
        """The bytes of a row that has its own."""


@dataclass(frozen=True, slots=True)
class OneByOne:
    """``Held``, asked when a message needs it."""

    connection: Connection

    def by_key(self, wanted: Wanted) -> Iterator[Row]:
        """See ``Held``."""
        for first in self.connection.exec_driver_sql(_BY_KEY, wanted).all():
            yield first
            yield from self.connection.exec_driver_sql(_BESIDE, (*wanted, first[0])).all()

    def by_sha(self, sha: bytes, device: str) -> Sequence[Row]:
        """See ``Held``."""
        return self.connection.exec_driver_sql(_BY_SHA, (sha, device)).all()

    def payload(self, position: int) -> bytes:
        """See ``Held``."""
        return _payload(self.connection, position)


@dataclass(slots=True)
class Together:
    """``Held``, asked for a batch at once; ``streams`` are those that its messages belong to."""

    connection: Connection
    streams: Mapping[StreamKey, StreamState] = field(default_factory=dict)
    _keys: dict[Wanted, list[Row]] = field(default_factory=dict)
    _shas: dict[tuple[bytes, str], Row] = field(default_factory=dict)

    def load(self, items: Sequence[Item]) -> None:
        """Ask. Above a stream's highest seq nothing can be held: most batches ask for their streams only."""
        self.streams = self._streams(sorted(set(filter(None, map(_stream, items)))))
        judged = [item for item in items if isinstance(item, Judged)]
        keys = {(key.device, key.stream, key.seq) for item in judged if (key := item.claim) is not None}
        old = sorted((d, s, n) for d, s, n in keys if (d, s) in self.streams and n <= self.streams[d, s].highest)
        if old:
            rows_of = ((device, bytes.fromhex(stream), seq) for device, stream, seq in old)
            lists = tuple(map(array, zip(*rows_of, strict=True), ("TEXT", "BYTEA", "BIGINT")))
            for device, stream, seq, *row in self.connection.exec_driver_sql(_BY_KEYS, lists):
                self._keys[device, stream, seq] = [row]
            for device, stream, seq, *row in self.connection.exec_driver_sql(_BESIDES, lists):
                rows = self._keys.get((device, stream, seq))
                if rows is not None and rows[0][0] != row[0]:
                    rows.append(row)
        again = sorted({(item.sha, item.raw.device) for item in judged if item.claim is None and item.raw.dup})
        if again:
            lists = tuple(map(array, zip(*again, strict=True), ("BYTEA", "TEXT")))
            for sha, device, *row in self.connection.exec_driver_sql(_BY_SHAS, lists):
                self._shas[sha, device] = row

    def by_key(self, wanted: Wanted) -> Sequence[Row]:
        """See ``Held``."""
        return self._keys.get(wanted, ())

    def by_sha(self, sha: bytes, device: str) -> Sequence[Row]:
        """See ``Held``."""
        return [self._shas[sha, device]] if (sha, device) in self._shas else ()

    def payload(self, position: int) -> bytes:
        """See ``Held``."""
        return _payload(self.connection, position)

    def _streams(self, wanted: Sequence[StreamKey]) -> dict[StreamKey, StreamState]:
        if not wanted:
            return {}
        lists = (
            array((device for device, _ in wanted), "TEXT"),
            array((bytes.fromhex(stream) for _, stream in wanted), "BYTEA"),
        )
        rows: dict[StreamKey, list[Row]] = defaultdict(list)
        for device, stream, *row in self.connection.exec_driver_sql(_STREAMS, lists):
            rows[device, stream.hex()].append(row)
        return {key: state_of(found) for key, found in rows.items()}


def _payload(connection: Connection, position: int) -> bytes:
    return bytes(connection.exec_driver_sql(_PAYLOAD, (position,)).scalar_one())


def _stream(item: Item) -> StreamKey | None:
    """The stream that a message tells of."""
    if isinstance(item, Judged):
        return (item.claim.device, item.claim.stream) if item.claim is not None else None
    if isinstance(item, Told | State) and item.stream is not None:
        return (item.device, item.stream)
    return None
