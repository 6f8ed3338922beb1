"""Readings whose content comes apart, in a ledger, at any stage of their way: for the tests of who shows them."""

from __future__ import annotations

import base64
import hashlib
import json
from array import array
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from ingest.content.found import Found, Picture, Wave
from ingest.ledger.files import OpenLedger
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.schema import RECORDING
from ingest.model import Key, Piece
from tests.support.ledgers import NOW, STREAM, judged, raw

DEVICE = "eye-0001"
PART = 262_144
"""The longest part of a blob (device contract, C-BLB-2)."""
LEADS = {"I": array("h", range(5000)), "II": array("h", [0, -32_768, 7] + [3] * 4997)}
"""Ten seconds at 500 Hz."""


@dataclass(frozen=True)
class Apart:
    """A reading that was kept, where it lies, and the bytes of its content."""

    reading: str
    position: int
    content: bytes

    @property
    def sha256(self) -> str:
        """Of the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def photograph(file: OpenLedger, seq: int = 0, content: bytes = b"p" * 300_000, **image: Any) -> Apart:  # noqa: ANN401
    """A fundus photograph is announced; its parts have not come."""
    blob = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "content_type": "image/jpeg"}
    said = {"eye": "left", "field": "macula", **image}
    return _keep(file, {"kind": "retinography", "image": {"blob": blob, **said}}, seq, content)


def tracing(file: OpenLedger, seq: int = 0, content: bytes = b"d" * 1000) -> Apart:
    """An ECG file is announced; its parts have not come."""
    blob = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "content_type": "application/dicom"}
    return _keep(file, {"kind": "ecg", "recording": {"blob": blob}}, seq, content)


def inline(file: OpenLedger, seq: int = 0) -> Apart:
    """An ECG with its samples in the message: ``LEADS``."""
    leads = {name: base64.b64encode(samples.tobytes()).decode() for name, samples in LEADS.items()}
    header = {"sampling_hz": 500, "unit": "uV", "step": 1.25, "baseline": 0, "encoding": "int16le"}
    return _keep(file, {"kind": "ecg", "recording": {**header, "leads": leads}}, seq, b"")


def send(file: OpenLedger, apart: Apart, count: int | None = None) -> None:
    """The parts of its content come: the first ``count``, else all."""
    starts = range(0, len(apart.content), PART)
    for start in list(starts)[:count]:
        data = apart.content[start : start + PART]
        piece = Piece(raw(data, DEVICE), hashlib.sha256(data).digest(), apart.sha256, start)
        RelationalLedger(file).commit([piece], NOW).result()


def refuse(file: OpenLedger, apart: Apart, reason: str, pointer: str | None = None, at: int = NOW + 5) -> None:
    """Its content was looked at, cannot be used, and that is told."""
    _decide(file, apart, "refused", at, reason, pointer)


def accept(file: OpenLedger, apart: Apart, found: Found = Found(), at: int = NOW + 5) -> None:  # noqa: B008 - frozen
    """Its content was looked at, can be used, and that is told."""
    _decide(file, apart, "ready", at, found=found.text())


def accept_photograph(file: OpenLedger, apart: Apart, thumbnail: bytes = b"\xff\xd8small", **more: Any) -> None:  # noqa: ANN401
    """A photograph of 64 x 48 pixels whose thumbnail lies beside it."""
    accept(file, apart, Found(picture=Picture(64, 48, 8, _place(file, thumbnail)), **more))


def accept_tracing(file: OpenLedger, apart: Apart) -> str:
    """An ECG file with ``LEADS`` in its waveform file; returns that file's hash."""
    data = b"".join(samples.tobytes() for samples in LEADS.values())
    name = _place(file, data)
    leads = tuple((lead, "1.25", "0") for lead in LEADS)
    row = (apart.position, "500", "uV", json.dumps(leads), 5000, 1, name, None, b"")

    def job(connection: Connection) -> None:
        connection.execute(RECORDING.insert().values(row))

    file.writer.write(job)
    accept(file, apart, Found(wave=Wave("500", "uV", leads, 5000, name)))
    return name


def _keep(file: OpenLedger, body: dict[str, Any], seq: int, content: bytes) -> Apart:
    envelope = {"v": 1, "stream": STREAM, "seq": seq, "taken_at": "2026-11-18T08:30:00+04:00", **body}
    RelationalLedger(file).commit([judged(json.dumps(envelope).encode(), DEVICE)], NOW).result()
    with file.readers.connect() as connection:
        position = int(connection.exec_driver_sql("SELECT max(position) FROM journal").scalar_one())
    return Apart(Key(DEVICE, STREAM, seq).reading, position, content)


def _decide(
    file: OpenLedger,
    apart: Apart,
    state: str,
    at: int,
    reason: str | None = None,
    pointer: str | None = None,
    found: str | None = None,
) -> None:
    row = (state, reason, pointer, found, at, apart.position)

    def job(connection: Connection) -> None:
        connection.exec_driver_sql(
            "UPDATE content SET state = ?, reason = ?, pointer = ?, found = ?, changed_at = ? WHERE position = ?", row
        )
        told = (apart.position, DEVICE, at)
        connection.exec_driver_sql("INSERT INTO later (reading, device, at) VALUES (?, ?, ?)", told)

    file.writer.write(job)


def _place(file: OpenLedger, data: bytes) -> str:
    with file.blobs.scratch() as folder:
        made = folder / "made"
        made.write_bytes(data)
        return file.blobs.adopt(made)
