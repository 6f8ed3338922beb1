"""How a large content goes out in parts: what to send next, what to ask, when to wait. Pure.

Comes in: receipts, cuts, instants on the device's timer in seconds. Goes out: stretches to send, readings to repeat.
Refuses to know: bytes, sockets, what is in a content.

Section 7 of the device contract is the rule, its figures are the constants here. What the gateway lacks is known only
from its `pending`; so a part that was sent before the question and is still missing in the answer was lost, one sent
after the question may be on its way. After a cut nothing is known until the next answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from simulators.devices.contents import Claim
from simulators.devices.outbox import Key

GRID = 65_536
"""Parts start at multiples of this (C-BLB-2)."""
PART_MOST = 262_144
"""Bytes of the longest part (C-BLB-2)."""
UNANSWERED = 8
"""Most parts without answer (C-BLB-1)."""
ASK_S = 5.0
"""A reading is repeated at most so often to ask what is missing (C-BLB-3)."""


_NO_QUESTION, _NEVER = -1, -2
"""Turns: of an answer that nobody asked for, and of a part that never went out, which it may bring all the same."""


class Part(NamedTuple):
    """A stretch of a content, [start, end) in bytes."""

    sha256: str
    start: int
    end: int


class _Question(NamedTuple):
    turn: int
    at: float


@dataclass(slots=True)
class _Parcel:
    """One content: `there` is its true length; `told` that this connection has heard what is missing."""

    there: int
    keys: list[Key] = field(default_factory=list)
    told: bool = False
    wanted: list[Part] = field(default_factory=list)
    damaged: list[Part] = field(default_factory=list)
    waiting: dict[int, int] = field(default_factory=dict)
    """Start of a part without answer to the turn it was sent in."""
    sent: dict[int, int] = field(default_factory=dict)
    shas: dict[int, set[str]] = field(default_factory=dict)
    moved_at: float = float("-inf")


def parts(sha256: str, missing: Sequence[Sequence[int]], there: int, length: int) -> Iterator[Part]:
    """The parts that bring what is missing, each at most `length` bytes, at multiples of `GRID`."""
    done = 0
    for begins, ends in missing:
        start = max(int(begins) // GRID * GRID, done)
        last = min(-(-int(ends) // GRID) * GRID, there)
        while start < last:
            end = min(start + length, last)
            yield Part(sha256, start, end)
            start = done = end


class Parcels:
    """All contents of one device. `pick` says which of so many waiting parts goes next."""

    def __init__(
        self, part: int = PART_MOST, unanswered: int = UNANSWERED, ask_s: float = ASK_S,
        pick: Callable[[int], int] = lambda _many: 0,
    ) -> None:  # fmt: skip
        if part % GRID or not 0 < part <= PART_MOST:
            raise ValueError("A part holds 64, 128, 192 or 256 KiB.")
        self._part, self._most, self._ask_s, self._pick = part, unanswered, ask_s, pick
        self._parcels: dict[str, _Parcel] = {}
        self._claims: dict[Key, str] = {}
        self._asked: dict[Key, float] = {}
        self._questions: dict[Key, list[_Question]] = {}
        self._turns = count()

    def claim(self, key: Key, claim: Claim, there: int) -> None:
        """A reading is held whose content is `there` bytes long, whatever it claims."""
        parcel = self._parcels.setdefault(claim.sha256, _Parcel(there))
        if key not in parcel.keys:
            parcel.keys.append(key)
        self._claims[key] = claim.sha256

    def release(self, key: Key) -> None:
        """The reading has its final verdict."""
        sha256 = self._claims.pop(key, None)
        self._asked.pop(key, None)
        self._questions.pop(key, None)
        if sha256 is not None:
            self._parcels[sha256].keys.remove(key)
            if not self._parcels[sha256].keys:
                del self._parcels[sha256]

    def cut(self) -> None:
        """The line is gone: whatever was on its way is unknown."""
        self._questions.clear()
        for parcel in self._parcels.values():
            parcel.told = False
            parcel.wanted.clear()
            parcel.damaged.clear()
            parcel.waiting.clear()

    def keys(self, sha256: str) -> list[Key]:
        """Readings that claim this content."""
        return list(self._parcels[sha256].keys) if sha256 in self._parcels else []

    def may_ask_at(self, key: Key) -> float:
        """When this reading may be published again; at once for a reading without a content."""
        return self._asked.get(key, float("-inf")) + self._ask_s

    def asked(self, key: Key, now: float) -> None:
        """The reading was published."""
        if key in self._claims:
            self._asked[key] = now
            self._questions.setdefault(key, []).append(_Question(next(self._turns), now))

    def pending(self, key: Key, missing: Sequence[Sequence[int]], now: float) -> bool:
        """The answer to a question; False when nothing is missing, and the gateway's verdict is to be waited for."""
        sha256 = self._claims.get(key)
        if sha256 is None:
            return False
        parcel = self._parcels[sha256]
        turn = self._answered(key, now)
        parcel.waiting = {start: sent for start, sent in parcel.waiting.items() if sent > turn}
        lacking = parts(sha256, missing, parcel.there, self._part)
        parcel.wanted = [part for part in lacking if parcel.sent.get(part.start, _NEVER) < turn]
        parcel.told, parcel.moved_at = bool(missing), now
        return parcel.told

    def kept(self, sha256: str, start: int, sha: str, now: float) -> None:
        """A part is kept; one that the line damaged, so that its `sha` is not what was sent, goes out again."""
        parcel = self._parcels.get(sha256)
        if parcel is None:
            return
        parcel.moved_at = now
        parcel.waiting.pop(start, None)
        if parcel.shas.get(start) and sha not in parcel.shas[start]:
            parcel.damaged += parts(sha256, [[start, start + self._part]], parcel.there, self._part)

    def turned_down(self, sha: str, now: float) -> bool:
        """A part was refused or quarantined, named by its `sha` alone: it is answered, and not sent again unasked."""
        for parcel in self._parcels.values():
            for start in [start for start in parcel.waiting if sha in parcel.shas[start]]:
                del parcel.waiting[start]
                parcel.moved_at = now
                return True
        return False

    def due(self, room: int) -> Iterator[Part]:
        """At most `room` parts that may go out now, of the oldest content first; each must be told to `sent`."""
        room = min(room, self._most - self.unanswered)
        for parcel in list(self._parcels.values()):
            while room > 0 and (parcel.damaged or parcel.wanted):
                room -= 1
                # Before the others: when the last one has come the gateway holds the whole against its hash.
                yield parcel.damaged.pop() if parcel.damaged else parcel.wanted.pop(self._pick(len(parcel.wanted)))

    def sent(self, part: Part, sha: str, now: float) -> None:
        """This part was handed to the line, as bytes with this `sha`."""
        parcel = self._parcels[part.sha256]
        parcel.sent[part.start] = parcel.waiting[part.start] = next(self._turns)
        parcel.shas.setdefault(part.start, set()).add(sha)
        parcel.moved_at = now

    @property
    def unanswered(self) -> int:
        """Parts sent that have no answer yet."""
        return sum(len(parcel.waiting) for parcel in self._parcels.values())

    def asks(self, now: float) -> list[Key]:
        """Readings to repeat now: nothing more can be sent, and nothing has come for a while or is to come."""
        full = self.unanswered >= self._most
        return [
            key
            for parcel in self._parcels.values()
            if parcel.told and (full or not parcel.wanted)
            if not (parcel.wanted or parcel.waiting) or now - parcel.moved_at >= self._ask_s
            for key in parcel.keys
            if now >= self.may_ask_at(key)
        ]

    def _answered(self, key: Key, now: float) -> int:
        """The turn of the question that this answers: the oldest open one, but for those whose answer was lost."""
        open_ones = self._questions.get(key, [])
        while len(open_ones) > 1 and open_ones[0].at < now - 4 * self._ask_s:
            open_ones.pop(0)
        return open_ones.pop(0).turn if open_ones else _NO_QUESTION
