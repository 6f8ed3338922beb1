"""What became of rows: the writes after an exchange, each one short transaction.

Comes in: outcomes, a writing connection inside a transaction. Goes out: rows in DELIVERED and CONFIRMED, rows set back
or parked. Refuses to know: HTTP, why.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    exists,
    insert,
    literal,
    select,
    update,
)

from fhir_export.push.rows import DUE, PARKED, Due
from ingest.ledger.schema import CONFIRMED, DELIVERED, DELIVERY, FEED, JOURNAL
from ingest.model import Instant


@dataclass(frozen=True, slots=True)
class Delivered:
    """Confirmed under this version id of the record."""

    due: Due
    version: str | None


@dataclass(frozen=True, slots=True)
class Again:
    """To be sent again from ``next_try`` on."""

    due: Due
    code: str
    next_try: Instant


@dataclass(frozen=True, slots=True)
class Parked:
    """To be sent when a person says so."""

    due: Due
    code: str


Outcome = Delivered | Again | Parked


def defer(connection: Connection, destination: str, held: Mapping[int, Instant]) -> None:
    """Set rows back that cannot be sent before others, so that they do not stand in the way of the rest."""
    change = update(DELIVERY).where(_one(destination)).values(next_try=bindparam("until"), answer="record.waits")
    connection.execute(change, [{"row": position, "until": until} for position, until in held.items()])


def settle(
    connection: Connection, destination: str, outcomes: Sequence[Outcome], now: Instant, *, confirms: bool
) -> None:
    """Write what became of some rows; ``confirms``: readings whose resources are all there are confirmed by it.

    A row that another process has settled or changed meanwhile is not deleted: if it is still there it is sent once
    more, and if a later version went out before ours, that one is due again, so that the record ends with the newest.
    """
    delivered = [o for o in outcomes if isinstance(o, Delivered)]
    if delivered:
        ours = _take(connection, destination, [o.due for o in delivered])
        kept = [
            {
                "destination": destination,
                "position": o.due.position,
                "at": now,
                "tries": o.due.tries + 1,
                "version": o.version,
            }
            for o in delivered
            if o.due.position in ours
        ]
        if kept:
            connection.execute(insert(DELIVERED), kept)
        for outcome in delivered:
            if outcome.due.position not in ours:
                _overtaken(connection, destination, outcome.due, now)
        if confirms and ours:
            _confirm(connection, destination, ours, now)
    for state, rows in (
        (DUE, [{"row": o.due.position, "code": o.code, "at": o.next_try} for o in outcomes if isinstance(o, Again)]),
        (PARKED, [{"row": o.due.position, "code": o.code, "at": now} for o in outcomes if isinstance(o, Parked)]),
    ):
        if rows:
            change = update(DELIVERY).where(_one(destination)).values(
                state=state, tries=DELIVERY.c.tries + 1, next_try=bindparam("at"), answer=bindparam("code")
            )  # fmt: skip
            connection.execute(change, rows)


def _one(destination: str) -> ColumnElement[bool]:
    return and_(DELIVERY.c.destination == destination, DELIVERY.c.position == bindparam("row"), DELIVERY.c.state == DUE)


def _take(connection: Connection, destination: str, dues: Sequence[Due]) -> set[int]:
    """Delete the rows that are still as they were read; the positions of those."""
    here = DELIVERY.c.destination == destination
    found = select(DELIVERY.c.position, DELIVERY.c.tries).where(
        here, DELIVERY.c.position.in_([d.position for d in dues])
    )
    now = {(position, tries) for position, tries in connection.execute(found)}
    ours = {due.position for due in dues if (due.position, due.tries) in now}
    connection.execute(delete(DELIVERY).where(here, DELIVERY.c.position.in_(ours)))
    return ours


def _overtaken(connection: Connection, destination: str, sent: Due, now: Instant) -> None:
    """Someone else settled this row: make the newest version due again if it may have gone out before ours."""
    newest = (
        select(FEED.c.position, FEED.c.patient, FEED.c.device)
        .where(FEED.c.type == sent.outgoing.type, FEED.c.id == sent.outgoing.id, FEED.c.position > sent.position)
        .order_by(FEED.c.version.desc())
        .limit(1)
    )
    for position, patient, device in connection.execute(newest).all():
        there = (DELIVERED.c.destination == destination, DELIVERED.c.position == position)
        if connection.execute(delete(DELIVERED).where(*there)).rowcount:
            row = {"destination": destination, "position": position, "type": sent.outgoing.type, "id": sent.outgoing.id}
            row |= {"patient": patient, "device": device, "state": DUE, "tries": 0, "next_try": now, "due_at": now}
            connection.execute(insert(DELIVERY), row)
        else:  # it is on its way: whoever confirms it must find the row changed, and send once more
            on_its_way = update(DELIVERY).where(DELIVERY.c.destination == destination, DELIVERY.c.position == position)
            connection.execute(on_its_way.values(tries=DELIVERY.c.tries + 1))


def _confirm(connection: Connection, destination: str, positions: Collection[int], now: Instant) -> None:
    """A row in CONFIRMED for each reading of these that has nothing undelivered left, once."""
    readings = select(FEED.c.reading).where(FEED.c.position.in_(list(positions)), FEED.c.reading.is_not(None))
    # Nested, so that it starts from the reading's few feed rows and not from all that waits.
    waits = exists().where(DELIVERY.c.destination == destination, DELIVERY.c.position == FEED.c.position)
    left = exists().where(FEED.c.reading == JOURNAL.c.position, waits)
    known = exists().where(CONFIRMED.c.reading == JOURNAL.c.position)
    complete = (
        select(JOURNAL.c.position, JOURNAL.c.device, literal(now))
        .where(JOURNAL.c.position.in_(readings), ~left, ~known)
        .order_by(JOURNAL.c.position)
    )
    connection.execute(insert(CONFIRMED).from_select(["reading", "device", "at"], complete))
