"""The balance: every reading message that was taken is in exactly one state now.

Comes in: a connection. Goes out: ``Balance``. Refuses to know: what the messages say.

received = stored + duplicate + quarantined + dismissed + pending, counted over the journal's rows of the channel
``reading``, redeliveries included; hello, state, parts of blobs and unreadable ones are no part of it. What a person
did with a quarantined message, what judging it again came to, and what became of a content that was waited for, count
before the journal's verdict, which never changes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from ingest.ledger.contents import COMPLETE, PART, READY, REFUSED, WAITING
from ingest.ledger.engine import unhurried
from ingest.ledger.schema import CONTENT, JOURNAL, QUARANTINE, READING
from ingest.model import Channel, Outcome

_AFTERWARDS = {
    "waiting": Outcome.QUARANTINED,
    "dismissed": Outcome.DISMISSED,
    "replayed": Outcome.STORED,
    "duplicate": Outcome.DUPLICATE,
}
"""``quarantine.state`` to the state that it counts as."""
_CONTENT = {
    WAITING: Outcome.PENDING,
    COMPLETE: Outcome.PENDING,
    READY: Outcome.STORED,
    REFUSED: Outcome.QUARANTINED,
}
"""``content.state`` of a message whose blob comes apart to the state that it counts as."""
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
    stored, has_blob = READING.c.position.is_not(None), CONTENT.c.sha.is_not(None)
    rows = connection.execute(
        select(JOURNAL.c.outcome, QUARANTINE.c.state, CONTENT.c.state, has_blob, stored, func.count())
        .join_from(JOURNAL, QUARANTINE, QUARANTINE.c.position == JOURNAL.c.position, isouter=True)
        .join(READING, READING.c.position == JOURNAL.c.position, isouter=True)
        .join(CONTENT, CONTENT.c.position == JOURNAL.c.position, isouter=True)
        .where(JOURNAL.c.channel == Channel.READING)
        .group_by(JOURNAL.c.outcome, QUARANTINE.c.state, CONTENT.c.state, has_blob, stored)
    )
    for outcome, state, content, of_blob, has_reading, count in rows:
        blob = content if of_blob else None
        live_refused = content == REFUSED and not of_blob
        counts[_state(outcome, state, blob, has_reading=bool(has_reading), live_refused=live_refused)] += count
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
    """The verdict on an accepted reading now: ``outcome`` is the journal's, ``content`` the state of its content.

    The journal of one that was accepted when it was judged again still says ``quarantined``.
    """
    if outcome == Outcome.STORED or content == PART:
        return str(Outcome.STORED)
    if content is not None:
        return str(_CONTENT.get(content, _APART))
    return _APART if outcome == Outcome.PENDING else str(Outcome.STORED)


def _state(outcome: str, set_aside: str | None, blob: str | None, *, has_reading: bool, live_refused: bool) -> str:
    """The one state that a message is in, or ``nowhere`` when its rows do not bear out its verdict.

    ``blob``: the state of its blob's content. ``live_refused``: it is a part of a live recording that came to nothing;
    a person may have dismissed that, and the message is stored all the same.
    """
    if blob is not None:
        return _of_a_content(present(outcome, blob), set_aside, has_reading=has_reading and outcome != Outcome.STORED)
    if outcome == Outcome.STORED and live_refused:
        return outcome if has_reading else _APART
    now = str(_AFTERWARDS.get(set_aside, _APART)) if set_aside is not None else outcome
    kept_as_verdict = (outcome == Outcome.QUARANTINED) == (set_aside is not None)
    if outcome == Outcome.PENDING or not kept_as_verdict or (now == Outcome.STORED) != has_reading:
        return _APART
    return now


def _of_a_content(now: str, set_aside: str | None, *, has_reading: bool) -> str:
    """It has its reading from the moment it was accepted; a refused one may lie in the quarantine for a person."""
    if not has_reading:
        return _APART
    if set_aside is None:
        return now
    if now == Outcome.QUARANTINED:
        return _APART if set_aside == "replayed" else str(_AFTERWARDS.get(set_aside, _APART))
    return now if set_aside == "replayed" else _APART
