"""The gateway's loop: take a batch, judge it, commit it, answer it, acknowledge it. Always in this order.

Comes in: messages of a ``Source``. Goes out: rows of a ``Ledger``, then receipts, then acknowledgements. Refuses to
know: brokers, engines, patients.

Readings of a device that floods are not judged, but answered in their turn like all others (``gateway.flood``).

While one batch is being committed the next is taken and judged. A crash anywhere brings the messages again, and the
ledger recognises them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Event

import structlog

from gateway import commands, receipts, told
from gateway.counts import Counts
from gateway.events import FLOOD, Events
from gateway.flood import Flood, Limit, Refused, refusal
from gateway.source import Source, Taken
from ingest.judge import judge, judge_part
from ingest.ledger.faults import LedgerUnavailable, silence
from ingest.ledger.port import Answer, Item, Known, Ledger, State, Told, Welcomed
from ingest.model import OLDEST, Channel, Facts, Instant, Judged, RawMessage
from ingest.reasons import Reason

BATCH = 1000
"""Most messages in one commit; a broker must leave at least as many unacknowledged."""
_IDLE_S = 0.25
_PAUSE_S = 1.0  # between two tries of a ledger that cannot write
_NOTHING = Known()

log = structlog.get_logger("gateway")


@dataclass(frozen=True, slots=True)
class _Flying:
    """A batch on its way to stable storage."""

    taken: Sequence[Taken]
    raws: Sequence[RawMessage]
    """What ``items`` were made of: all that was taken, but for the refused."""
    items: Sequence[Item]
    refused: Sequence[Refused]
    done: Future[Sequence[Answer]] | None
    """None when the ledger could not keep it: then it is handed in again."""
    known: Mapping[str, Known]

    @property
    def changes_facts(self) -> bool:
        """Whether the next batch may be judged differently because of this one."""
        return any(isinstance(item, Told | State) for item in self.items)


class Consumer:
    """One loop over one source and one ledger; ``run`` in a thread of its own."""

    def __init__(  # noqa: PLR0913 - what it is wired with, named where it is
        self,
        source: Source,
        ledger: Ledger,
        now: Callable[[], Instant],
        *,
        disciplined: Callable[[], bool],
        counts: Counts,
        oldest: int = OLDEST,
        flood: Flood | None = None,
        events: Events | None = None,
        ticks: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._source, self._ledger, self._now = source, ledger, now
        self._disciplined, self._counts, self._oldest = disciplined, counts, oldest
        self._flood, self._events, self._ticks = flood or Flood(Limit()), events or Events(now), ticks
        self._trusted = False
        self._taken: Sequence[Taken] = ()
        # Of what was taken, once: that it is tried again makes it no other message.
        self._sorted: tuple[list[RawMessage], list[Refused]] | None = None
        self._flying: deque[_Flying] = deque()
        self._fault: str | None = None
        self._asked: float | None = None  # when the ledger was asked what it has not told yet

    @property
    def problem(self) -> str | None:
        """Why nothing is acknowledged at the moment; None while all is well."""
        return silence(self._asked) or self._fault

    def run(self, stop: Event) -> None:
        """Work until ``stop`` is set, then finish what was taken. A ledger that cannot write stops the acks only."""
        while not stop.is_set():
            try:
                self.step(_IDLE_S)
                self._fault = None
            except LedgerUnavailable as fault:
                self._fault = fault.happened
                stop.wait(_PAUSE_S)
        with suppress(LedgerUnavailable):  # unacknowledged messages come again at the next start
            while self._flying:
                self._answer()

    def step(self, timeout_s: float) -> int:
        """Take, judge and submit one batch, and answer the one before; returns how many messages were taken.

        Raises LedgerUnavailable when nothing could be read or kept: nothing was answered then, and the next call tries
        the same messages again (a broker sends them again only after a reconnect).
        """
        while len(self._flying) > 1:
            self._answer()
        if not self._taken:
            self._taken = self._source.take(BATCH, 0 if self._flying else timeout_s)
        if self._flying and (not self._taken or self._flying[0].changes_facts):
            self._answer()
        count = len(self._taken)
        if count:
            self._flying.append(self._submit(self._taken))
            self._taken, self._sorted = (), None
        while len(self._flying) > 1:
            self._answer()
        return count

    def _submit(self, taken: Sequence[Taken]) -> _Flying:
        raws = [message.raw for message in taken]
        names = {name for raw in raws for name in (raw.device, raw.sender) if name}
        self._asked = time.monotonic()
        try:
            known = dict(self._ledger.known(names, self._now()))
        finally:
            self._asked = None
        self._trusted = self._disciplined()
        if self._sorted is None:
            self._sorted = self._let_through(raws)
        raws, refused = self._sorted
        items = [self._item(raw, known) for raw in raws]
        return _Flying(taken, raws, items, refused, self._ledger.commit(items, self._now()), known)

    def _let_through(self, raws: list[RawMessage]) -> tuple[list[RawMessage], list[Refused]]:
        """What is judged, and what is refused: readings of whoever floods, and nothing else of theirs."""
        passes, tick = self._flood.passes, self._ticks()
        let_through: list[RawMessage] = []
        refused: list[Refused] = []
        for raw in raws:
            if raw.channel is not Channel.READING or passes(raw.sender, tick):
                let_through.append(raw)
            else:
                refused.append(refusal(raw))
        return let_through, refused

    def _item(self, raw: RawMessage, known: dict[str, Known]) -> Item:
        try:
            return self._judged(raw, known)
        except Exception as surprise:  # noqa: BLE001 - a message must never stop those behind it
            return self._set_aside(raw, surprise)

    def _judged(self, raw: RawMessage, known: dict[str, Known]) -> Item:
        """Judge one message; what a hello or echo tells counts for the messages after it in the batch."""
        before = known.get(raw.device, _NOTHING)
        served = raw.hub is None or raw.hub in before.hubs
        facts = Facts(raw.received_at, before.status, before.clocks, served, self._trusted, self._oldest)
        if raw.channel is Channel.BLOB:
            return judge_part(raw, facts)
        item: Told | State | Judged
        if raw.channel is Channel.HELLO:
            item = told.hello(raw, facts)
        elif raw.channel is Channel.STATE:
            item = told.state(raw, facts)
        else:
            return judge(raw, facts)
        if not isinstance(item, Judged):
            known[raw.device] = told.after(before, item)
        return item

    def _answer(self) -> None:
        """Wait until the oldest flying batch is on stable storage, send its receipts, then acknowledge it."""
        flying = self._flying[0]
        items, answers = self._kept(flying)
        self._flying.popleft()
        for sender, texts in receipts.by_sender(items, answers, flying.known).items():
            self._tell(sender, texts, flying.known)
        if flying.refused:
            self._slow_down(flying.refused, flying.known)
        for item, answer in zip(items, answers, strict=True):
            if isinstance(item, Told) and isinstance(answer, Welcomed):
                self._publish(item.hub or item.device, commands.welcome(item, answer, self._ledger.name, self._now()))
        self._source.ack(flying.taken)
        self._counts.answered(items, answers, self._now())
        self._events.seen(items, answers, flying.known)

    def _kept(self, flying: _Flying) -> tuple[Sequence[Item], Sequence[Answer]]:
        """The batch as it was kept, with its answers; raises LedgerUnavailable, and tries again at the next call."""
        done = flying.done or self._ledger.commit(flying.items, self._now())
        try:
            return flying.items, done.result()
        except LedgerUnavailable:
            self._flying[0] = replace(flying, done=None)
            raise
        except Exception:  # noqa: BLE001 - nothing of the batch was kept: find the message that did it
            return self._one_by_one(flying)

    def _one_by_one(self, flying: _Flying) -> tuple[Sequence[Item], Sequence[Answer]]:
        """Keep each message in a commit of its own, and the bytes alone of one that cannot be kept as it is."""
        items, answers = list(flying.items), list[Answer]()
        for place, done in enumerate([self._ledger.commit([item], self._now()) for item in items]):
            try:
                answers.extend(done.result())
            except LedgerUnavailable:
                raise
            except Exception as surprise:  # noqa: BLE001 - a message must never stop those behind it
                items[place] = self._set_aside(flying.raws[place], surprise)
                answers.extend(self._ledger.commit([items[place]], self._now()).result())
        return items, answers

    def _set_aside(self, raw: RawMessage, surprise: Exception) -> Judged:
        """A message that this program failed on; ``schema.type`` is the closest the closed registry has."""
        item = told.set_aside(raw, Reason.SCHEMA_TYPE)
        self._counts.surprise()
        log.error("message set aside unread", fault=type(surprise).__name__, sha=item.sha.hex()[:16])
        return item

    def _slow_down(self, refused: Sequence[Refused], known: Mapping[str, Known]) -> None:
        """Answer what was refused; ask each who floods to wait, once in the time that it is to wait."""
        wait = self._flood.retry_after_s
        found: dict[str, list[str]] = {}
        for each in refused:
            found.setdefault(each.raw.sender, []).append(receipts.refused(each, wait))
        for sender, texts in found.items():
            self._tell(sender, texts, known)
            self._events.tell(FLOOD, sender)
        for device, hub in sorted({(each.raw.device, each.raw.hub) for each in refused}, key=str):
            if self._flood.is_news(f"{hub or ''} {device}", self._ticks()):
                self._publish(hub or device, commands.slow_down(device, hub, wait))
        self._counts.refused(Reason.FLOW_SLOW_DOWN, len(refused))

    def _tell(self, sender: str, texts: Sequence[str], known: Mapping[str, Known]) -> None:
        most = known.get(sender, _NOTHING).max_down_bytes or receipts.MOST_BYTES
        for payload in receipts.messages(self._ledger.name, texts, most):
            self._publish(sender, payload)

    def _publish(self, sender: str, payload: bytes) -> None:
        if not self._source.publish(sender, payload):
            self._counts.unsent()
