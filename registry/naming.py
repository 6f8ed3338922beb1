"""What a text names: a reading id, a FHIR id made of one, a device's number, or the hash of a message's bytes.

Comes in: a snapshot of the ledger, a text. Goes out: ``Named``, the journal row. Refuses to know: stages.

The journal's hashes have no index, which would cost every reading: a hash is looked for among what is set aside, then
backwards through the newest messages, or through all of one device.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, func, select

from ingest.ledger.schema import JOURNAL, KEY, QUARANTINE, READING
from ingest.model import Key
from registry.faults import Conflict, Unfit, Unknown

_BY_ID = re.compile(r"([0-9a-f]{32})(-[a-z0-9-]+)?")
_DEVICE, _SEQ = r"([a-z0-9][a-z0-9_-]{2,62})", r"(0|[1-9]\d{0,15})"
_BY_KEY = re.compile(rf"{_DEVICE}:([0-9a-f]{{32}}):{_SEQ}")
_BY_SEQ = re.compile(rf"{_DEVICE}:{_SEQ}")
_BY_HASH = re.compile(r"[0-9a-f]{16}|[0-9a-f]{64}")
_SHA_BYTES = 32
_STRIDE = 50_000
SCANNED = 1_000_000
"""Messages that a hash is looked for among, newest first, when no device is named: seconds, on a small machine."""


@dataclass(frozen=True, slots=True)
class Named:
    """A message: its journal row, the device, and its key when it gave one, which another message may have taken.

    ``repeat``: the row in which it came again.
    """

    position: int
    device: str
    key: Key | None
    is_taken: bool = False
    repeat: int | None = None


def named(connection: Connection, text: str, device: str | None = None) -> Named:
    """The message that ``text`` names; ``device`` narrows a hash.

    Raises Unfit for a text that names none, Unknown for one never received, Conflict where several streams fit.
    """
    if found := _BY_KEY.fullmatch(text):
        return _keyed(connection, Key(found[1], found[2], int(found[3])))
    if found := _BY_SEQ.fullmatch(text):
        return _keyed(connection, _only_stream(connection, found[1], int(found[2])))
    if found := _BY_ID.fullmatch(text):
        return _by_id(connection, found[1])
    if _BY_HASH.fullmatch(text):
        return _by_hash(connection, bytes.fromhex(text), device)
    raise Unfit(
        "trace.id",
        "This names no reading.",
        "Give a reading id, a FHIR id that begins with one, device:seq, device:stream:seq, or the hash of a receipt.",
    )


def _unknown(what: str = "No reading of this name was received.") -> Unknown:
    return Unknown(
        "reading.unknown",
        what,
        "See that the id is whole, that the device has sent it, and `gaps list` for what is missing.",
    )


def _keyed(connection: Connection, key: Key) -> Named:
    same = (KEY.c.device == key.device, KEY.c.stream == bytes.fromhex(key.stream), KEY.c.seq == key.seq)
    position = connection.execute(select(KEY.c.position).where(*same)).scalar()
    if position is None:
        raise _unknown()
    return Named(position, key.device, key)


def _only_stream(connection: Connection, device: str, seq: int) -> Key:
    """The key of a device's number; raises Conflict when several of its streams have it."""
    k = KEY.c
    found: list[str] = []
    for stream in _streams(connection, device):
        here = (k.device == device, k.stream == stream, k.seq == seq)
        if connection.execute(select(k.position).where(*here)).first() is not None:
            found.append(stream.hex())
    if not found:
        raise _unknown()
    if len(found) > 1:
        names = ", ".join(f"{device}:{stream}:{seq}" for stream in found)
        raise Conflict(
            "trace.stream", f"{len(found)} streams of this device have this number.", f"Give one of {names}."
        )
    return Key(device, found[0], seq)


def _streams(connection: Connection, device: str) -> Iterator[bytes]:
    """The streams of a device, by leaps through the key: a device may have millions of readings in a stream."""
    k = KEY.c
    last = b""
    wanted = select(k.stream).where(k.device == device).order_by(k.stream).limit(1)
    while following := connection.execute(wanted.where(k.stream > last)).scalar():
        last = bytes(following)
        yield last


def _by_id(connection: Connection, reading: str) -> Named:
    for position, key in (*_read(connection, reading), *_set_aside(connection)):
        if key.reading == reading:
            return Named(position, key.device, key)
    raise _unknown()


def _read(connection: Connection, reading: str) -> Iterator[tuple[int, Key]]:
    rows = connection.execute(
        select(JOURNAL.c.position, JOURNAL.c.device, JOURNAL.c.stream, JOURNAL.c.seq)
        .join_from(READING, JOURNAL, JOURNAL.c.position == READING.c.position)
        .where(READING.c.reading == bytes.fromhex(reading))
    )
    yield from ((position, Key(device, stream.hex(), seq)) for position, device, stream, seq in rows)


def _set_aside(connection: Connection) -> Iterator[tuple[int, Key]]:
    """Quarantined messages with a key, oldest first: their reading ids are not kept, and are computed."""
    q = QUARANTINE.c
    rows = connection.execute(
        select(q.position, q.device, q.stream, q.seq)
        .where(q.seq.is_not(None), q.reason != "key.conflict")
        .order_by(q.position)
    )
    yield from ((position, Key(device, stream.hex(), seq)) for position, device, stream, seq in rows)


def _by_hash(connection: Connection, start: bytes, device: str | None) -> Named:
    """The newest message whose SHA-256 begins so; of one that came again, the row that holds its verdict."""
    position = _aside_by_hash(connection, start, device)
    if position is None:
        position = _newest(connection, start) if device is None else _of_device(connection, start, device)
    if position is None:
        where = (
            f"the newest {SCANNED} messages and what is set aside" if device is None else f"the messages of {device}"
        )
        raise _unknown(f"No message of this hash is among {where}.")
    first = connection.execute(select(JOURNAL.c.first).where(JOURNAL.c.position == position)).scalar()
    return _at(connection, position) if first is None else replace(_at(connection, first), repeat=position)


def _at(connection: Connection, position: int) -> Named:
    j = JOURNAL.c
    row = connection.execute(select(j.device, j.stream, j.seq).where(j.position == position)).one()
    if row.seq is None or row.stream is None:
        return Named(position, row.device, None)
    key = Key(row.device, row.stream.hex(), row.seq)
    same = (KEY.c.device == key.device, KEY.c.stream == row.stream, KEY.c.seq == key.seq)
    holder = connection.execute(select(KEY.c.position).where(*same)).scalar()
    return Named(position, row.device, key, is_taken=holder != position)


def _aside_by_hash(connection: Connection, start: bytes, device: str | None) -> int | None:
    q = QUARANTINE.c
    wanted = select(func.max(q.position)).where(*_begins(q.sha, start))
    return connection.execute(wanted if device is None else wanted.where(q.device == device)).scalar()


def _newest(connection: Connection, start: bytes) -> int | None:
    """Backwards through the journal, a stride at a time, so that what came lately is found at once."""
    j = JOURNAL.c
    top = connection.execute(select(func.max(j.position))).scalar() or 0
    for end in range(top, max(0, top - SCANNED), -_STRIDE):
        here = (j.position > end - _STRIDE, j.position <= end, *_begins(j.sha, start))
        if (found := connection.execute(select(func.max(j.position)).where(*here)).scalar()) is not None:
            return int(found)
    return None


def _of_device(connection: Connection, start: bytes, device: str) -> int | None:
    """Through the device's keys: what has none is set aside, and found there."""
    j, k = JOURNAL.c, KEY.c
    wanted = (
        select(func.max(j.position))
        .join_from(KEY, JOURNAL, j.position == k.position)
        .where(k.device == device, *_begins(j.sha, start))
    )
    return connection.execute(wanted).scalar()


def _begins(column: ColumnElement[bytes], start: bytes) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    left = _SHA_BYTES - len(start)
    return column >= start + b"\x00" * left, column <= start + b"\xff" * left
