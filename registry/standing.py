"""How things stand, as counts that are quick to have: what a gauge or a first page shows.

Comes in: a snapshot of the ledger. Goes out: ``Standing``. Refuses to know: ids, persons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, select

from ingest.ledger.contents import COMPLETE, REFUSED, WAITING
from ingest.ledger.schema import CONFIRMED, CONTENT, DELIVERY, FEED, GAP, INBOX, JOURNAL, QUARANTINE
from ingest.model import Instant
from registry.unpublished import Unpublished, unpublished

_SECOND = 1_000_000
_IN_QUARANTINE = CONTENT.c.position.in_(select(QUARANTINE.c.position))
"""A refused content that a person has decided on, or that was put there: counted there."""


@dataclass(frozen=True, slots=True)
class Standing:
    """``messages``, ``resources`` and ``in_record`` only grow; the rest is what waits now.

    ``messages`` is the journal's last position: in PostgreSQL that counts places too that an undone commit left empty;
    so is ``in_record`` that of the confirmations. ``reasons``: reason to messages in the quarantine. ``contents``:
    *waiting* for parts or *complete*, to be looked into. ``deliveries``: destination and state to versions.
    ``oldest_due_s``: 0 with nothing due.
    """

    messages: int
    resources: int
    in_record: int
    reasons: Mapping[str, int]
    contents: Mapping[str, int]
    unpublished: Unpublished
    inbox: int
    gaps: int
    deliveries: Mapping[tuple[str, str], int]
    oldest_due_s: float

    @property
    def quarantined(self) -> int:
        """Messages that wait in the quarantine."""
        return sum(self.reasons.values())


def standing(connection: Connection, now: Instant) -> Standing:
    """Count now; positions count the append-only tables, so nothing long is read."""
    q, t, d = QUARANTINE.c, CONTENT.c, DELIVERY.c
    reasons = _by(connection, select(q.reason, func.count()).where(q.state == "waiting").group_by(q.reason))
    later = select(t.reason, func.count()).where(t.state == REFUSED, ~_IN_QUARANTINE).group_by(t.reason)
    for reason, count in _by(connection, later).items():
        reasons[reason] = reasons.get(reason, 0) + count
    contents = select(t.state, func.count()).where(t.state.in_((WAITING, COMPLETE))).group_by(t.state)
    waiting = connection.execute(
        select(d.destination, d.state, func.count(), func.min(d.due_at)).group_by(d.destination, d.state)
    ).all()
    oldest = min((since for _, state, _, since in waiting if state == "due"), default=now)
    return Standing(
        _number(connection, select(func.max(JOURNAL.c.position))),
        _number(connection, select(func.max(FEED.c.position))),
        _number(connection, select(func.max(CONFIRMED.c.position))),
        reasons,
        _by(connection, contents),
        unpublished(connection),
        _number(connection, select(func.count()).select_from(INBOX)),
        _number(connection, select(func.count()).select_from(GAP).where(GAP.c.closed_at.is_(None))),
        {(destination, state): count for destination, state, count, _ in waiting},
        max(0, now - oldest) / _SECOND,
    )


def _number(connection: Connection, wanted: Select[Any]) -> int:
    return int(connection.execute(wanted).scalar() or 0)


def _by(connection: Connection, wanted: Select[Any]) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(wanted)}
