"""Versions that were confirmed, due once more because the destination does not have them.

Comes in: a connection, a destination. Goes out: positions, rows back in DELIVERY. Refuses to know: HTTP, who found out.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select

from fhir_export.push.port import Identity, Outgoing
from fhir_export.push.rows import DUE
from ingest.ledger.schema import DELIVERED, DELIVERY, FEED
from ingest.model import Instant


def confirmed_last(connection: Connection, destination: str, span: int) -> list[int]:
    """Positions of the newest versions confirmed in the last ``span`` microseconds before the last confirmation.

    Reads the destination's whole range of DELIVERED, some 0.1 s for a million: asked for after an absence only.
    """
    here = DELIVERED.c.destination == destination
    last = connection.execute(select(func.max(DELIVERED.c.at)).where(here)).scalar()
    if last is None:
        return []
    newest = func.max(DELIVERED.c.position)
    wanted = (
        select(newest)
        .join_from(DELIVERED, FEED, FEED.c.position == DELIVERED.c.position)
        .where(here, DELIVERED.c.at > last - span)
        .group_by(FEED.c.type, FEED.c.id)
        .order_by(newest)
    )
    return list(connection.execute(wanted).scalars())


def version(connection: Connection, position: int) -> Outgoing | None:
    """A version of the feed, as long as it is kept."""
    wanted = select(FEED.c.type, FEED.c.id, FEED.c.body).where(FEED.c.position == position)
    row = connection.execute(wanted).first()
    return None if row is None else Outgoing(*row)


def newest_again(connection: Connection, destination: str, identity: Identity, now: Instant) -> bool:
    """Make a resource's newest version due again; False when it never was due here, so that this cannot help."""
    type_, id_ = identity
    same = (FEED.c.type == type_, FEED.c.id == id_)
    position = connection.execute(select(func.max(FEED.c.position)).where(*same)).scalar()
    if position is None:
        return False
    waits = select(DELIVERY.c.position).where(DELIVERY.c.destination == destination, DELIVERY.c.position == position)
    return connection.execute(waits).first() is not None or due_again(connection, destination, position, now)


def due_again(connection: Connection, destination: str, position: int, now: Instant) -> bool:
    """Move a confirmed version back; False when it is not confirmed (any more)."""
    there = (DELIVERED.c.destination == destination, DELIVERED.c.position == position)
    if not connection.execute(delete(DELIVERED).where(*there)).rowcount:
        return False
    of = select(FEED.c.type, FEED.c.id, FEED.c.patient, FEED.c.device).where(FEED.c.position == position)
    row = dict(connection.execute(of).mappings().one())
    row |= {"destination": destination, "position": position, "state": DUE, "tries": 0, "next_try": now, "due_at": now}
    connection.execute(insert(DELIVERY), row)
    return True
