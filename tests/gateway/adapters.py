"""A source and a ledger that write down what is asked of them, in one list; the ledger can be made to fail.

What a test looks at is the order of ``("kept", …)``, ``("answer", …)`` and ``("ack", …)``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from gateway.consumer import Consumer
from gateway.counts import Counts
from gateway.events import REPEATS, Events
from gateway.flood import Flood
from gateway.memory import MemorySource
from gateway.source import Taken
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.port import Alarm, Answer, Confirmation, Item, Known, Later, Ledger, Missing
from ingest.model import Instant, Judged
from tests.support.ledgers import NOW, Bench

Event = tuple[str, Any]
FULL = LedgerUnavailable("The ledger cannot be used (SQLITE_FULL).", "Nothing was acknowledged.", "Make room.")


class TracedSource(MemorySource):
    """``MemorySource`` with a list of what happened. ``takes`` false: the broker takes no answer."""

    def __init__(self, events: list[Event]) -> None:
        super().__init__()
        self.events, self.takes, self.stands = events, True, True
        self.lasting: list[bytes] = []

    def publish(self, sender: str, payload: bytes, *, lasting: bool = False) -> bool:
        """See the port."""
        self.events.append(("answer", json.loads(payload)))
        if lasting:
            self.lasting.append(payload)
        return self.takes and super().publish(sender, payload, lasting=lasting)

    def ack(self, taken: Sequence[Taken]) -> None:
        """See the port."""
        self.events.extend(("ack", message.raw.payload) for message in taken)
        super().ack(taken)

    def connected(self) -> bool:
        """See the port."""
        return self.stands


class _Watched(Future[Sequence[Answer]]):
    """A future that notes when its result is known to be on stable storage."""

    def __init__(self, inner: Future[Sequence[Answer]], note: Callable[[], None]) -> None:
        super().__init__()
        self._inner, self._note = inner, note

    def result(self, timeout: float | None = None) -> Sequence[Answer]:
        found = self._inner.result(timeout)
        self._note()
        return found


@dataclass
class FaultyLedger:
    """A ledger that keeps what it is given, until told otherwise."""

    inner: Ledger
    events: list[Event]
    fault: LedgerUnavailable | None = None
    """Raised instead of keeping anything."""
    unsure: bool = False
    """The batch reaches the disk, and the fault is raised all the same."""
    away: bool = False
    """The fault comes from the call, not from the future."""
    keeps_no_more: bool = False
    """With ``away``: it can still be read, as when its disk is below the reserve."""
    poison: Callable[[Item], bool] = lambda _item: False
    """A batch with such an item ends in an error of ours, and none of it is kept."""
    items: list[Item] = field(default_factory=list)
    """What was kept, in order."""
    held: list[Callable[[], None]] | None = None
    """When a list: commits wait in it until they are called, as on a slow disk."""

    @property
    def name(self) -> str:
        """See the port."""
        return self.inner.name

    def known(self, devices: Collection[str], now: Instant) -> Mapping[str, Known]:
        """See the port."""
        if self.fault and self.away and not self.keeps_no_more:
            raise self.fault
        return self.inner.known(devices, now)

    def commit(self, items: Sequence[Item], now: Instant) -> Future[Sequence[Answer]]:
        """See the port."""
        done: Future[Sequence[Answer]] = Future()
        if self.fault and self.away:
            raise self.fault
        if any(self.poison(item) for item in items):
            done.set_exception(ValueError("too large for a column"))
            return done
        if self.fault:
            if self.unsure:
                self.inner.commit(items, now).result(10)
            done.set_exception(self.fault)
            return done
        if self.held is not None:
            self.held.append(lambda: done.set_result(self._keep(items, now).result(10)))
            return done
        return self._keep(items, now)

    def _keep(self, items: Sequence[Item], now: Instant) -> Future[Sequence[Answer]]:
        self.items.extend(items)
        payloads = [item.raw.payload for item in items if isinstance(item, Judged)]
        inner = self.inner.commit(items, now)
        return _Watched(inner, lambda: self.events.extend(("kept", payload) for payload in payloads))

    def overdue(self, before: Instant, limit: int) -> Sequence[Missing]:
        """See the port."""
        return self.inner.overdue(before, limit)

    def asked(self, gaps: Collection[int], now: Instant) -> None:
        """See the port."""
        self.inner.asked(gaps, now)

    def confirmations(self, after: int, limit: int) -> Sequence[Confirmation]:
        """See the port."""
        if self.fault:
            raise self.fault
        return self.inner.confirmations(after, limit)

    def told(self) -> int:
        """See the port."""
        return self.inner.told()

    def note_told(self, position: int) -> None:
        """See the port."""
        self.inner.note_told(position)

    def later(self, limit: int) -> Sequence[Later]:
        """See the port."""
        if self.fault and self.away:
            raise self.fault
        return self.inner.later(limit)

    def note_later(self, position: int) -> None:
        """See the port."""
        self.inner.note_later(position)

    def alarm(self, alarms: Sequence[Alarm]) -> None:
        """See the port."""
        if self.fault:
            raise self.fault
        self.inner.alarm(alarms)

    def close(self) -> None:
        """See the port."""


class Desk:
    """A consumer between the two, with a clock that stands still until it is set."""

    def __init__(
        self, bench: Bench, *, disciplined: bool = True, flood: Flood | None = None, repeats: int = REPEATS
    ) -> None:
        self.bench = bench
        self.events: list[Event] = []
        self.source = TracedSource(self.events)
        self.ledger = FaultyLedger(bench.ledger, self.events)
        self.registry = CollectorRegistry()
        self.now, self.tick = NOW, 1_000_000_000
        self.happened = Events(lambda: self.now, repeats=repeats)
        self.consumer = Consumer(
            self.source, self.ledger, lambda: self.now, disciplined=lambda: disciplined, counts=Counts(self.registry),
            flood=flood, events=self.happened, ticks=lambda: self.tick,
        )  # fmt: skip

    def work(self) -> None:
        """Until everything that arrived is answered."""
        while self.consumer.step(0):
            pass

    def answers(self, sender: str = "bp-0001") -> list[dict[str, Any]]:
        """Messages that went down to a sender."""
        return [json.loads(payload) for to, payload in self.source.sent if to == sender]

    def receipts(self, sender: str = "bp-0001") -> list[dict[str, Any]]:
        """Receipts that went down to a sender, of all messages."""
        return [receipt for answer in self.answers(sender) for receipt in answer.get("receipts", ())]

    def count(self, name: str, **labels: str) -> float:
        """A counter's value, 0 before it was counted."""
        return self.registry.get_sample_value(f"constantes_{name}_total", labels) or 0
