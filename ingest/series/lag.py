"""How far a series is behind what was published, and the wish to have it filled anew; both lie in the ledger.

Comes in: a snapshot of the ledger. Goes out: ``Lag``. Refuses to know: the series itself: what is behind can be told
while that is away, and by any process.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from ingest.ledger.files import OpenLedger
from ingest.ledger.schema import CURSOR, FEED
from ingest.model import Instant

CURSOR_NAME = "series"
REBUILD = "series.rebuild"
"""A row under this name asks the projector to fill the series from the first reading."""
LATE_S = 60.0
"""A reading that trends have not shown for so long is an alarm: a doctor may be looking at one."""
MOST = 100_000
"""Further than that is not counted: a rebuild begins with everything."""
_SECOND = 1_000_000
_ASK = "INSERT INTO cursor VALUES (?, 1) ON CONFLICT (name) DO NOTHING"


@dataclass(frozen=True, slots=True)
class Lag:
    """Published readings that the series has not confirmed (``MOST``: that or more); how long the oldest waits."""

    readings: int
    age_s: float

    @property
    def is_late(self) -> bool:
        """Whether somebody should be told."""
        return self.age_s > LATE_S


def lag(connection: Connection, now: Instant) -> Lag:
    """As of now. The cursor is written once a second, so up to a second of what is shown already counts as behind."""
    cursor = connection.execute(select(CURSOR.c.position).where(CURSOR.c.name == CURSOR_NAME)).scalar() or 0
    behind = (FEED.c.position > cursor) & FEED.c.reading.is_not(None)
    oldest = connection.execute(select(FEED.c.at).where(behind).order_by(FEED.c.position).limit(1)).scalar()
    if oldest is None:
        return Lag(0, 0.0)
    counted = select(FEED.c.reading).where(behind).distinct().limit(MOST).subquery()
    readings = connection.execute(select(func.count()).select_from(counted)).scalar_one()
    return Lag(readings, max(0, now - oldest) / _SECOND)


def ask_rebuild(file: OpenLedger) -> None:
    """Have the series filled again from the first reading, by the projector that runs or the next one."""
    file.writer.write(lambda connection: connection.exec_driver_sql(_ASK, (REBUILD,)))


def is_rebuild_asked(connection: Connection) -> bool:
    """Whether the projector has not begun with that yet."""
    return connection.execute(select(CURSOR.c.position).where(CURSOR.c.name == REBUILD)).scalar() is not None
