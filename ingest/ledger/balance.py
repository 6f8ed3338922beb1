"""The balance: every reading message that was taken is in exactly one state now.

Comes in: a connection. Goes out: ``Balance``. Refuses to know: what the messages say.

received = stored + duplicate + quarantined + dismissed + pending, counted over the journal's rows of the channel
``reading``, redeliveries included; hello, state, parts of blobs and unreadable ones are no part of it. What a person
did with a quarantined message, and what became of a content that was waited for, count before the journal's verdict,
which never changes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from ingest.ledger.contents import COMPLETE, READY, REFUSED, WAITING
from ingest.ledger.engine import unhurried
from ingest.ledger.schema import CONTENT, JOURNAL, QUARANTINE, READING
from ingest.model import Channel, Outcome

_AFTERWARDS = {
    "waiting": Outcome.QUARANTINED,
    "dismissed": Outcome.DISMISSED,
    "replayed": Outcome.STORED,
}
"""``quarantine.state`` to the state that it counts as."""
_CONTENT = {
    WAITING: Outcome.PENDING,
    COMPLETE: Outcome.PENDING,
    READY: Outcome.STORED,
    REFUSED: Outcome.QUARANTINED,
}
"""``content.state`` of a message that was answered ``pending`` to the state that it counts as."""
_APART = "nowhere"


@dataclass(frozen=True, slots=True)
class Balance:
    """Counts of reading messages. ``unaccounted`` ones have a verdict and not the rows that belong to it."""

    received: int
    stored: int
    duplicate: int
    quarantined: int
    dismissed: int
    pending: int
    unaccounted: int = 0

    @property
    def balanced(self) -> bool:
        """Whether each message is in exactly one state."""
        parts = self.stored + self.duplicate + self.quarantined + self.dismissed + self.pending
        return self.received == parts and not self.unaccounted


def balance(connection: Connection) -> Balance:
    """Count, in one snapshot; reads the whole journal."""
    unhurried(connection)
    counts: Counter[str] = Counter()
    stored = READING.c.position.is_not(None)
    rows = connection.execute(
        select(JOURNAL.c.outcome, QUARANTINE.c.state, CONTENT.c.state, stored, func.count())
        .join_from(JOURNAL, QUARANTINE, QUARANTINE.c.position == JOURNAL.c.position, isouter=True)
        .join(READING, READING.c.position == JOURNAL.c.position, isouter=True)
        .join(CONTENT, CONTENT.c.position == JOURNAL.c.position, isouter=True)
        .where(JOURNAL.c.channel == Channel.READING)
        .group_by(JOURNAL.c.outcome, QUARANTINE.c.state, CONTENT.c.state, stored)
    )
    for outcome, state, content, has_reading, count in rows:
        counts[_state(outcome, state, content, has_reading=bool(has_reading))] += count
    return Balance(
        received=sum(counts.values()),
        stored=counts[Outcome.STORED],
        duplicate=counts[Outcome.DUPLICATE],
        quarantined=counts[Outcome.QUARANTINED],
        dismissed=counts[Outcome.DISMISSED],
        pending=counts[Outcome.PENDING],
        unaccounted=counts[_APART],
    )


def present(outcome: str, content: str | None) -> str:
    """The verdict on a message now: the journal's, or that on its content since; ``content``: ``content.state``."""
    return str(_CONTENT.get(content or "", _APART)) if outcome == Outcome.PENDING else outcome


def _state(outcome: str, set_aside: str | None, content: str | None, *, has_reading: bool) -> str:
    """The one state that a message is in, or ``nowhere`` when its rows do not bear out its verdict."""
    if outcome == Outcome.PENDING:
        return _of_a_content(present(outcome, content), set_aside, has_reading=has_reading)
    now = str(_AFTERWARDS.get(set_aside, _APART)) if set_aside is not None else outcome
    kept_as_verdict = (outcome == Outcome.QUARANTINED) == (set_aside is not None)
    if not kept_as_verdict or (now == Outcome.STORED) != has_reading:
        return _APART
    return now


def _of_a_content(now: str, set_aside: str | None, *, has_reading: bool) -> str:
    """A pending message has its reading from the start; a refused one may lie in the quarantine for a person."""
    if not has_reading or (set_aside is not None and now != Outcome.QUARANTINED):
        return _APART
    return now if set_aside is None else str(_AFTERWARDS.get(set_aside, _APART))
