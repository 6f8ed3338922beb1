"""Delivery rows of one destination: what is due, and what holds it back.

Comes in: a reading connection. Goes out: ``Due`` rows, ``Blocker`` rows, counts. Refuses to know: HTTP, what becomes of
a row (``outcomes``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from fhir_export.feed import feed_hash
from fhir_export.push.port import Identity, Outgoing
from ingest.ledger.schema import DELIVERY, FEED, Int
from ingest.model import Instant

DUE, PARKED = "due", "parked"
ROUND = 2000
"""Rows taken at once: twenty batches, between two looks at the ledger."""
ROUND_BYTES = 8_000_000
"""Bytes of bodies held at once, but for a single one that is larger."""


# The values of a list are written into the text: as parameters, hundreds of them cost more than the statement itself.
_POSITIONS = bindparam("positions", expanding=True, literal_execute=True, type_=Int)
_VERSIONS = select(FEED).where(FEED.c.position.in_(_POSITIONS)).order_by(FEED.c.position)
_STATES = select(DELIVERY.c.position, DELIVERY.c.state, DELIVERY.c.next_try).where(
    DELIVERY.c.destination == bindparam("destination"), DELIVERY.c.position.in_(_POSITIONS)
)


@dataclass(frozen=True, slots=True)
class Due:
    """A row to be sent: ``version`` is the feed's, ``patient`` and ``device`` are ids it refers to.

    ``intact``: the feed's row is as it was written.
    """

    position: int
    tries: int
    version: int
    next_try: Instant
    patient: str | None
    device: str | None
    outgoing: Outgoing
    intact: bool = True


@dataclass(frozen=True, slots=True)
class Blocker:
    """An earlier row that the destination has not confirmed."""

    position: int
    parked: bool
    next_try: Instant


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits: rows due and parked, and since when the oldest due one does."""

    due: int
    parked: int
    oldest: Instant | None


def due(connection: Connection, destination: str, now: Instant) -> list[Due]:
    """The next rows by position, as many as a round takes; only their bodies are read."""
    wanted = (
        select(
            DELIVERY.c.position, DELIVERY.c.tries, DELIVERY.c.next_try, DELIVERY.c.patient, DELIVERY.c.device,
            func.length(FEED.c.body),
        )
        .join_from(DELIVERY, FEED, FEED.c.position == DELIVERY.c.position)
        .where(DELIVERY.c.destination == destination, DELIVERY.c.state == DUE, DELIVERY.c.next_try <= now)
        # The index's own order, whatever the number of rows; versions and references are kept in order by `plan`.
        .order_by(DELIVERY.c.next_try, DELIVERY.c.position)
        .limit(ROUND)
    )  # fmt: skip
    rows: dict[int, tuple[int, Instant, str | None, str | None]] = {}
    room = ROUND_BYTES
    for position, *row, size in connection.execute(wanted).all():
        room -= size
        if rows and room < 0:
            break
        rows[position] = tuple(row)
    if not rows:
        return []
    return [_due(tuple(row), *rows[row[0]]) for row in connection.execute(_VERSIONS, {"positions": list(rows)}).all()]


def _due(feed: tuple[Any, ...], tries: int, next_try: Instant, patient: str | None, device: str | None) -> Due:
    position, type_, id_, version = feed[:4]
    *row, body, kept = feed
    intact = bool(feed_hash((*row, body)) == kept)
    return Due(position, tries, version, next_try, patient, device, Outgoing(type_, id_, body), intact)


def unconfirmed(
    connection: Connection, destination: str, identities: Collection[Identity]
) -> Mapping[Identity, Sequence[Blocker]]:
    """The rows that these identities have here, due or parked."""
    here = DELIVERY.c.destination == destination
    identity_of: dict[int, Identity] = {}
    # Type by type, and first from the index alone: given pairs or more columns, SQLite reads every row instead.
    for type_ in {type_ for type_, _ in identities}:
        ids = [id_ for of, id_ in identities if of == type_]
        places = select(DELIVERY.c.position, DELIVERY.c.id).where(
            here, DELIVERY.c.type == type_, DELIVERY.c.id.in_(ids)
        )
        identity_of |= {position: (type_, id_) for position, id_ in connection.execute(places)}
    found: dict[Identity, list[Blocker]] = {}
    asked = {"destination": destination, "positions": list(identity_of)}
    for position, state, next_try in connection.execute(_STATES, asked):
        found.setdefault(identity_of[position], []).append(Blocker(position, state == PARKED, next_try))
    return found


def backlog(connection: Connection, destination: str) -> Backlog:
    """Counts for health and metrics; reads the index of the destination's rows once."""
    wanted = select(DELIVERY.c.state, func.count(), func.min(DELIVERY.c.position)).where(
        DELIVERY.c.destination == destination
    )
    found = {state: (count, first) for state, count, first in connection.execute(wanted.group_by(DELIVERY.c.state))}
    waiting, first = found.get(DUE, (0, None))
    since = select(DELIVERY.c.due_at).where(DELIVERY.c.destination == destination, DELIVERY.c.position == first)
    return Backlog(waiting, found.get(PARKED, (0, None))[0], connection.execute(since).scalar() if waiting else None)
