"""Reads a stretch of one lead from a waveform file, without the rest of it.

Comes in: a waveform file (int16 little-endian, one lead after the other), and the leads and length that its row says.
Goes out: samples as bytes. Refuses to know: DICOM, EDF, scales, where files lie.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import ceil
from pathlib import Path

SAMPLE = 2
"""Bytes a sample (C-ECG-1: int16)."""


def read(path: Path, wave_leads: Sequence[str], length: int, lead: str, start: int, end: int) -> bytes:
    """Samples [``start``, ``end``) of ``lead``: int16 little-endian, -32768 is missing.

    ``wave_leads`` are the names in the file's order, ``length`` is samples a lead. Raises ValueError for a lead or
    range that the recording does not have, or for a file of another size, and FileNotFoundError.
    """
    if lead not in wave_leads:
        raise ValueError("The recording has no such lead. Ask for one that it lists.")
    if not 0 <= start <= end <= length:
        raise ValueError("The range reaches past the recording. Ask for samples between 0 and its length.")
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.fstat(handle).st_size != SAMPLE * length * len(wave_leads):
            raise ValueError("The waveform file is not as long as the ledger says. Bring it back from the backup.")
        at = SAMPLE * (wave_leads.index(lead) * length + start)
        return _exactly(handle, SAMPLE * (end - start), at)
    finally:
        os.close(handle)


def span(sampling_hz: str, length: int, from_s: Decimal, to_s: Decimal) -> tuple[int, int]:
    """Sample indices [start, end) of the samples taken at ``from_s`` <= t < ``to_s`` seconds, cut to the recording.

    Sample n is taken at n / ``sampling_hz`` seconds, a decimal text.
    """
    hertz = Fraction(sampling_hz)
    start, end = (min(max(ceil(Fraction(t) * hertz), 0), length) for t in (from_s, to_s))
    return start, max(start, end)


def _exactly(handle: int, size: int, at: int) -> bytes:
    pieces = []
    while size:
        piece = os.pread(handle, size, at)
        if not piece:
            raise ValueError("The waveform file ended while it was read. Bring it back from the backup.")
        pieces.append(piece)
        size, at = size - len(piece), at + len(piece)
    return b"".join(pieces)
