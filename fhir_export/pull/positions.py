"""Times of the feed as positions: both only grow, so that ``_lastUpdated`` is a range of positions.

Comes in: an instant. Goes out: the first position that is as late. Refuses to know: what is searched.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from fhir_export.pull.dates import Span
from ingest.ledger.schema import FEED
from ingest.model import Instant


def as_positions(connection: Connection, one: Span) -> Span:
    """The same interval, in positions."""
    return Span(one.prefix, first_at(connection, one.low), first_at(connection, one.high))


def first_at(connection: Connection, at: Instant) -> int:
    """The first position not written before ``at``; one after the last when all were.

    Halving takes about 20 look-ups in a million positions.
    """
    low = 1
    high: int = connection.execute(select(func.coalesce(func.max(FEED.c.position), 0))).scalar_one() + 1
    while low < high:
        middle = (low + high) // 2
        # Positions of pruned versions are holes: the next one that is there speaks for them.
        row = connection.execute(
            select(FEED.c.position, FEED.c.at).where(FEED.c.position >= middle).order_by(FEED.c.position).limit(1)
        ).first()
        if row is None or row.at >= at:
            high = middle
        else:
            low = int(row.position) + 1
    return low
