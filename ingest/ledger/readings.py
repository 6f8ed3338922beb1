"""Readings as they were accepted: rows become nouns again.

Comes in: journal positions, who reads blobs. Goes out: ``Accepted`` readings. Refuses to know: patients, FHIR.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, or_, select

from ingest.blobs import BlobMissing
from ingest.content.found import Found
from ingest.ledger.schema import CONTENT, JOURNAL, MEASUREMENT, READING, RECORDING
from ingest.model import (
    Blob,
    Context,
    Image,
    Instant,
    Key,
    Lead,
    Measurement,
    Part,
    Reading,
    Recording,
    TimeMark,
    Timing,
)

LONGEST = 2_000_000
"""Samples of all leads together, at most, that a reading carries: 12 leads at 500 Hz for five and a half minutes, about
10 MB as JSON. A day's recording would be hundreds of them; whoever needs that reads the file itself."""
_CONTENT = {"blob": Blob, "image": Image, "part": Part}
_READY = or_(CONTENT.c.state.is_(None), CONTENT.c.state == "ready")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A reading with its place in the journal, the time of its arrival, and when the ledger accepted it.

    ``sha`` is the SHA-256 of its message, ``hub`` the device that spoke for its device, ``found`` what looking into its
    blob told. ``missing``: its waveform file is not there, or no longer what its name says.
    """

    position: int
    received_at: Instant
    kept_at: Instant
    reading: Reading
    sha: bytes
    hub: str | None = None
    found: Found | None = None
    missing: bool = False


def accepted(
    connection: Connection, positions: Collection[int], read: Callable[[str], bytes] | None = None
) -> list[Accepted]:
    """The readings at these positions, in their order.

    Positions without a reading are passed over, and so are readings whose content has not come, was refused, or belongs
    to another one's recording.

    ``read`` gives the bytes of a blob by its hex SHA-256, or raises BlobMissing; without it a reading has no recording
    that lies in a file. No reading has one longer than ``LONGEST``.
    """
    measured: dict[int, list[Measurement]] = {}
    for row in connection.execute(
        select(MEASUREMENT).where(MEASUREMENT.c.position.in_(positions)).order_by(*MEASUREMENT.primary_key)
    ):
        measured.setdefault(row.position, []).append(
            Measurement(row.metric, row.value, row.unit, row.normal, bool(row.unusual))
        )
    recorded = {
        row.position: _samples(row, read)
        for row in connection.execute(select(RECORDING).where(RECORDING.c.position.in_(positions)))
    }
    j = JOURNAL.c
    wanted = (
        select(READING, j.received_at, j.kept_at, j.stream, j.seq, j.sha, j.hub, CONTENT.c.found)
        .join_from(READING, JOURNAL, j.position == READING.c.position)
        .join(CONTENT, CONTENT.c.position == READING.c.position, isouter=True)
        .where(READING.c.position.in_(positions), _READY)
        .order_by(READING.c.position)
    )
    return [
        _accepted(row, measured.get(row.position, ()), *recorded.get(row.position, (None, False)))
        for row in connection.execute(wanted)
    ]


def _accepted(
    row: Any,  # noqa: ANN401 - a row
    measured: Iterable[Measurement],
    recording: Recording | None,
    missing: bool,  # noqa: FBT001 - beside the recording that is not there
) -> Accepted:
    reading = Reading(
        key=Key(row.device, row.stream.hex(), row.seq),
        kind=row.kind,
        clock=row.clock,
        timing=Timing(row.taken_at, row.used_at, TimeMark(row.mark), row.offset, row.uncertainty),
        measurements=tuple(measured),
        context=Context(**json.loads(row.context)) if row.context else Context(),
        flags=tuple(json.loads(row.flags)) if row.flags else (),
        exam=row.exam,
        replaces=row.replaces,
        recording=recording,
        **_content(row.content),
    )
    found = Found.of(row.found) if row.found else None
    return Accepted(row.position, row.received_at, row.kept_at, reading, row.sha, row.hub, found, missing)


def _samples(row: Any, read: Callable[[str], bytes] | None) -> tuple[Recording | None, bool]:  # noqa: ANN401 - a row
    """The recording, if it is at hand and not too long; whether its file is missing."""
    if row.samples is not None:
        return _recording(row, row.samples), False
    if read is None or row.length * len(json.loads(row.leads)) > LONGEST:
        return None, False
    try:
        return _recording(row, read(row.file)), False
    except BlobMissing:
        return None, True


def _recording(row: Any, samples: bytes) -> Recording:  # noqa: ANN401 - a row
    told = json.loads(row.leads)
    length = len(samples) // len(told)
    leads = tuple(
        Lead(name, samples[n * length : (n + 1) * length], step, baseline)
        for n, (name, step, baseline) in enumerate(told)
    )
    return Recording(row.sampling_hz, row.unit, leads, bool(row.complete))


def _content(text: str | None) -> dict[str, Any]:
    told = json.loads(text) if text else {}
    return {name: noun(**told[name]) for name, noun in _CONTENT.items() if name in told}
