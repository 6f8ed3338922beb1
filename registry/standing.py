"""How things stand, as counts that are quick to have: what a gauge or a first page shows.

Comes in: a snapshot of the ledger. Goes out: ``Standing``. Refuses to know: ids, persons.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from ingest.ledger.contents import REFUSED
from ingest.ledger.schema import CONTENT, DELIVERY, FEED, GAP, INBOX, JOURNAL, QUARANTINE
from ingest.model import Instant

_SECOND = 1_000_000
_IN_QUARANTINE = CONTENT.c.position.in_(select(QUARANTINE.c.position))
"""A refused content that a person has decided on, or that was put there: counted there."""


@dataclass(frozen=True, slots=True)
class Standing:
    """``messages`` and ``resources`` only grow; the rest is what waits now. ``oldest_due_s``: 0 with nothing due.

    ``messages`` is the journal's last position: in PostgreSQL that counts places too that an undone commit left empty.
    """

    messages: int
    resources: int
    quarantined: int
    inbox: int
    gaps: int
    due: int
    parked: int
    oldest_due_s: float


def standing(connection: Connection, now: Instant) -> Standing:
    """Count now; positions count the append-only tables, so nothing long is read."""
    d = DELIVERY.c
    states = {
        state: (count, oldest)
        for state, count, oldest in connection.execute(
            select(d.state, func.count(), func.min(d.due_at)).group_by(d.state)
        )
    }
    due, oldest = states.get("due", (0, now))

    def number(what: object) -> int:
        return int(connection.execute(what).scalar() or 0)  # type: ignore[call-overload]  # any SELECT of one number

    return Standing(
        number(select(func.max(JOURNAL.c.position))),
        number(select(func.max(FEED.c.position))),
        number(select(func.count()).select_from(QUARANTINE).where(QUARANTINE.c.state == "waiting"))
        + number(select(func.count()).select_from(CONTENT).where(CONTENT.c.state == REFUSED, ~_IN_QUARANTINE)),
        number(select(func.count()).select_from(INBOX)),
        number(select(func.count()).select_from(GAP).where(GAP.c.closed_at.is_(None))),
        due,
        states.get("parked", (0, now))[0],
        max(0, now - oldest) / _SECOND,
    )
