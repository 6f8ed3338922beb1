"""A stretch of one lead, and a photograph's thumbnail: as much as a page shows, and no more is read.

Comes in: a snapshot of the ledger, a reading id, the folder of contents. Goes out: ``Stretch`` with the samples as the
device sent them, JPEG bytes. Refuses to know: HTTP, who asks, how it is drawn.

Samples are int16 little-endian, one lead after the other, in the row or in a waveform file: a stretch is one read at
one place. That the whole file is what its name says is checked by ``ledger verify``, not here.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from ingest import waveform
from ingest.blobs import BlobMissing, Blobs
from ingest.content.found import Found
from ingest.ledger.contents import PART, READY, REFUSED
from ingest.ledger.schema import CONTENT, READING, RECORDING
from registry.faults import Conflict, Unknown

MISSING = -32_768
"""A sample that was not measured (device contract, C-ECG-2)."""
_MICROSECOND = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples ``first``.. of a lead, None where one is missing; value = sample x ``step`` + ``baseline`` in ``unit``.

    ``step``, ``baseline`` and ``sampling_hz`` are decimal texts as sent.
    """

    lead: str
    unit: str
    step: str
    baseline: str
    sampling_hz: str
    first: int
    samples: tuple[int | None, ...]

    @property
    def start(self) -> float:
        """When its first sample was taken, in seconds from the beginning of the recording."""
        return _seconds(self.first, self.sampling_hz)

    @property
    def end(self) -> float:
        """Where the next stretch begins, in seconds."""
        return _seconds(self.first + len(self.samples), self.sampling_hz)


def stretch(connection: Connection, blobs: Blobs, reading: str, lead: str, span: tuple[Decimal, Decimal]) -> Stretch:
    """The samples of ``lead`` taken in ``span``, seconds [from, to) from the beginning; none beyond the end.

    Raises Unknown for a reading or lead that is not there, Conflict for a recording that is not whole yet, BlobMissing
    when its file is gone.
    """
    row = _recording(connection, reading)
    scales = {name: (step, baseline) for name, step, baseline in json.loads(row.leads)}
    leads = list(scales)
    if lead not in scales:
        raise Unknown("recording.lead", "The recording has no such lead.", f"Name one of: {', '.join(leads)}.")
    first, last = waveform.span(row.sampling_hz, row.length, *span)
    if row.file is None:
        at = (leads.index(lead) * row.length + first) * waveform.SAMPLE
        data = _from_row(connection, row.position, at, (last - first) * waveform.SAMPLE)
    else:
        data = _from_file(blobs.path(row.file), row.file, leads, row.length, lead, (first, last))
    return Stretch(lead, row.unit, *scales[lead], row.sampling_hz, first, _samples(data))


def thumbnail(connection: Connection, blobs: Blobs, reading: str) -> bytes:
    """The JPEG thumbnail of a photograph; raises Unknown, Conflict while the photograph has not come, BlobMissing."""
    row = connection.execute(_CONTENT.where(READING.c.reading == _key(reading))).first()
    if row is None:
        raise _unknown()
    told = None if row.found is None else Found.of(row.found)
    if told is None or told.picture is None or told.picture.thumbnail is None:
        raise _without(row.state, "thumbnail", "The reading has no thumbnail.")
    return blobs.read(told.picture.thumbnail)


_CONTENT = select(READING.c.position, CONTENT.c.state, CONTENT.c.found).join_from(
    READING, CONTENT, CONTENT.c.position == READING.c.position, isouter=True
)


def _recording(connection: Connection, reading: str) -> Any:  # noqa: ANN401 - a row
    """The row of a reading's recording, without samples."""
    known = connection.execute(_CONTENT.where(READING.c.reading == _key(reading))).first()
    if known is None:
        raise _unknown()
    r = RECORDING.c
    wanted = select(r.position, r.sampling_hz, r.unit, r.leads, r.length, r.file)
    row = connection.execute(wanted.where(r.position == known.position)).first()
    if row is None:
        raise _without(known.state, "recording", "The reading has no recording.")
    return row


def _key(reading: str) -> bytes:
    try:
        return bytes.fromhex(reading)
    except ValueError:
        return b""


def _unknown() -> Unknown:
    return Unknown("reading.unknown", "No reading of this id was accepted.", "`trace` tells what is known of it.")


def _without(state: str | None, what: str, happened: str) -> Unknown | Conflict:
    """Why there is none: it never was to come, it was refused, or it has not come yet."""
    if state in (None, READY):
        return Unknown(f"{what}.none", happened, "Ask for a reading that has one.")
    if state == REFUSED:
        return Unknown(f"{what}.refused", "The content could not be used.", "`trace` tells why.")
    if state == PART:
        return Conflict(
            f"{what}.live",
            "The reading is a part of a live recording.",
            "When that has ended, ask under the reading id of its first part.",
        )
    return Conflict(f"{what}.not_yet", "The content has not all come, or was not looked at yet.", "Ask again later.")


def _seconds(sample: int, sampling_hz: str) -> float:
    """When a sample was taken, to the microsecond before: whoever asks from there gets that sample, not the next."""
    return float((sample / Decimal(sampling_hz)).quantize(_MICROSECOND, ROUND_FLOOR))


def _from_row(connection: Connection, position: int, at: int, size: int) -> bytes:
    part = select(func.substr(RECORDING.c.samples, at + 1, size)).where(RECORDING.c.position == position)
    return bytes(connection.execute(part).scalar_one())


def _from_file(path: Path, name: str, leads: Sequence[str], length: int, lead: str, span: tuple[int, int]) -> bytes:
    try:
        return waveform.read(path, leads, length, lead, *span)
    except (FileNotFoundError, ValueError):  # of what can be wrong with it, only the file is left here
        raise BlobMissing(name) from None


def _samples(data: bytes) -> tuple[int | None, ...]:
    found = array("h", data)
    if sys.byteorder == "big":
        found.byteswap()
    return tuple(None if sample == MISSING else sample for sample in found)
