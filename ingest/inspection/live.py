"""Live parts become one recording: at the last of them, or a minute after the latest (C-ECG-5).

Comes in: LIVE and LIVE_PART rows. Goes out: the recording's row at its first part, which is published then. Gaps stay
gaps: what did not come is -32768 in every lead, and the recording is marked incomplete. Refuses to know: file formats.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import Connection

from ingest.ledger.engine import named_faults
from ingest.ledger.files import OpenLedger
from ingest.ledger.rows import recording_file_row, recording_row
from ingest.model import Instant, Lead, Recording
from ingest.reasons import Reason, Rejected

PATIENCE = 60 * 1_000_000
"""Microseconds after the latest part (C-ECG-5)."""
_IN_ROW = 4 * 1024**2  # bytes of samples kept in the ledger itself; longer ones are a file
_GAP = b"\x00\x80"  # -32768, little-endian
_WIDTH = 2

_RIPE = """
SELECT l.device, l.recording, l.heard_at FROM live l WHERE l.state = 'open' AND (l.heard_at < ? OR EXISTS (
SELECT 1 FROM live_part p WHERE p.device = l.device AND p.recording = l.recording AND p.last = 1))
"""
_EXTENTS = """
SELECT from_sample, length, last FROM live_part WHERE device = ? AND recording = ? ORDER BY from_sample, position
"""
_PARTS = """
SELECT from_sample, position, length, last, header, samples FROM live_part
WHERE device = ? AND recording = ? ORDER BY from_sample, position
"""
_CLOSE = "UPDATE live SET state = 'closed' WHERE device = ? AND recording = ? AND state = 'open' AND heard_at = ?"
_COUNT = "SELECT count(*) FROM live_part WHERE device = ? AND recording = ?"


@dataclass(frozen=True, slots=True)
class _Open:
    """A recording that may be closed, as it was seen: one that has heard another part since is looked at again."""

    device: str
    name: bytes
    heard_at: Instant
    parts: int


@dataclass(frozen=True, slots=True)
class _Whole:
    """A recording that begins with the part at ``first``; ``complete``: nothing is missing from its beginning on."""

    first: int
    hertz: str
    unit: str
    leads: tuple[tuple[str, str, str], ...]
    length: int
    complete: bool

    @property
    def size(self) -> int:
        """Bytes of all samples."""
        return self.length * _WIDTH * len(self.leads)


def step(file: OpenLedger, now: Instant) -> int:
    """Close recordings whose time has come, one at a time; returns how many. Raises LedgerUnavailable, OSError."""
    with named_faults(), file.readers.connect() as connection:
        ripe = connection.exec_driver_sql(_RIPE, (now - PATIENCE,)).all()
    return sum(_closed(file, tuple(row), now) for row in ripe)


def _closed(file: OpenLedger, row: tuple[str, bytes, Instant], now: Instant) -> bool:
    device, name, heard_at = row
    with named_faults(), file.readers.connect() as connection:
        extents = connection.exec_driver_sql(_EXTENTS, (device, name)).all()
        if not extents or (heard_at >= now - PATIENCE and not _reaches_its_end(extents)):
            return False  # a part may be on its way again
        parts = connection.exec_driver_sql(_PARTS, (device, name)).all()
    seen = _Open(device, name, heard_at, len(parts))
    whole = _whole(parts)
    if isinstance(whole, Rejected):
        return file.writer.write(partial(_refuse, seen=seen, first=parts[0][1], fault=whole, now=now))
    if whole.size <= _IN_ROW:
        leads = zip(whole.leads, _samples(whole, parts), strict=True)
        made = tuple(Lead(lead, samples, step, base) for (lead, step, base), samples in leads)
        kept = recording_row(whole.first, Recording(whole.hertz, whole.unit, made, whole.complete))
    else:
        told = (whole.hertz, whole.unit, json.dumps(whole.leads), whole.length)
        kept = recording_file_row(whole.first, told, _as_file(file, whole, parts), complete=whole.complete)
    return file.writer.write(partial(_close, seen=seen, first=whole.first, row=kept, now=now))


def _reaches_its_end(extents: Sequence[Any]) -> bool:
    """Whether every sample from 0 to the end of the part that calls itself the last has come."""
    at = 0
    for from_sample, length, last in extents:
        if from_sample > at:
            return False
        at = max(at, from_sample + length)
        if last:
            return True
    return False


def _whole(parts: Sequence[Any]) -> _Whole | Rejected:
    start, first, *_ = parts[0]
    header = parts[0][4]
    hertz, unit, leads = json.loads(header)
    length = max(row[0] + row[2] for row in parts) - start
    if any(row[4] != header for row in parts):
        return Rejected(Reason.ECG_SAMPLING, "/recording")
    if length < Decimal(hertz):
        return Rejected(Reason.ECG_LENGTH, "/part")
    covered, complete = start, start == 0
    for from_sample, _, count, *_ in parts:
        complete = complete and from_sample == covered
        covered = max(covered, from_sample + count)
    named = tuple((name, step, base) for name, step, base in leads)
    return _Whole(first, hertz, unit, named, length, complete and bool(parts[-1][3]))


def _samples(whole: _Whole, parts: Sequence[Any]) -> Iterator[bytes]:
    """Lead by lead: what came, and the missing sample where nothing did."""
    start = parts[0][0]
    for n in range(len(whole.leads)):
        array, covered = bytearray(_GAP * whole.length), start
        for from_sample, _, count, _, _, samples in parts:
            at, size = (from_sample - start) * _WIDTH, count * _WIDTH
            skip = max(0, covered - from_sample) * _WIDTH  # what stands already is not overwritten
            if skip < size:
                array[at + skip : at + size] = samples[n * size + skip : (n + 1) * size]
            covered = max(covered, from_sample + count)
        yield bytes(array)


def _as_file(file: OpenLedger, whole: _Whole, parts: Sequence[Any]) -> str:
    with file.blobs.scratch() as folder:
        path = folder / "wave"
        with path.open("wb") as stream:
            for samples in _samples(whole, parts):
                stream.write(samples)
        return file.blobs.adopt(path)


def _is_as_seen(connection: Connection, seen: _Open) -> bool:
    """Close the recording, unless a part has come since it was looked at."""
    name = (seen.device, seen.name)
    if connection.exec_driver_sql(_COUNT, name).scalar() != seen.parts:
        return False
    return bool(connection.exec_driver_sql(_CLOSE, (*name, seen.heard_at)).rowcount)


def _close(connection: Connection, seen: _Open, first: int, row: tuple[Any, ...], now: Instant) -> bool:
    if not _is_as_seen(connection, seen):
        return False
    connection.exec_driver_sql(_FORGET, (seen.device, seen.name))
    connection.exec_driver_sql("INSERT INTO recording VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    ready = "UPDATE content SET state = 'ready', changed_at = ? WHERE position = ?"
    connection.exec_driver_sql(ready, (now, first))
    connection.exec_driver_sql("INSERT INTO due (what, ref) VALUES ('reading', ?)", (str(first),))
    return True


_FORGET = "DELETE FROM live_part WHERE device = ? AND recording = ?"


def _refuse(connection: Connection, seen: _Open, first: int, fault: Rejected, now: Instant) -> bool:
    if not _is_as_seen(connection, seen):
        return False
    connection.exec_driver_sql(_FORGET, (seen.device, seen.name))
    refused = "UPDATE content SET state = 'refused', reason = ?, pointer = ?, changed_at = ? WHERE position = ?"
    connection.exec_driver_sql(refused, (str(fault.reason), fault.pointer, now, first))
    return True
