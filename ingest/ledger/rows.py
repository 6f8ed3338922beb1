"""A judged message as rows: one of ``journal``, and of a reading that is stored those of three more tables. Pure.

Comes in: nouns. Goes out: tuples in the tables' column order, each with its row hash. Refuses to know: connections,
what was kept before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from ingest.ledger.integrity import row_hash
from ingest.model import Context, Instant, Judged, Reading
from ingest.reasons import Reason
from ingest.wire import MAX_BYTES

KEPT_OF_TOO_LARGE = 65_536
"""Bytes kept of a message that is longer than the contract allows, beside its hash and length."""

Row: TypeAlias = tuple[Any, ...]


def journal_row(
    position: int,
    judged: Judged,
    now: Instant,
    outcome: str,
    reason: Reason | None = None,
    pointer: str | None = None,
    first: tuple[int, bytes] | None = None,
) -> Row:
    """The journal's row; ``first``: position and hash of the row that this message repeats."""
    raw, key = judged.raw, judged.key
    payload: bytes | None = raw.payload
    kept: bytes | None = judged.sha
    if first is not None and first[1] == judged.sha:
        payload = kept = None
    elif len(raw.payload) > MAX_BYTES:
        payload = raw.payload[:KEPT_OF_TOO_LARGE]
        kept = hashlib.sha256(payload).digest()
    stream, seq = (bytes.fromhex(key.stream), key.seq) if key else (None, None)
    told = reason.value if reason else None
    before = (
        position, raw.received_at, now, raw.channel.value, raw.device, raw.hub, judged.sha, len(raw.payload),
    )  # fmt: skip
    after = (stream, seq, outcome, told, pointer, first[0] if first else None)
    return (*before, payload, *after, row_hash((before, kept, after)))


def journal_hash(row: Sequence[Any]) -> bytes:
    """The row hash of a row of ``journal`` without its last column: the payload counts by its own hash."""
    payload = row[8]
    kept = None if payload is None else hashlib.sha256(payload).digest()
    return row_hash((row[:8], kept, row[9:15]))


def reading_rows(position: int, reading: Reading) -> tuple[Row, list[Row], Row | None]:
    """The rows of ``reading``, ``measurement`` and ``recording``."""
    timing, key = reading.timing, reading.key
    row = (
        position, bytes.fromhex(key.reading), key.device, reading.kind, reading.clock, timing.taken_at, timing.used,
        timing.mark.value, timing.offset, timing.uncertainty, _context_text(reading.context),
        json.dumps(reading.flags) if reading.flags else None, reading.exam, reading.replaces,
    )  # fmt: skip
    measured = [
        (position, n, m.metric, m.value, m.unit, m.normal, int(m.unusual)) for n, m in enumerate(reading.measurements)
    ]
    recorded = _recording_row(position, reading)
    return (*row, reading_hash(row, measured, recorded)), measured, recorded


def reading_hash(row: Sequence[Any], measured: Sequence[Sequence[Any]], recorded: Sequence[Any] | None) -> bytes:
    """The row hash of a row of ``reading`` without its last column: with its measurements, and its samples by hash."""
    recording = None if recorded is None else (*recorded[:6], hashlib.sha256(recorded[6]).digest())
    return row_hash((row, measured, recording))


def _recording_row(position: int, reading: Reading) -> Row | None:
    found = reading.recording
    if found is None:
        return None
    names = json.dumps([name for name, _ in found.leads])
    samples = b"".join(samples for _, samples in found.leads)
    return (position, found.sampling_hz, found.unit, found.step, found.baseline, names, samples)


@lru_cache(256)
def _context_text(context: Context) -> str | None:
    words = ("body_site", "position", "moment", "exertion", "sample")
    told = {word: said for word in words if (said := getattr(context, word)) is not None}
    return json.dumps(told, separators=(",", ":")) if told else None
