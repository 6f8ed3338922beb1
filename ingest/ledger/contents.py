"""Readings whose content comes apart: their claims, the parts that came, and live recordings that grow.

Comes in: a connection inside the writer's transaction, readings, parts. Goes out: rows of CONTENT, PIECE, LIVE and
LIVE_PART; what is still missing. Refuses to know: files, verdicts on what is in them, answers.

A claim is a reading's CONTENT row: ``waiting`` until every byte of its blob is kept, then ``complete``: looked at.
Parts belong to (device, blob), so a reading can claim only what its own device sent (C-BLB-4).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Connection

from ingest.blobs import missing as missing_of
from ingest.model import Instant, Part, Piece, Reading

WAITING, COMPLETE, READY, REFUSED, PART = "waiting", "complete", "ready", "refused", "part"
DEVICE_MOST = 1 << 30
"""Bytes of unfinished blobs that a device may keep here: two of the longest. A part counts as 64 KiB at least."""
BLOBS_MOST = 64
"""Unfinished blobs that a device may have here at a time."""
_PART_COUNTS = 65_536
LIVE_MOST = 64 * 1024**2
"""Bytes of samples that a live recording may have, gaps included: 90 minutes of twelve leads at 500 Hz."""

_CLAIM = "INSERT INTO content VALUES (?, ?, ?, ?, ?, NULL, NULL, NULL, ?)"
_ALREADY = "SELECT 1 FROM content WHERE device = ? AND sha = ? AND state = 'ready' LIMIT 1"
_PIECES = 'SELECT start, "end" FROM piece WHERE device = ? AND sha = ?'
_PIECE = """
INSERT INTO piece VALUES (?, ?, ?, ?, ?)
ON CONFLICT (device, sha, start) DO UPDATE SET "end" = excluded."end", at = excluded.at
"""
_UNDER_WAY = """
SELECT sha, CAST(sum(CASE WHEN "end" - start > ? THEN "end" - start ELSE ? END) AS BIGINT) FROM piece
WHERE device = ? GROUP BY sha
"""
_WAITING = "SELECT position, size FROM content WHERE device = ? AND sha = ? AND state = 'waiting'"
_COMPLETE = "UPDATE content SET state = 'complete', changed_at = ? WHERE position = ?"
_OF = "SELECT device, sha, size, state FROM content WHERE position = ?"
_LIVE = """
INSERT INTO live VALUES (?, ?, ?, ?, 'open')
ON CONFLICT (device, recording) DO UPDATE SET heard_at = excluded.heard_at
"""
_CLOSED = "SELECT 1 FROM live WHERE device = ? AND recording = ? AND state = 'closed'"
_NO_PART = "INSERT INTO content VALUES (?, ?, NULL, NULL, 'refused', 'ecg.length', '/part', NULL, ?)"
_LIVE_PART = "INSERT INTO live_part VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a (device, blob) before its parts are written: longest claim, whether all of it is there."""

    size: int | None
    done: bool

    def claimed(self, size: int) -> Standing:
        """The same, with one claim more that is kept in the batch at hand."""
        return Standing(max(size, self.size or 0), self.done)


def standing(connection: Connection, blobs: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Standing]:
    """``Standing`` of each (device, hex SHA-256)."""
    found = {}
    for device, sha256 in blobs:
        rows = connection.exec_driver_sql(
            "SELECT size, state FROM content WHERE device = ? AND sha = ?", (device, bytes.fromhex(sha256))
        ).all()
        waiting = [size for size, state in rows if state == WAITING]
        done = not waiting and any(state in (COMPLETE, READY) for _, state in rows)
        found[device, sha256] = Standing(max(waiting, default=None), done)
    return found


@dataclass(slots=True)
class Room:
    """What a device may still have under way here; ``takes`` counts what it lets in."""

    left: int
    blobs: set[str]

    @classmethod
    def of(cls, connection: Connection, device: str) -> Self:
        """The room of a device now."""
        rows = connection.exec_driver_sql(_UNDER_WAY, (_PART_COUNTS, _PART_COUNTS, device)).all()
        return cls(DEVICE_MOST - sum(used for _, used in rows), {sha.hex() for sha, _ in rows})

    def takes(self, sha256: str, size: int) -> bool:
        """Whether one more part of so many bytes fits."""
        counts = max(size, _PART_COUNTS)
        if counts > self.left or (sha256 not in self.blobs and len(self.blobs) >= BLOBS_MOST):
            return False
        self.left -= counts
        self.blobs.add(sha256)
        return True


def claim(connection: Connection, position: int, reading: Reading, now: Instant) -> tuple[tuple[int, int], ...]:
    """Note what a reading waits for; returns the byte ranges that are missing, none when all has come before it."""
    blob, device = reading.blob, reading.key.device
    if blob is None:
        return ()
    sha = bytes.fromhex(blob.sha256)
    held = connection.exec_driver_sql(_ALREADY, (device, sha)).first() is not None
    left = () if held else _left(connection, device, sha, blob.size)
    connection.exec_driver_sql(_CLAIM, (position, device, sha, blob.size, WAITING if left else COMPLETE, now))
    return left


def keep(connection: Connection, pieces: Sequence[Piece], now: Instant) -> None:
    """Note parts that are on stable storage; claims that have all of theirs are complete."""
    rows = [
        (piece.raw.device, bytes.fromhex(piece.sha256), piece.start, piece.start + len(piece.raw.payload), now)
        for piece in pieces
    ]
    if not rows:
        return
    connection.exec_driver_sql(_PIECE, rows)
    for device, sha in {row[:2] for row in rows}:
        waiting = connection.exec_driver_sql(_WAITING, (device, sha)).all()
        if not waiting:
            continue
        gaps = _left(connection, device, sha, max(size for _, size in waiting))
        whole = gaps[0][0] if gaps else None  # bytes from the first one on that are all there
        complete = [(now, position) for position, size in waiting if whole is None or size <= whole]
        if complete:
            connection.exec_driver_sql(_COMPLETE, complete)


def left(connection: Connection, position: int) -> tuple[tuple[int, int], ...]:
    """The byte ranges that the reading at ``position`` still waits for."""
    row = connection.exec_driver_sql(_OF, (position,)).first()
    if row is None or row[3] != WAITING:
        return ()
    return _left(connection, *row[:3])


def forget(connection: Connection, device: str, sha: bytes) -> None:
    """The parts of a blob are no longer kept as parts."""
    connection.exec_driver_sql("DELETE FROM piece WHERE device = ? AND sha = ?", (device, sha))


def add_live(connection: Connection, position: int, reading: Reading, part: Part, now: Instant) -> None:
    """Note a part of a live recording; one after its end, in time or in length, is kept, and named as no part of it."""
    device, name, recording = reading.key.device, bytes.fromhex(part.recording), reading.recording
    if recording is None:
        return
    if connection.exec_driver_sql(_CLOSED, (device, name)).first() is not None:
        connection.exec_driver_sql(_NO_PART, (position, device, now))
        return
    if (part.from_sample + recording.samples) * len(recording.leads) * 2 > LIVE_MOST:
        connection.exec_driver_sql(_NO_PART, (position, device, now))
        return
    leads = [(lead.name, lead.step, lead.baseline) for lead in recording.leads]
    header = json.dumps((recording.sampling_hz, recording.unit, leads))
    samples = b"".join(lead.samples for lead in recording.leads)
    connection.exec_driver_sql(_LIVE, (device, name, position, now))
    row = (device, name, part.from_sample, position, recording.samples, int(part.last), header, samples)
    connection.exec_driver_sql(_LIVE_PART, row)
    connection.exec_driver_sql(_CLAIM, (position, device, None, None, PART, now))


def _left(connection: Connection, device: str, sha: bytes, size: int) -> tuple[tuple[int, int], ...]:
    kept: list[Any] = list(connection.exec_driver_sql(_PIECES, (device, sha)))
    return tuple(missing_of([(start, end) for start, end in kept], size))
