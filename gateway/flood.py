"""Which device sends far more than a device can have measured, and is asked to wait (device contract, section 8). Pure.

Comes in: who sent a message, and when by a clock that never steps. Goes out: whether it is let through, and for how
long its sender should wait. Refuses to know: what is in a message, how anyone is told.

A bucket of tokens for each connection that speaks, for its own devices or those it serves: a message takes one, and
``rate`` come back each second, up to ``burst``. The buckets are many and mostly full, so each is one number: the
instant at which it will be full again. A sender without one has a full bucket.

The burst has to be larger than any outbox, and than what a broker kept for a gateway that was away: it comes at full
speed, is no flood, and of a device that hears no receipts what is refused is lost. 100,000 are 27 hours of one reading
a second, 11 days of one in ten seconds; and 200 a second for ever are what a device with one message in flight reaches
(device contract, section 14). The price: of a real flood some 100 MB are kept before it is stopped.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ingest.model import RawMessage
from ingest.noun import noun
from ingest.reasons import Rejected
from ingest.wire import key_of, read

MOST = 10_000
"""Senders remembered; beyond it the half with the fullest buckets is forgotten, which costs the least."""
RETRY_MOST_S = 60
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Limit:
    """Readings a second that a connection may send for ever, and how many at once beside that."""

    rate: int = 200
    burst: int = 100_000

    @property
    def retry_after_s(self) -> int:
        """How long to wait: a tenth of the burst has come back by then, 1 s at least and 60 s at most."""
        return max(1, min(RETRY_MOST_S, self.burst // self.rate // 10))


@noun
class Refused:
    """A reading that was not kept; ``key`` where its bytes name one."""

    raw: RawMessage
    sha: bytes
    key: tuple[str, int] | None = None
    """Stream and seq."""


def refusal(raw: RawMessage) -> Refused:
    """A reading that is not kept; never raises."""
    try:
        key = key_of(read(raw.payload))
    except Rejected:
        key = None
    return Refused(raw, hashlib.sha256(raw.payload).digest(), key)


class Flood:
    """The buckets of all who send. Instants are nanoseconds of one monotonic clock."""

    def __init__(self, limit: Limit, most: int = MOST) -> None:
        self.retry_after_s = limit.retry_after_s
        self._cost = _SECOND // limit.rate
        self._depth = self._cost * (limit.burst - 1)
        self._most = most
        self._full_at: dict[str, int] = {}
        self._told_until: dict[str, int] = {}

    @property
    def remembered(self) -> int:
        """How many senders at most stand in a table here."""
        return max(len(self._full_at), len(self._told_until))

    def passes(self, sender: str, now: int) -> bool:
        """Take a token of ``sender``'s, False when there is none."""
        full_at = self._full_at.get(sender, 0)
        if full_at < now:
            full_at = now
        elif full_at - now > self._depth:
            return False
        self._full_at[sender] = full_at + self._cost
        if len(self._full_at) > self._most:
            self._full_at = _later_half(self._full_at)
        return True

    def is_news(self, who: str, now: int) -> bool:
        """Whether ``who`` is to be asked to slow down: it was not asked, or has had its time since."""
        if self._told_until.get(who, 0) > now:
            return False
        self._told_until[who] = now + self.retry_after_s * _SECOND
        if len(self._told_until) > self._most:
            self._told_until = _later_half(self._told_until)
        return True


def _later_half(instants: dict[str, int]) -> dict[str, int]:
    order = sorted(instants, key=instants.__getitem__)
    return {name: instants[name] for name in order[len(order) // 2 :]}
