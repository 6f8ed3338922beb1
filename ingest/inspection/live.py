"""Live parts become one recording: at the last of them, or a minute after the latest (C-ECG-5).

Comes in: LIVE and LIVE_PART rows. Goes out: the recording's row at its first part, which is published then. Gaps stay
gaps: what did not come is -32768 in every lead, and the recording is marked incomplete. Refuses to know: file formats.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection

from ingest.ledger.files import LedgerFile
from ingest.ledger.rows import recording_file_row, recording_row
from ingest.ledger.sqlite import named_faults
from ingest.model import Instant, Lead, Recording
from ingest.reasons import Reason, Rejected

PATIENCE = 60 * 1_000_000
"""Microseconds after the latest part (C-ECG-5)."""
MOST_BYTES = 256 * 1024**2
"""Bytes of samples that a live recording may have, gaps included: 24 h of twelve leads at 125 Hz."""
_IN_ROW = 4 * 1024**2  # bytes of samples kept in the ledger itself; longer ones are a file
_GAP = b"\x00\x80"  # -32768, little-endian
_WIDTH = 2

_RIPE = """
SELECT l.device, l.recording, l.heard_at FROM live l WHERE l.state = 'open' AND (l.heard_at < ? OR EXISTS (
SELECT 1 FROM live_part p WHERE p.device = l.device AND p.recording = l.recording AND p.last = 1))
"""
_PARTS = """
SELECT from_sample, position, length, last, header, samples FROM live_part
WHERE device = ? AND recording = ? ORDER BY from_sample, position
"""


@dataclass(frozen=True, slots=True)
class _Whole:
    """A recording of ``length`` samples a lead that begins with the part at ``first``."""

    first: int
    recording: Recording | None
    fault: Rejected | None = None


def step(file: LedgerFile, now: Instant) -> int:
    """Close recordings whose time has come; returns how many. Raises LedgerUnavailable, OSError."""
    with named_faults(), file.readers.connect() as connection:
        ripe = connection.exec_driver_sql(_RIPE, (now - PATIENCE,)).all()
        read = [(row, connection.exec_driver_sql(_PARTS, tuple(row[:2])).all()) for row in ripe]
    closed = 0
    for (device, name, heard_at), parts in read:
        if heard_at >= now - PATIENCE and not _reaches_its_end(parts):
            continue  # a part may be on its way again
        whole = _whole(parts)
        samples = b"".join(lead.samples for lead in whole.recording.leads) if whole.recording else b""
        waves = _as_file(file, samples) if len(samples) > _IN_ROW else None
        file.writer.write(partial(_close, device=device, name=name, whole=whole, waves=waves, now=now))
        closed += 1
    return closed


def _reaches_its_end(parts: Sequence[Any]) -> bool:
    """Whether every sample from 0 to the end of the part that calls itself the last has come."""
    at = 0
    for from_sample, _, length, last, *_ in parts:
        if from_sample > at:
            return False
        at = max(at, from_sample + length)
        if last:
            return True
    return False


def _whole(parts: Sequence[Any]) -> _Whole:
    start, first = parts[0][:2]
    header = parts[0][4]
    hertz, unit, leads = json.loads(header)
    length = max(row[0] + row[2] for row in parts) - start
    if any(row[4] != header for row in parts):
        return _Whole(first, None, Rejected(Reason.ECG_SAMPLING, "/recording"))
    if length * _WIDTH * len(leads) > MOST_BYTES or length < float(hertz):
        return _Whole(first, None, Rejected(Reason.ECG_LENGTH, "/part"))
    arrays = [bytearray(_GAP * length) for _ in leads]
    covered, complete = start, start == 0
    for from_sample, _, count, _, _, samples in parts:
        at, size = (from_sample - start) * _WIDTH, count * _WIDTH
        complete = complete and from_sample == covered
        skip = max(0, covered - from_sample) * _WIDTH  # what stands already is not overwritten
        for n, array in enumerate(arrays):
            array[at + skip : at + size] = samples[n * size + skip : (n + 1) * size]
        covered = max(covered, from_sample + count)
    complete = complete and bool(parts[-1][3])
    made = tuple(Lead(name, bytes(array), step, base) for (name, step, base), array in zip(leads, arrays, strict=True))
    return _Whole(first, Recording(hertz, unit, made, complete))


def _as_file(file: LedgerFile, samples: bytes) -> str:
    with file.blobs.scratch() as folder:
        path = folder / "wave"
        path.write_bytes(samples)
        return file.blobs.adopt(path)


def _close(connection: Connection, device: str, name: bytes, whole: _Whole, waves: str | None, now: Instant) -> None:
    connection.exec_driver_sql("UPDATE live SET state = 'closed' WHERE device = ? AND recording = ?", (device, name))
    connection.exec_driver_sql("DELETE FROM live_part WHERE device = ? AND recording = ?", (device, name))
    if whole.fault is not None:
        refused = "UPDATE content SET state = 'refused', reason = ?, pointer = ?, changed_at = ? WHERE position = ?"
        connection.exec_driver_sql(refused, (str(whole.fault.reason), whole.fault.pointer, now, whole.first))
        return
    if whole.recording is None:
        return
    row = recording_row(whole.first, whole.recording)
    if waves is not None:
        row = recording_file_row(whole.first, row[1:5], waves, complete=whole.recording.complete)
    connection.exec_driver_sql("INSERT INTO recording VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    ready = "UPDATE content SET state = 'ready', changed_at = ? WHERE position = ?"
    connection.exec_driver_sql(ready, (now, whole.first))
    connection.exec_driver_sql("INSERT INTO due (what, ref) VALUES ('reading', ?)", (str(whole.first),))
