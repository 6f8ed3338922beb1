"""A content that was refused after its message had been accepted: looked at again, or dismissed like any other.

Comes in: a place in the journal, a connection. Goes out: whether it can be looked at again; rows. Refuses to know: what
is in a file, verdicts: the inspector gives them.

A blob whose hash was right is kept whole, whatever was found in it: it is looked at again as it is. One whose bytes
were not those that the message names was not kept. A live recording is put together from parts that are not kept once
it was refused; each of its messages is, and stays stored.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from ingest.blobs import Blobs
from ingest.ledger import decisions
from ingest.ledger.decisions import Decision
from ingest.ledger.replay import DISMISSED, REPLAYED
from ingest.model import Instant
from ingest.reasons import Reason

_REFUSED = """
SELECT t.device, t.sha, t.reason, q.state, j.received_at FROM content t JOIN journal j ON j.position = t.position
LEFT JOIN quarantine q ON q.position = t.position
WHERE t.position = ? AND t.state = 'refused'
"""
_OWN = "SELECT 1 FROM content WHERE device = ? AND sha = ? AND state = 'ready' LIMIT 1"
_COMPLETE = """
UPDATE content SET state = 'complete', reason = NULL, pointer = NULL, changed_at = ?
WHERE position = ? AND state = 'refused'
"""
_AGAIN = "UPDATE quarantine SET state = ?, changed_at = ? WHERE position = ?"
_SET_ASIDE = """
INSERT INTO quarantine SELECT j.position, j.device, j.stream, j.seq, j.sha, t.reason, CAST(? AS TEXT), CAST(? AS BIGINT)
FROM journal j JOIN content t ON t.position = j.position WHERE j.position = ?
ON CONFLICT (position) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at
"""


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused content; ``sha`` is the blob's, None for a live recording. ``state`` is the quarantine's, if any."""

    position: int
    device: str
    sha: bytes | None
    reason: str
    state: str | None
    received_at: Instant


def find(connection: Connection, position: int) -> Refused | None:
    """The refused content of the message at ``position``, None when it has none."""
    row = connection.exec_driver_sql(_REFUSED, (position,)).one_or_none()
    return None if row is None else Refused(position, *row)


def is_kept(connection: Connection, blobs: Blobs, found: Refused) -> bool:
    """Whether the bytes that this device sent are there, whole."""
    if found.sha is None or not blobs.has(found.sha.hex()):
        return False
    if found.reason != Reason.BLOB_HASH_MISMATCH:
        return True
    return connection.exec_driver_sql(_OWN, (found.device, found.sha)).first() is not None


def look_again(connection: Connection, found: Refused, who: str, now: Instant) -> Decision | None:
    """Have it looked at again, inside a job that nobody writes beside; None when it is no longer refused."""
    if not connection.exec_driver_sql(_COMPLETE, (now, found.position)).rowcount:
        return None
    connection.exec_driver_sql(_AGAIN, (REPLAYED, now, found.position))
    made = rehearsed(found, who, now)
    decisions.append(connection, made)
    return made


def rehearsed(found: Refused, who: str, now: Instant) -> Decision:
    """What ``look_again`` would decide."""
    return Decision(found.position, now, who, found.reason, decisions.LOOK_AGAIN)


def dismiss(connection: Connection, position: int, who: str, words: str | None, now: Instant) -> Decision | None:
    """Let a message that waits for a decision wait no longer; None when none waits there (any more)."""
    found = connection.exec_driver_sql(_WAITS, (position, position)).first()
    if found is None:
        return None
    if found[1]:
        connection.exec_driver_sql(_AGAIN, (DISMISSED, now, position))
    else:
        connection.exec_driver_sql(_SET_ASIDE, (DISMISSED, now, position))
    made = Decision(position, now, who, found[0], decisions.DISMISSED, words)
    decisions.append(connection, made)
    return made


_WAITS = """
SELECT reason, 1 FROM quarantine WHERE position = ? AND state = 'waiting'
UNION ALL
SELECT reason, 0 FROM content WHERE position = ? AND state = 'refused'
AND position NOT IN (SELECT position FROM quarantine)
"""
