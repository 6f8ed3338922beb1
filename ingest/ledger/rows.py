"""A judged message as rows: one of ``journal``, and of a reading that is stored those of three more tables. Pure.

Comes in: nouns. Goes out: tuples in the tables' column order, each with its row hash. Refuses to know: connections,
what was kept before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any, TypeAlias

from ingest.ledger.integrity import row_hash
from ingest.model import Context, Instant, Judged, Reading, Recording
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
        json.dumps(reading.flags) if reading.flags else None, reading.exam, reading.replaces, _content_text(reading),
    )  # fmt: skip
    measured = [
        (position, n, m.metric, m.value, m.unit, m.normal, int(m.unusual)) for n, m in enumerate(reading.measurements)
    ]
    recorded = None if reading.recording is None or reading.part else recording_row(position, reading.recording)
    return (*row, reading_hash(row, measured)), measured, recorded


def reading_hash(row: Sequence[Any], measured: Sequence[Sequence[Any]]) -> bytes:
    """The row hash of a row of ``reading`` without its last column: with its measurements."""
    return row_hash((row, measured))


def recording_row(position: int, found: Recording) -> Row:
    """The row of ``recording`` for samples kept in the ledger itself."""
    leads = json.dumps([(lead.name, lead.step, lead.baseline) for lead in found.leads])
    samples = b"".join(lead.samples for lead in found.leads)
    row = (position, found.sampling_hz, found.unit, leads, found.samples, int(found.complete), None, samples)
    return (*row, recording_hash(row))


def recording_file_row(position: int, told: tuple[str, str, str, int], file: str, *, complete: bool) -> Row:
    """The row of ``recording`` for samples in a waveform file; ``told``: sampling, unit, leads as JSON, length."""
    row = (position, *told, int(complete), file, None)
    return (*row, recording_hash(row))


def recording_hash(row: Sequence[Any]) -> bytes:
    """The row hash of a row of ``recording`` without its last column: samples count by their own hash."""
    samples = row[7]
    return row_hash((row[:7], None if samples is None else hashlib.sha256(samples).digest()))


def _content_text(reading: Reading) -> str | None:
    """What a reading says of a content that is not in its message, as it was judged."""
    told = {
        name: {member.name: value for member in fields(found) if (value := getattr(found, member.name)) is not None}
        for name in ("blob", "image", "part")
        if (found := getattr(reading, name)) is not None
    }
    return json.dumps(told, separators=(",", ":")) if told else None


@lru_cache(256)
def _context_text(context: Context) -> str | None:
    words = ("body_site", "position", "moment", "exertion", "sample")
    told = {word: said for word in words if (said := getattr(context, word)) is not None}
    return json.dumps(told, separators=(",", ":")) if told else None
