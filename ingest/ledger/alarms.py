"""Events that a person should know of: noted once while they last, however often they happen.

Comes in: a connection inside a writer's job, a code, whom it is about, when. Goes out: rows of ``alarm``. Refuses to
know: what a code means (``registry.alarms``), what can be read from other tables at any time and is not noted here.

A code about a subject has one open row. Where several gateways commit at once, two of them may open one each: later
ones count on the newest, so that their counts add up, and ``clear`` closes them all.
"""

from __future__ import annotations

from sqlalchemy import Connection

from ingest.ledger.schema import ALARM
from ingest.model import Instant

_OPEN = "code = ? AND subject = ? AND cleared_at IS NULL"
_AGAIN = f"""
UPDATE alarm SET count = count + 1, last_at = CASE WHEN last_at < ? THEN ? ELSE last_at END
WHERE alarm = (SELECT max(alarm) FROM alarm WHERE {_OPEN})
"""  # noqa: S608 - constant text
_CLEAR = f"UPDATE alarm SET cleared_at = ? WHERE {_OPEN}"  # noqa: S608 - constant text


def note(connection: Connection, code: str, subject: str, at: Instant) -> None:
    """It happened, at ``at``: counts the open row of ``code`` about ``subject`` up, or opens one.

    ``subject``: a device, a destination, a part of the program; never a person, nor anything a message said.
    """
    if not connection.exec_driver_sql(_AGAIN, (at, at, code, subject)).rowcount:
        connection.execute(ALARM.insert().values(code=code, subject=subject, since=at, last_at=at, count=1))


def clear(connection: Connection, code: str, subject: str, at: Instant) -> None:
    """It is over, since ``at``; nothing happens when nothing is open."""
    connection.exec_driver_sql(_CLEAR, (at, code, subject))
