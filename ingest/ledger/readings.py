"""Readings as they were accepted: rows become nouns again.

Comes in: journal positions. Goes out: ``Accepted`` readings. Refuses to know: patients, FHIR.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from ingest.ledger.schema import JOURNAL, MEASUREMENT, READING, RECORDING
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

_CONTENT = {"blob": Blob, "image": Image, "part": Part}


@dataclass(frozen=True, slots=True)
class Accepted:
    """A reading with its place in the journal, the time of its arrival, and when the ledger accepted it."""

    position: int
    received_at: Instant
    kept_at: Instant
    reading: Reading


def accepted(connection: Connection, positions: Collection[int]) -> list[Accepted]:
    """The readings at these positions, in their order; positions without a reading are passed over."""
    measured: dict[int, list[Measurement]] = {}
    for row in connection.execute(
        select(MEASUREMENT).where(MEASUREMENT.c.position.in_(positions)).order_by(*MEASUREMENT.primary_key)
    ):
        measured.setdefault(row.position, []).append(
            Measurement(row.metric, row.value, row.unit, row.normal, bool(row.unusual))
        )
    recorded = {
        row.position: _recording(row)
        for row in connection.execute(select(RECORDING).where(RECORDING.c.position.in_(positions)))
    }
    wanted = (
        select(READING, JOURNAL.c.received_at, JOURNAL.c.kept_at, JOURNAL.c.stream, JOURNAL.c.seq)
        .join_from(READING, JOURNAL, JOURNAL.c.position == READING.c.position)
        .where(READING.c.position.in_(positions))
        .order_by(READING.c.position)
    )
    return [
        _accepted(row, measured.get(row.position, ()), recorded.get(row.position)) for row in connection.execute(wanted)
    ]


def _accepted(row: Any, measured: Iterable[Measurement], recording: Recording | None) -> Accepted:  # noqa: ANN401 - a row
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
    return Accepted(row.position, row.received_at, row.kept_at, reading)


def _recording(row: Any) -> Recording:  # noqa: ANN401 - a row
    told = json.loads(row.leads)
    length = len(row.samples) // len(told)
    leads = tuple(
        Lead(name, row.samples[n * length : (n + 1) * length], step, baseline)
        for n, (name, step, baseline) in enumerate(told)
    )
    return Recording(row.sampling_hz, row.unit, leads, bool(row.complete))


def _content(text: str | None) -> dict[str, Any]:
    told = json.loads(text) if text else {}
    return {name: noun(**told[name]) for name, noun in _CONTENT.items() if name in told}
