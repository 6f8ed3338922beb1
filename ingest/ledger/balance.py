"""The balance: every reading message that was taken is in exactly one state now.

Comes in: a connection. Goes out: ``Balance``. Refuses to know: what the messages say.

received = stored + duplicate + quarantined + dismissed + pending, counted over the journal's rows of the channel
``reading``, redeliveries included; hello, state and unreadable ones are counted apart. What a person did with a
quarantined message counts before the journal's verdict, which never changes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from ingest.ledger.schema import JOURNAL, QUARANTINE, READING
from ingest.model import Channel, Outcome

_AFTERWARDS = {
    "waiting": Outcome.QUARANTINED,
    "dismissed": Outcome.DISMISSED,
    "replayed": Outcome.STORED,
}
"""``quarantine.state`` to the state that it counts as."""
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
    counts: Counter[str] = Counter()
    stored = READING.c.position.is_not(None)
    rows = connection.execute(
        select(JOURNAL.c.outcome, QUARANTINE.c.state, stored, func.count())
        .join_from(JOURNAL, QUARANTINE, QUARANTINE.c.position == JOURNAL.c.position, isouter=True)
        .join(READING, READING.c.position == JOURNAL.c.position, isouter=True)
        .where(JOURNAL.c.channel == Channel.READING)
        .group_by(JOURNAL.c.outcome, QUARANTINE.c.state, stored)
    )
    for outcome, state, has_reading, count in rows:
        counts[_state(outcome, state, has_reading=bool(has_reading))] += count
    return Balance(
        received=sum(counts.values()),
        stored=counts[Outcome.STORED],
        duplicate=counts[Outcome.DUPLICATE],
        quarantined=counts[Outcome.QUARANTINED],
        dismissed=counts[Outcome.DISMISSED],
        pending=counts[Outcome.PENDING],
        unaccounted=counts[_APART],
    )


def _state(outcome: str, set_aside: str | None, *, has_reading: bool) -> str:
    """The one state that a message is in, or ``nowhere`` when its rows do not bear out its verdict."""
    now = str(_AFTERWARDS.get(set_aside, _APART)) if set_aside is not None else outcome
    kept_as_verdict = (outcome == Outcome.QUARANTINED) == (set_aside is not None)
    if not kept_as_verdict or (now == Outcome.STORED) != has_reading:
        return _APART
    return now
