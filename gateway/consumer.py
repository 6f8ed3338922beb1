"""The gateway's loop: take a batch, judge it, commit it, answer it, acknowledge it. Always in this order.

Comes in: messages of a ``Source``. Goes out: rows of a ``Ledger``, then receipts, then acknowledgements. Refuses to
know: brokers, engines, patients.

While one batch is being committed the next is taken and judged. A crash anywhere brings the messages again, and the
ledger recognises them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Event

from gateway import commands, receipts, told
from gateway.counts import Counts
from gateway.source import Source, Taken
from ingest.judge import judge
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.port import Answer, Item, Kept, Known, Ledger, State, Told, Welcomed
from ingest.model import Channel, ClockFacts, Facts, Instant, Judged, RawMessage

BATCH = 1000
"""Most messages in one commit; a broker must leave at least as many unacknowledged."""
_IDLE_S = 0.25
_PAUSE_S = 1.0  # between two tries of a ledger that cannot write


@dataclass(frozen=True, slots=True)
class _Flying:
    """A batch on its way to stable storage."""

    taken: Sequence[Taken]
    items: Sequence[Item]
    done: Future[Sequence[Answer]]
    known: Mapping[str, Known]

    @property
    def changes_facts(self) -> bool:
        """Whether the next batch may be judged differently because of this one."""
        return any(not isinstance(item, Judged) for item in self.items)


class Consumer:
    """One loop over one source and one ledger; ``run`` in a thread of its own."""

    def __init__(
        self, source: Source, ledger: Ledger, now: Callable[[], Instant], *, disciplined: bool, counts: Counts
    ) -> None:
        self._source, self._ledger, self._now = source, ledger, now
        self._disciplined, self._counts = disciplined, counts
        self._taken: Sequence[Taken] = ()
        self._flying: deque[_Flying] = deque()
        self.problem: str | None = None
        """Why nothing is acknowledged at the moment; None while all is well."""

    def run(self, stop: Event) -> None:
        """Work until ``stop`` is set, then finish what was taken. A ledger that cannot write stops the acks only."""
        while not stop.is_set():
            try:
                self.step(_IDLE_S)
                self.problem = None
            except LedgerUnavailable as fault:
                self.problem = fault.happened
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
            self._taken = ()
        while len(self._flying) > 1:
            self._answer()
        return count

    def _submit(self, taken: Sequence[Taken]) -> _Flying:
        raws = [message.raw for message in taken]
        known = dict(self._ledger.known({raw.device for raw in raws if raw.device}))
        items = [self._item(raw, known) for raw in raws]
        return _Flying(taken, items, self._ledger.commit(items, self._now()), known)

    def _item(self, raw: RawMessage, known: dict[str, Known]) -> Item:
        """Judge one message; what a hello or echo tells counts for the messages after it in the batch."""
        before = known.get(raw.device, _NOTHING)
        facts = Facts(raw.received_at, before.status, before.clocks, raw.hub is None, self._disciplined)
        if raw.channel is Channel.HELLO:
            item: Item = told.hello(raw, facts)
        elif raw.channel is Channel.STATE:
            item = told.state(raw, facts)
        else:
            return judge(raw, facts)
        if not isinstance(item, Judged):
            known[raw.device] = _after(before, item)
        return item

    def _answer(self) -> None:
        """Wait until the oldest flying batch is on stable storage, send its receipts, then acknowledge it."""
        flying = self._flying[0]
        try:
            answers = flying.done.result()
        except LedgerUnavailable:
            again = self._ledger.commit(flying.items, self._now())
            self._flying[0] = replace(flying, done=again)
            raise
        self._flying.popleft()
        for sender, texts in self._receipts(flying, answers).items():
            most = flying.known.get(sender, _NOTHING).max_down_bytes or receipts.MOST_BYTES
            for payload in receipts.messages(self._ledger.name, texts, most):
                self._publish(sender, payload)
        for item, answer in zip(flying.items, answers, strict=True):
            if isinstance(item, Told) and isinstance(answer, Welcomed):
                self._publish(item.hub or item.device, commands.welcome(item, answer, self._ledger.name, self._now()))
        self._source.ack(flying.taken)
        self._counts.answered(flying.items, answers)

    def _receipts(self, flying: _Flying, answers: Sequence[Answer]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for item, answer in zip(flying.items, answers, strict=True):
            if isinstance(item, Judged) and isinstance(answer, Kept) and item.raw.sender:
                texts = found.setdefault(item.raw.sender, [])
                texts.append(receipts.receipt(item, answer))
                if flying.known.get(item.raw.device, _NOTHING).wants_record:
                    texts.extend(_if_any(receipts.confirmed_again(item, answer)))
        return found

    def _publish(self, sender: str, payload: bytes) -> None:
        if not self._source.publish(sender, payload):
            self._counts.unsent()


_NOTHING = Known()


def _after(before: Known, told_now: Told | State) -> Known:
    """What is known of a device after its hello or echo."""
    clocks = dict(before.clocks)
    if told_now.epoch is not None:
        clock = clocks.get(told_now.epoch, ClockFacts())
        if isinstance(told_now, Told):
            clock = replace(clock, synced=told_now.synced)
        else:
            clock = replace(clock, offset=told_now.offset, uncertainty=told_now.uncertainty)
        clocks[told_now.epoch] = clock
    if isinstance(told_now, State):
        return replace(before, clocks=clocks)
    return replace(before, clocks=clocks, wants_record=told_now.wants_record, max_down_bytes=told_now.max_down_bytes)


def _if_any(text: str | None) -> Iterable[str]:
    return () if text is None else (text,)
