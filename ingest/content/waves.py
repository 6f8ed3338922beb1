"""Writes a waveform file: int16 little-endian, one lead after the other, in bounded memory, on stable storage.

Comes in: runs of samples of one lead each, in any order. Goes out: a file named by its own hex SHA-256. Refuses to
know: where the samples come from, what a lead is called. ``ingest.waveform`` reads it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp

import numpy as np
from numpy.typing import NDArray

from ingest.content.ecg import undecodable

CHUNK = 1 << 20
"""Bytes read or written at once: what bounds the memory of a recording of any length."""


@dataclass(frozen=True, slots=True)
class Run:
    """Samples of lead number ``lead`` from sample ``start`` on."""

    lead: int
    start: int
    samples: NDArray[np.int16]


def write(out: Path, leads: int, length: int, runs: Iterable[Run]) -> str:
    """Write ``leads`` x ``length`` samples into the folder ``out``; returns the file's hex SHA-256.

    Raises Rejected (``blob.undecodable``) unless the runs are as many samples as the file has, and whatever ``runs``
    raises; then nothing is left in the folder.
    """
    handle, name = mkstemp(dir=out, prefix=".wave-")
    try:
        _fill(handle, leads, length, runs)
        sha256 = _digest(handle)
        os.fsync(handle)
        Path(name).replace(out / sha256)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    _sync(out)
    return sha256


def _fill(handle: int, leads: int, length: int, runs: Iterable[Run]) -> None:
    written = 0
    for run in runs:
        _place(handle, run.samples.astype("<i2").tobytes(), 2 * (run.lead * length + run.start))
        written += run.samples.size
    if written != leads * length:
        raise undecodable()


def _place(handle: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(handle, view, at)
        view, at = view[done:], at + done


def _digest(handle: int) -> str:
    digest, at = hashlib.sha256(), 0
    while data := os.pread(handle, CHUNK, at):
        digest.update(data)
        at += len(data)
    return digest.hexdigest()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
