"""Readings as people look them up: newest first, with what was measured and whose it is.

Comes in: a snapshot of the ledger, filters. Goes out: ``Seen`` rows. Refuses to know: names of persons, FHIR.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, select

from ingest.ledger.balance import present
from ingest.ledger.schema import ATTRIBUTION, CONTENT, INBOX, JOURNAL, MEASUREMENT, READING
from ingest.model import Instant, Measurement, TimeMark
from registry import contents
from registry.contents import Content
from registry.faults import Unknown


@dataclass(frozen=True, slots=True)
class Seen:
    """An accepted reading. ``patient`` is the id it belongs to now, ``waits`` the doubt that keeps it in the inbox.

    ``verdict`` is the present one: pending while a content is waited for, quarantined when that cannot be used.
    """

    position: int
    reading: str
    device: str
    stream: str
    seq: int
    kind: str
    taken_at: str
    used_at: Instant
    mark: TimeMark
    received_at: Instant
    flags: tuple[str, ...]
    patient: str | None
    waits: str | None
    measurements: tuple[Measurement, ...]
    verdict: str
    content: Content


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which readings; ``since`` is when they were received, ``before`` a position that is not among them."""

    device: str | None = None
    patient: str | None = None
    since: Instant | None = None
    before: int | None = None


def newest(connection: Connection, wanted: Wanted, limit: int) -> list[Seen]:
    """At most ``limit`` readings, newest first by arrival."""
    asked = _READINGS.order_by(READING.c.position.desc()).limit(limit)
    if wanted.device is not None:
        asked = asked.where(READING.c.device == wanted.device)
    if wanted.patient is not None:
        asked = asked.where(ATTRIBUTION.c.patient == wanted.patient)
    if wanted.since is not None:
        asked = asked.where(JOURNAL.c.received_at >= wanted.since)
    if wanted.before is not None:
        asked = asked.where(READING.c.position < wanted.before)
    return _seen(connection, connection.execute(asked).all())


def one(connection: Connection, reading: str) -> Seen:
    """The reading of this id (32 hex digits); raises Unknown when none was accepted under it."""
    try:
        key = bytes.fromhex(reading)
    except ValueError:
        key = b""
    found = _seen(connection, connection.execute(_READINGS.where(READING.c.reading == key)).all())
    if not found:
        raise Unknown("reading.unknown", "No reading of this id was accepted.", "`trace` tells what is known of it.")
    return found[0]


_READINGS: Select[Any] = (
    select(
        READING.c.position, READING.c.reading, JOURNAL.c.device, JOURNAL.c.stream, JOURNAL.c.seq, READING.c.kind,
        READING.c.taken_at, READING.c.used_at, READING.c.mark, JOURNAL.c.received_at, READING.c.flags,
        ATTRIBUTION.c.patient, INBOX.c.why, JOURNAL.c.outcome, READING.c.content, CONTENT.c.state,
    )
    .join_from(READING, JOURNAL, JOURNAL.c.position == READING.c.position)
    .join(
        ATTRIBUTION,
        and_(ATTRIBUTION.c.position == READING.c.position, ATTRIBUTION.c.retracted_at.is_(None)),
        isouter=True,
    )
    .join(INBOX, INBOX.c.position == READING.c.position, isouter=True)
    .join(CONTENT, and_(CONTENT.c.position == READING.c.position, CONTENT.c.sha.is_not(None)), isouter=True)
)  # fmt: skip


def _seen(connection: Connection, rows: Sequence[Row[Any]]) -> list[Seen]:
    measured = _measured(connection, [row.position for row in rows])
    found = contents.of(connection, {row.position: row.content for row in rows})
    return [
        Seen(
            row.position, row.reading.hex(), row.device, row.stream.hex(), row.seq, row.kind, row.taken_at, row.used_at,
            TimeMark(row.mark), row.received_at, tuple(json.loads(row.flags or "[]")), row.patient, row.why,
            tuple(measured[row.position]), present(row.outcome, row.state), found.get(row.position, Content()),
        )
        for row in rows
    ]  # fmt: skip


def _measured(connection: Connection, positions: Collection[int]) -> dict[int, list[Measurement]]:
    found: dict[int, list[Measurement]] = defaultdict(list)
    m = MEASUREMENT.c
    wanted = select(MEASUREMENT).where(m.position.in_(positions)).order_by(m.position, m.ordinal)
    for position, _ordinal, metric, value, unit, normal, unusual in connection.execute(wanted):
        found[position].append(Measurement(metric, value, unit, normal, bool(unusual)))
    return found
