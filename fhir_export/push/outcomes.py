"""What became of rows: the writes after an exchange, each one short transaction.

Comes in: outcomes, a writing connection inside a transaction. Goes out: rows in DELIVERED and CONFIRMED, rows set back
or parked. Refuses to know: HTTP, why.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    exists,
    insert,
    select,
    update,
)

from fhir_export.push.again import newest_again
from fhir_export.push.port import Identity
from fhir_export.push.rows import DUE, PARKED, Due
from ingest.ledger.many import insert as insert_rows
from ingest.ledger.schema import CONFIRMED, DELIVERED, DELIVERY, FEED, JOURNAL, Int
from ingest.model import Instant

K = TypeVar("K", bound=Hashable)


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


@dataclass(frozen=True, slots=True)
class Unreferenced:
    """To be sent again once ``missing`` are there, which it refers to; parked where these were never ours to send."""

    due: Due
    code: str
    missing: frozenset[Identity]


Outcome = Delivered | Again | Parked | Unreferenced


def defer(connection: Connection, destination: str, held: Mapping[int, Instant]) -> None:
    """Set rows back that cannot be sent before others, so that they do not stand in the way of the rest."""
    for until, positions in _grouped((until, position) for position, until in held.items()):
        _change(connection, destination, positions, next_try=until, answer="record.waits")


def settle(
    connection: Connection, destination: str, outcomes: Sequence[Outcome], now: Instant, *, confirms: bool
) -> None:
    """Write what became of some rows; ``confirms``: readings whose resources are all there are confirmed by it.

    A row that another process has settled or changed meanwhile is not deleted: if it is still there it is sent once
    more, and if a later version went out before ours, that one is due again, so that the record ends with the newest.
    """
    delivered = [o for o in outcomes if isinstance(o, Delivered)]
    if delivered:
        ours = _move(connection, destination, delivered, now)
        for outcome in delivered:
            if outcome.due.position not in ours:
                _overtaken(connection, destination, outcome.due, now)
        if confirms and ours:
            _confirm(connection, destination, ours, now)
    tries = DELIVERY.c.tries + 1
    again = (((o.code, o.next_try), o.due.position) for o in outcomes if isinstance(o, Again))
    for (code, next_try), positions in _grouped(again):
        _change(connection, destination, positions, tries=tries, next_try=next_try, answer=code)
    for code, positions in _grouped((o.code, o.due.position) for o in outcomes if isinstance(o, Parked)):
        _change(connection, destination, positions, tries=tries, next_try=now, answer=code, state=PARKED)
    for one in (o for o in outcomes if isinstance(o, Unreferenced)):
        helped = [newest_again(connection, destination, identity, now) for identity in sorted(one.missing)]
        state = DUE if helped and all(helped) else PARKED
        _change(connection, destination, [one.due.position], tries=tries, next_try=now, answer=one.code, state=state)


def release(connection: Connection, destination: str, code: str, types: Collection[str] | None, now: Instant) -> None:
    """What was parked with this code, of these types (all, when None), is due again."""
    here = [DELIVERY.c.destination == destination, DELIVERY.c.state == PARKED, DELIVERY.c.answer == code]
    here += [] if types is None else [DELIVERY.c.type.in_(types)]
    connection.execute(update(DELIVERY).where(*here).values(state=DUE, next_try=now))


def _grouped(pairs: Iterable[tuple[K, int]]) -> Iterable[tuple[K, list[int]]]:
    """Positions by what is to be written: a statement for each group, and the writer is free again soon."""
    groups: dict[K, list[int]] = {}
    for key, position in pairs:
        groups.setdefault(key, []).append(position)
    return groups.items()


def _change(connection: Connection, destination: str, positions: list[int], **values: object) -> None:
    rows = _rows(destination, positions), DELIVERY.c.state == DUE
    connection.execute(update(DELIVERY).where(*rows).values(**values))


def _rows(destination: str, positions: Collection[int]) -> ColumnElement[bool]:
    return and_(DELIVERY.c.destination == destination, DELIVERY.c.position.in_(positions))


def _move(connection: Connection, destination: str, delivered: Sequence[Delivered], now: Instant) -> set[int]:
    """Move the rows that are still as they were read to DELIVERED; the positions of those."""
    taken: set[int] = set()
    for tries, positions in _grouped((outcome.due.tries, outcome.due.position) for outcome in delivered):
        asked = {"destination": destination, "tries": tries, "positions": positions}
        taken.update(connection.execute(_TAKE, asked).scalars())
    rows = [
        (destination, outcome.due.position, now, outcome.due.tries + 1, outcome.version)
        for outcome in delivered
        if outcome.due.position in taken
    ]
    insert_rows(connection, _KEEP, rows)
    return taken


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
    connection.execute(_CONFIRM, {"destination": destination, "positions": sorted(positions), "now": now})


# Made once: a list's values are written into the text as they are sent. As parameters, a hundred of them cost more than
# the statement itself.
_POSITIONS = bindparam("positions", expanding=True, literal_execute=True, type_=Int)
_HERE = DELIVERY.c.destination == bindparam("destination")
_TAKE = (
    delete(DELIVERY)
    .where(_HERE, DELIVERY.c.tries == bindparam("tries"), DELIVERY.c.position.in_(_POSITIONS))
    .returning(DELIVERY.c.position)
)
_KEEP = "INSERT INTO delivered (destination, position, at, tries, version) VALUES"
# Nested, so that it starts from the reading's few feed rows and not from all that waits.
_WAITS = exists().where(_HERE, DELIVERY.c.position == FEED.c.position)
_LEFT = exists().where(FEED.c.reading == JOURNAL.c.position, _WAITS)
_KNOWN = exists().where(CONFIRMED.c.reading == JOURNAL.c.position)
_READINGS = select(FEED.c.reading).where(FEED.c.position.in_(_POSITIONS), FEED.c.reading.is_not(None))
_CONFIRM = insert(CONFIRMED).from_select(
    ["reading", "device", "at"],
    select(JOURNAL.c.position, JOURNAL.c.device, bindparam("now", type_=Int))
    .where(JOURNAL.c.position.in_(_READINGS), ~_LEFT, ~_KNOWN)
    .order_by(JOURNAL.c.position),
)
