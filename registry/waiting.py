"""What waits for somebody: messages set aside, readings without a patient, gaps, deliveries not yet confirmed.

Comes in: a snapshot of the ledger. Goes out: rows for people. Refuses to know: what the messages say, who the
patients are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, func, select

from ingest.ledger import present
from ingest.ledger.decisions import Decision, history
from ingest.ledger.schema import DELIVERY, GAP, INBOX, JOURNAL
from ingest.model import Instant
from registry.faults import Unknown


@dataclass(frozen=True, slots=True)
class SetAside:
    """A quarantined message; ``id`` is its place in the journal, ``size`` is in bytes.

    ``reason`` and ``pointer`` are those of the latest verdict.
    """

    id: int
    device: str
    received_at: Instant
    reason: str
    pointer: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages: of a reason, of a device, received from ``since`` (inclusive) to ``until`` (exclusive)."""

    reason: str | None = None
    device: str | None = None
    since: Instant | None = None
    until: Instant | None = None
    state: str | None = "waiting"
    """See ``Message``; None: any."""


@dataclass(frozen=True, slots=True)
class Message:
    """One of them as a whole. ``key`` is device:stream:seq when it has one.

    ``state``: waiting; dismissed; replayed (it was judged again, and counts); duplicate (another message under its key
    says the same). ``payload`` is shorter than ``size`` for a message that was longer than the contract allows.
    """

    aside: SetAside
    hub: str | None
    state: str
    key: str | None
    payload: bytes
    history: Sequence[Decision]
    """Who decided what, oldest first."""


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


def quarantined(connection: Connection, wanted: Wanted, limit: int, before: int | None = None) -> Sequence[SetAside]:
    """Messages in the quarantine, newest first: also those whose content was refused later."""
    rows = _listed(connection, wanted, ("<", before), f"DESC LIMIT {int(limit)}")
    return [SetAside(*row[:6]) for row in rows]


def places(connection: Connection, wanted: Wanted, after: int, limit: int) -> Sequence[int]:
    """The same, oldest first from behind ``after`` on, by their ids alone."""
    return [row[0] for row in _listed(connection, wanted, (">", after), f"ASC LIMIT {int(limit)}")]


def quarantined_one(connection: Connection, position: int) -> Message:
    """One message that is or was in the quarantine; raises Unknown."""
    row = next(iter(_listed(connection, Wanted(state=None), ("=", position), "ASC")), None)
    if row is None:
        raise Unknown("quarantine.unknown", "No message of this number is in the quarantine.", "See `quarantine list`.")
    j = JOURNAL.c
    wanted = select(j.hub, j.stream, j.seq, j.payload).where(j.position == position)
    hub, stream, seq, payload = connection.execute(wanted).one()
    key = None if stream is None else f"{row[1]}:{stream.hex()}:{seq}"
    return Message(SetAside(*row[:6]), hub, row[6], key, bytes(payload or b""), history(connection, position))


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


_AT_ONCE = f"""
SELECT q.position, q.device, j.received_at, q.reason, {present.POINTER}, j.size, q.state
FROM quarantine q JOIN journal j ON j.position = q.position
LEFT JOIN content t ON t.position = q.position AND t.state = 'refused'
"""  # noqa: S608 - our own pieces
_LATER = """
SELECT q.position, q.device, j.received_at, q.reason, q.pointer, j.size, 'waiting'
FROM content q JOIN journal j ON j.position = q.position
"""
"""By the verdict on its content, of one that no row of the quarantine tells of; named as in the other one."""
_REFUSED = "q.state = 'refused' AND NOT EXISTS (SELECT 1 FROM quarantine o WHERE o.position = q.position)"
_CONDITIONS = {
    "reason": "q.reason = ?",
    "device": "q.device = ?",
    "since": "j.received_at >= ?",
    "until": "j.received_at < ?",
}


def _listed(
    connection: Connection, wanted: Wanted, place: tuple[str, int | None], order: str
) -> Sequence[Sequence[Any]]:
    """Everything in the quarantine that is wanted: by its own verdict, or by that on its content."""
    asked = [(text, value) for name, text in _CONDITIONS.items() if (value := getattr(wanted, name)) is not None]
    asked += [(f"q.position {place[0]} ?", place[1])] if place[1] is not None else []
    where = "".join(f" AND {text}" for text, _ in asked)
    values = [value for _, value in asked]
    state = "1 = 1" if wanted.state is None else "q.state = ?"
    parts, given = [f"{_AT_ONCE} WHERE {state}{where}"], ([] if wanted.state is None else [wanted.state]) + values
    if wanted.state in (None, "waiting"):
        parts, given = [*parts, f"{_LATER} WHERE {_REFUSED}{where}"], given + values
    statement = f"{' UNION ALL '.join(parts)} ORDER BY 1 {order}"
    return connection.exec_driver_sql(statement, tuple(given)).all()
