"""One reading's whole way, as far as the ledger knows it: stages with times, outcomes and reasons.

Comes in: a snapshot of the ledger, and a text that names a message (``registry.naming``). Goes out: ``Trace``. Refuses
to know: values, who the patient is.

Judging, committing and answering share the time of the commit: the judgement is one step with it, the receipt is due at
it, and receipts are not kept. A stage that the ledger keeps no time of has none here. A reading whose content comes
apart has one stage more, ``content``, and is answered again when that is decided.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Table, func, select

from ingest.ledger.balance import present
from ingest.ledger.contents import REFUSED
from ingest.ledger.decisions import history
from ingest.ledger.schema import (
    ATTRIBUTION,
    CONTENT,
    DELIVERED,
    DELIVERY,
    FEED,
    INBOX,
    JOURNAL,
    LATER,
    QUARANTINE,
    READING,
)
from ingest.model import Instant
from registry import contents
from registry.naming import named


@dataclass(frozen=True, slots=True)
class Stage:
    """``at`` is None where the ledger keeps no time; ``reason`` is a code, with its JSON pointer when it has one."""

    stage: str
    at: Instant | None
    outcome: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """A message's key (absent where it gave none), kind (None when it could not be judged) and stages.

    ``reading`` is absent where there is no key, or another message has it.
    """

    reading: str | None
    device: str
    stream: str | None
    seq: int | None
    kind: str | None
    stages: tuple[Stage, ...]


def trace(connection: Connection, text: str, device: str | None = None) -> Trace:
    """Everything known of one message; ``device`` narrows a hash. Raises as ``registry.naming.named`` does."""
    found = named(connection, text, device)
    kind = connection.execute(select(READING.c.kind).where(READING.c.position == found.position)).scalar()
    ways = (_taken, _content, _given, _delivered)
    stages = [stage for way in ways for stage in way(connection, found.position)]
    if found.repeat is not None:
        stages += _again(connection, found.repeat)
    if found.key is None:
        return Trace(None, found.device, None, None, kind, tuple(stages))
    key = found.key
    return Trace(None if found.is_taken else key.reading, key.device, key.stream, key.seq, kind, tuple(stages))


def _again(connection: Connection, position: int) -> Iterator[Stage]:
    """The same bytes once more, in a row of their own."""
    j = JOURNAL.c
    received_at, kept_at = connection.execute(select(j.received_at, j.kept_at).where(j.position == position)).one()
    yield Stage("received", received_at, "duplicate")
    yield Stage("answered", kept_at, "duplicate", "receipt due at commit; receipts are not kept")


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
    made = history(connection, position)
    yield from (Stage("judged", m.at, m.outcome, " ".join(filter(None, (m.reason, m.pointer))) or None) for m in made)
    if after is not None and after.state != "waiting" and not made:
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
