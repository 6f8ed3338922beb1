"""Readings that were kept and are not in the feed yet: what stands between the gateway and every export.

Comes in: a snapshot of the ledger. Goes out: ``Unpublished``. Refuses to know: the publisher, which may be dead.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Select, func, select

from ingest.ledger.schema import CURSOR, DUE, JOURNAL
from ingest.model import Instant

MOST = 100_000
"""Further than that is not counted."""
_CURSOR = "publish"  # the publisher's own (``fhir_export.rounds``)
_OF_A_CONTENT = """
SELECT min(t.changed_at) FROM due d
JOIN content t ON t.position = CAST(CASE WHEN d.what = 'reading' THEN d.ref ELSE '0' END AS BIGINT)
WHERE d.what = 'reading' AND t.state = 'ready'
AND NOT EXISTS (SELECT 1 FROM attribution a WHERE a.position = t.position)
AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.position = t.position)
"""
"""Whose content became ready, and was never published; what is due again for another cause has no time of its own."""


@dataclass(frozen=True, slots=True)
class Unpublished:
    """How many (``MOST``: that or more), and since when the oldest one waits, where that is known."""

    readings: int
    oldest: Instant | None


def unpublished(connection: Connection) -> Unpublished:
    """As of now: what was stored since the publisher's cursor, and what became due again."""
    at = connection.execute(select(CURSOR.c.position).where(CURSOR.c.name == _CURSOR)).scalar() or 0
    j = JOURNAL.c
    new = (j.position > at) & (j.outcome == "stored")
    first = connection.execute(select(j.kept_at).where(new).order_by(j.position).limit(1)).scalar()
    again = DUE.c.what == "reading"
    count = _counted(connection, select(j.position).where(new)) + _counted(connection, select(DUE.c.ref).where(again))
    since = [at for at in (first, connection.exec_driver_sql(_OF_A_CONTENT).scalar()) if at is not None]
    return Unpublished(count, min(since, default=None))


def _counted(connection: Connection, wanted: Select[tuple[int]] | Select[tuple[str]]) -> int:
    return connection.execute(select(func.count()).select_from(wanted.limit(MOST).subquery())).scalar_one()
