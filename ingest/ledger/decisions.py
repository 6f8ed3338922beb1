"""Decisions on what was set aside, append-only: rows of REPLAY.

Comes in: a connection, a decision. Goes out: its row; the decisions on a message, in order. Refuses to know: why it was
taken, what follows from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ingest.ledger.integrity import row_hash
from ingest.model import Instant

STORED, PENDING, QUARANTINED, DUPLICATE = "stored", "pending", "quarantined", "duplicate"
"""What came of judging a message again; ``duplicate``: another message has said the same, under the same key."""
LOOK_AGAIN = "look_again"
"""A content that was refused is looked at again: the verdict follows."""
DISMISSED = "dismissed"

_LAST = "SELECT coalesce(max(replay), 0) FROM replay"
_INSERT = "INSERT INTO replay VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_OF = """
SELECT replay, position, at, who, before, outcome, reason, pointer FROM replay WHERE position = ? ORDER BY replay
"""


@dataclass(frozen=True, slots=True)
class Decision:
    """``who`` took it; ``before`` is the reason that the message had.

    ``reason`` and ``pointer`` are those that it has now, if it is still quarantined; of a dismissal, ``reason`` is what
    the person said.
    """

    position: int
    at: Instant
    who: str
    before: str
    outcome: str
    reason: str | None = None
    pointer: str | None = None


def append(connection: Connection, made: Decision) -> None:
    """Keep a decision, inside a job that nobody writes beside: numbers follow one another without a hole."""
    last = int(connection.exec_driver_sql(_LAST).scalar_one())
    row = (last + 1, made.position, made.at, made.who, made.before, made.outcome, made.reason, made.pointer)
    connection.exec_driver_sql(_INSERT, (*row, row_hash(row)))


def history(connection: Connection, position: int) -> Sequence[Decision]:
    """Every decision on the message at ``position``, oldest first."""
    return [Decision(*row[1:]) for row in connection.exec_driver_sql(_OF, (position,))]
