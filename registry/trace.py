"""One reading's whole way, as far as the ledger knows it: stages with times, outcomes and reasons.

Comes in: a snapshot of the ledger, and any of a reading id, a FHIR id made of one, or ``device:stream:seq``. Goes
out: ``Trace``. Refuses to know: values, who the patient is.

Judging, committing and answering share the time of the commit: the judgement is one step with it, the receipt is due at
it, and receipts are not kept. A stage that the ledger keeps no time of has none here. A reading whose content comes
apart has one stage more, ``content``, and is answered again when that is decided.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Table, func, select

from ingest.ledger.balance import present
from ingest.ledger.contents import REFUSED
from ingest.ledger.schema import (
    ATTRIBUTION,
    CONTENT,
    DELIVERED,
    DELIVERY,
    FEED,
    INBOX,
    JOURNAL,
    KEY,
    LATER,
    QUARANTINE,
    READING,
)
from ingest.model import Instant, Key
from registry import contents
from registry.faults import Unfit, Unknown

_BY_ID = re.compile(r"([0-9a-f]{32})(-[a-z0-9-]+)?")
_BY_KEY = re.compile(r"([a-z0-9][a-z0-9_-]{2,62}):([0-9a-f]{32}):(0|[1-9]\d{0,15})")


@dataclass(frozen=True, slots=True)
class Stage:
    """``at`` is None where the ledger keeps no time; ``reason`` is a code, with its JSON pointer when it has one."""

    stage: str
    at: Instant | None
    outcome: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """A reading's key, kind (None when it could not be judged) and stages, in the order of its way."""

    reading: str
    device: str
    stream: str
    seq: int
    kind: str | None
    stages: tuple[Stage, ...]


def trace(connection: Connection, text: str) -> Trace:
    """Everything known of one reading; raises Unfit for a text that names none, Unknown for one never received."""
    position, key = _located(connection, text)
    kind = connection.execute(select(READING.c.kind).where(READING.c.position == position)).scalar()
    ways = (_taken, _content, _given, _delivered)
    stages = tuple(stage for way in ways for stage in way(connection, position))
    return Trace(key.reading, key.device, key.stream, key.seq, kind, stages)


def _located(connection: Connection, text: str) -> tuple[int, Key]:
    if found := _BY_KEY.fullmatch(text):
        key = Key(found[1], found[2], int(found[3]))
        same = (KEY.c.device == key.device, KEY.c.stream == bytes.fromhex(key.stream), KEY.c.seq == key.seq)
        position = connection.execute(select(KEY.c.position).where(*same)).scalar()
        if position is not None:
            return position, key
    elif found := _BY_ID.fullmatch(text):
        for position, key in (*_read(connection, found[1]), *_set_aside(connection)):
            if key.reading == found[1]:
                return position, key
    else:
        raise Unfit(
            "trace.id",
            "This names no reading.",
            "Give a reading id, a FHIR id that begins with one, or device:stream:seq.",
        )
    raise Unknown(
        "reading.unknown",
        "No reading of this name was received.",
        "See that the id is whole, that the device has sent it, and `gaps list` for what is missing.",
    )


def _read(connection: Connection, reading: str) -> Iterator[tuple[int, Key]]:
    rows = connection.execute(
        select(JOURNAL.c.position, JOURNAL.c.device, JOURNAL.c.stream, JOURNAL.c.seq)
        .join_from(READING, JOURNAL, JOURNAL.c.position == READING.c.position)
        .where(READING.c.reading == bytes.fromhex(reading))
    )
    yield from ((position, Key(device, stream.hex(), seq)) for position, device, stream, seq in rows)


def _set_aside(connection: Connection) -> Iterator[tuple[int, Key]]:
    """Quarantined messages with a key, oldest first: their reading ids are not kept, and are computed."""
    q = QUARANTINE.c
    rows = connection.execute(
        select(q.position, q.device, q.stream, q.seq)
        .where(q.seq.is_not(None), q.reason != "key.conflict")
        .order_by(q.position)
    )
    yield from ((position, Key(device, stream.hex(), seq)) for position, device, stream, seq in rows)


def _taken(connection: Connection, position: int) -> Iterator[Stage]:
    """From the broker to the receipt: one journal row, and what a person did with it since."""
    j = JOURNAL.c
    received_at, kept_at, outcome, reason, pointer = connection.execute(
        select(j.received_at, j.kept_at, j.outcome, j.reason, j.pointer).where(j.position == position)
    ).one()
    why = " ".join(filter(None, (reason, pointer))) or None
    yield Stage("received", received_at, "received")
    yield Stage("judged", kept_at, outcome, why)
    after = connection.execute(
        select(QUARANTINE.c.state, QUARANTINE.c.changed_at).where(QUARANTINE.c.position == position)
    ).one_or_none()
    if after is not None and after.state != "waiting":
        yield Stage("judged", after.changed_at, after.state)
    yield Stage("committed", kept_at, "committed")
    yield Stage("answered", kept_at, outcome, "receipt due at commit; receipts are not kept")


def _content(connection: Connection, position: int) -> Iterator[Stage]:
    """How far the content is that comes apart from its message, and the verdicts that were told later."""
    row = connection.execute(
        select(CONTENT.c.state, CONTENT.c.changed_at, JOURNAL.c.outcome, READING.c.content)
        .join_from(CONTENT, JOURNAL, JOURNAL.c.position == CONTENT.c.position)
        .join(READING, READING.c.position == CONTENT.c.position)
        .where(CONTENT.c.position == position)
    ).one_or_none()
    if row is None:
        return
    found = contents.of(connection, {position: row.content})[position]
    left = sum(end - start for start, end in found.missing)
    whole = found.blob.size if found.blob is not None else 0
    why = f"{left} of {whole} bytes missing" if left else " ".join(filter(None, (found.reason, found.pointer)))
    yield Stage("content", row.changed_at, row.state, why or None)
    told = connection.execute(select(LATER.c.at).where(LATER.c.reading == position).order_by(LATER.c.position)).all()
    for place, (at,) in enumerate(told, start=1):
        outcome = present(row.outcome, row.state) if place == len(told) else "superseded"
        yield Stage("answered", at, outcome, "receipt due then; receipts are not kept")


def _given(connection: Connection, position: int) -> Iterator[Stage]:
    """To whom it belongs: every attribution, or what it waits for."""
    a = ATTRIBUTION.c
    held = connection.execute(select(a.at, a.retracted_at).where(a.position == position).order_by(a.n)).all()
    for at, retracted_at in held:
        yield Stage("attributed", at, "attributed")
        if retracted_at is not None:
            yield Stage("attributed", retracted_at, "retracted")
    doubt = connection.execute(select(INBOX.c.why, INBOX.c.since).where(INBOX.c.position == position)).one_or_none()
    if doubt is not None:
        yield Stage("attributed", doubt.since, "inbox", doubt.why)
    elif not held:
        read = connection.execute(
            select(CONTENT.c.state)
            .join_from(READING, CONTENT, CONTENT.c.position == READING.c.position, isouter=True)
            .where(READING.c.position == position)
        ).first()
        yield Stage("attributed", None, "none" if read is None or read.state == REFUSED else "waiting")


def _delivered(connection: Connection, position: int) -> Iterator[Stage]:
    """Into the feed, and from there to every destination: the least advanced resource speaks for all."""
    f, waiting, done = FEED.c, DELIVERY.c, DELIVERED.c
    count, published_at = connection.execute(select(func.count(), func.min(f.at)).where(f.reading == position)).one()
    yield Stage("published", published_at, "published" if count else "none")
    mine = select(f.position).where(f.reading == position)
    left = connection.execute(
        select(waiting.state, waiting.answer, waiting.destination)
        .where(waiting.destination.in_(_destinations(connection, DELIVERY)), waiting.position.in_(mine))
        .order_by(waiting.state.desc(), waiting.destination)  # parked before due
    ).first()
    if left is not None:
        yield Stage("delivered", None, left.state, " ".join(filter(None, (left.destination, left.answer))))
        return
    here = done.destination.in_(_destinations(connection, DELIVERED))
    last = connection.execute(select(func.max(done.at)).where(here, done.position.in_(mine))).scalar()
    yield Stage("delivered", last, "none" if last is None else "delivered")


def _destinations(connection: Connection, table: Table) -> list[str]:
    """The few destinations with rows there, by leaps through the key: with them, a position is found by it too."""
    found: list[str] = []
    least, name = func.min(table.c.destination), table.c.destination
    while following := connection.execute(select(least).where(name > (found[-1] if found else ""))).scalar():
        found.append(following)
    return found
