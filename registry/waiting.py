"""What waits for somebody: messages set aside, readings without a patient, gaps, deliveries not yet confirmed.

Comes in: a snapshot of the ledger. Goes out: rows for people. Refuses to know: what the messages say, who the
patients are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, Subquery, func, literal, select, union_all

from ingest.ledger.contents import REFUSED
from ingest.ledger.schema import CONTENT, DELIVERY, GAP, INBOX, JOURNAL, QUARANTINE
from ingest.model import Instant
from registry.faults import Unknown


@dataclass(frozen=True, slots=True)
class SetAside:
    """A quarantined message that nobody has decided on; ``id`` is its place in the journal, ``size`` is in bytes."""

    id: int
    device: str
    received_at: Instant
    reason: str
    pointer: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Message:
    """One of them as a whole. ``state``: waiting, dismissed or replayed; ``key`` is device:stream:seq when it has one.

    ``payload`` is shorter than ``size`` for a message that was longer than the contract allows.
    """

    aside: SetAside
    hub: str | None
    state: str
    key: str | None
    payload: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """Sequence numbers ``first``..``last`` of a stream that have not come; ``asked_at``: when ``resend`` was sent."""

    device: str
    stream: str
    first: int
    last: int
    first_seen: Instant
    asked_at: Instant | None
    closed_at: Instant | None
    closed_as: str | None


@dataclass(frozen=True, slots=True)
class Outstanding:
    """A resource version that a destination has not confirmed; ``answer`` is the code of its last answer."""

    destination: str
    position: int
    type: str
    id: str
    state: str
    tries: int
    due_at: Instant
    next_try: Instant
    answer: str | None


def inbox(connection: Connection) -> dict[str, int]:
    """Device to its accepted readings that have no patient yet."""
    rows = connection.execute(select(INBOX.c.device, func.count()).group_by(INBOX.c.device).order_by(INBOX.c.device))
    return {row[0]: row[1] for row in rows}


def quarantined(connection: Connection, limit: int) -> Sequence[SetAside]:
    """Messages that wait in the quarantine, newest first: also those whose content was refused later."""
    rows = connection.execute(_ASIDE.where(_BOTH.c.state == "waiting").order_by(_BOTH.c.position.desc()).limit(limit))
    return [SetAside(*row[:6]) for row in rows]


def quarantined_one(connection: Connection, position: int) -> Message:
    """One message that is or was in the quarantine; raises Unknown."""
    j = JOURNAL.c
    row = connection.execute(_ASIDE.where(_BOTH.c.position == position)).first()
    if row is None:
        raise Unknown("quarantine.unknown", "No message of this number is in the quarantine.", "See `quarantine list`.")
    wanted = select(j.hub, j.stream, j.seq, j.payload).where(j.position == position)
    hub, stream, seq, payload = connection.execute(wanted).one()
    key = None if stream is None else f"{row[1]}:{stream.hex()}:{seq}"
    return Message(SetAside(*row[:6]), hub, row[6], key, bytes(payload or b""))


def gaps(connection: Connection, limit: int, *, closed: bool = False) -> Sequence[Gap]:
    """Open gaps, oldest first; ``closed`` ones instead when asked, without those whose rest is another row."""
    g = GAP.c
    wanted = select(g.device, g.stream, g.first, g.last, g.first_seen, g.asked_at, g.closed_at, g.closed_as).limit(
        limit
    )
    wanted = (
        wanted.where(g.closed_at.is_not(None), g.closed_as != "split").order_by(g.closed_at.desc())
        if closed
        else wanted.where(g.closed_at.is_(None)).order_by(g.first_seen, g.gap)
    )
    return [Gap(row[0], row[1].hex(), *row[2:]) for row in connection.execute(wanted)]


def deliveries(
    connection: Connection, limit: int, state: Literal["due", "parked"] | None = None
) -> Sequence[Outstanding]:
    """What destinations have not confirmed: parked first, then by the next try."""
    d = DELIVERY.c
    wanted = (
        select(d.destination, d.position, d.type, d.id, d.state, d.tries, d.due_at, d.next_try, d.answer)
        .order_by(d.state.desc(), d.next_try, d.position)
        .limit(limit)
    )
    if state is not None:
        wanted = wanted.where(d.state == state)
    return [Outstanding(*row) for row in connection.execute(wanted)]


def _set_aside() -> Subquery:
    """Everything in the quarantine: by its own verdict, or by that on its content."""
    q, t, j = QUARANTINE.c, CONTENT.c, JOURNAL.c
    pointer = func.coalesce(j.pointer, t.pointer)
    at_once = (
        select(q.position, q.device, j.received_at, q.reason, pointer.label("pointer"), j.size, q.state)
        .join_from(QUARANTINE, JOURNAL, j.position == q.position)
        .join(CONTENT, t.position == q.position, isouter=True)
    )
    later = (
        select(t.position, t.device, j.received_at, t.reason, t.pointer, j.size, literal("waiting"))
        .join_from(CONTENT, JOURNAL, j.position == t.position)
        .where(t.state == REFUSED, t.position.not_in(select(q.position)))
    )
    return union_all(at_once, later).subquery()


_BOTH = _set_aside()
_ASIDE = select(_BOTH)
