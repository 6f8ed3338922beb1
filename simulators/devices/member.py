"""One of many devices that share a thread, an outbox file and a clock: the contract, made cheap.

Comes in: readiness of its line, how many readings to make. Goes out: publishes, and counts in a shared `Counts`.
Refuses to know: the other devices, the selector.

It says hello, echoes a welcome, keeps each reading until its receipt, repeats, obeys `slow_down` and `resend`. Only its
measurements are prepared beforehand: what is measured with it is the gateway, not the meter.
"""

from __future__ import annotations

import itertools
import json
import random
import secrets
from array import array
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from simulators.devices import messages
from simulators.devices.backoff import RECONNECT_MOST_S, REPEAT_MOST_S, SPREAD, Backoff
from simulators.devices.blood_pressure import Cuff
from simulators.devices.clock import DeviceClock, text
from simulators.devices.connection import Endpoint
from simulators.devices.kinds import identity
from simulators.devices.lean import LeanLine, LineLost
from simulators.devices.outbox import FREES, Kept, Key, Outbox, kept
from simulators.devices.tally import Manner

_PREPARED = 64  # measurements made beforehand for each device


@dataclass(slots=True)
class Counts:
    """What all devices of a run did and saw; latencies in seconds, from first publish to final receipt."""

    made: int = 0
    published: int = 0
    repeated: int = 0
    connects: int = 0
    cuts: int = 0
    welcomes: int = 0
    unmatched: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    latencies: array[float] = field(default_factory=lambda: array("d"))


class Sent(NamedTuple):
    """A published reading that waits for its receipt: when it is due again, after which delay."""

    reading: Kept
    due: float
    delay: float


class Member:
    """A blood pressure meter of the crowd. All instants are seconds of one monotonic clock."""

    def __init__(self, at: Endpoint, outbox: Outbox, counts: Counts, manner: Manner) -> None:
        self.line: LeanLine | None = None
        self.connect_at = 0.0
        self.greeted = False
        self._at, self._outbox, self._counts = at, outbox, counts
        self._window, self._repeat_s = manner.window, manner.repeat_s
        self._chance = random.Random(f"member {at.device}")
        self._backoff = Backoff(manner.reconnect_s, RECONNECT_MOST_S, self._chance)
        self._clock = DeviceClock()
        self._conn = ""
        self._quiet_until = 0.0
        self._stream = outbox.stream(at.device)
        self._seq = outbox.next_seq(at.device)
        self._queue: deque[Kept] = deque(outbox.held(at.device))
        self._waiting: dict[Key, Sent] = {}
        self._first_sent: dict[Key, float] = {}
        self._head = f'{{"v":1,"stream":"{self._stream}","seq":%d,"clock":0,"kind":"blood_pressure","taken_at":"'
        self._tails = itertools.cycle(self._prepared())

    @property
    def room(self) -> int:
        """How many more readings may be in flight or wait to be."""
        return self._window - len(self._waiting) - len(self._queue)

    @property
    def has_words(self) -> bool:
        """Whether `publish` has anything to do."""
        return self.line is not None and bool(self._queue or self.line.wants_write)

    def make(self, count: int, taken_at: str) -> list[Kept]:
        """New readings, to be kept by the caller before `publish` is called."""
        device, stream, tails = self._at.device, self._stream, self._tails
        made = [
            kept(device, stream, seq, f"{self._head % seq}{taken_at}{next(tails)}".encode())
            for seq in range(self._seq, self._seq + count)
        ]
        self._seq += count
        self._counts.made += count
        self._queue += made
        return made

    def connect(self, now: float) -> LeanLine | None:
        """Begin a connection when its time has come."""
        if self.line is not None or now < self.connect_at:
            return None
        self._conn = secrets.token_hex(4)
        try:
            self.line = LeanLine(self._at, messages.offline(self._conn))
        except LineLost as absent:
            self.lost(now, absent)
        return self.line

    def lost(self, now: float, why: LineLost) -> None:
        """The line is gone: all without a receipt goes out first at the next connect."""
        if self.line is not None:
            self.line.close()
        self.line = None
        self._counts.cuts += self.greeted
        self._counts.problems[str(why.strerror)] += 1
        self.greeted = False
        self._queue.extendleft(reversed([sent.reading for sent in self._waiting.values()]))
        self._waiting.clear()
        self.connect_at = now + self._backoff.next()

    def read(self, now: float) -> None:
        """Take what came down; raises `LineLost`."""
        if self.line is None:
            return
        for payload in self.line.read():
            self._hear(payload, now)
        if self.line.ready and not self.greeted:
            self._greet()

    def publish(self, now: float) -> None:
        """Hand over what fits the window; raises `LineLost`."""
        line, queue, waiting = self.line, self._queue, self._waiting
        if line is None:
            return
        while self.greeted and queue and len(waiting) < self._window and now >= self._quiet_until:
            reading = queue.popleft()
            if self._outbox.get(reading.key) is not None:  # a late receipt may have freed it in the queue
                self._send(line, Sent(reading, 0.0, self._repeat_s), now)
        line.flush()

    def repeat(self, now: float) -> None:
        """Publish again what waited too long for its receipt."""
        if self.line is None or now < self._quiet_until:
            return
        for sent in [sent for sent in self._waiting.values() if sent.due <= now]:
            self._send(self.line, sent._replace(delay=min(sent.delay * 2, REPEAT_MOST_S)), now)

    def close(self) -> None:
        """Say `offline` and leave."""
        if self.line is not None:
            self.line.close(messages.offline(self._conn))
            self.line = None

    def _send(self, line: LeanLine, sent: Sent, now: float) -> None:
        key = sent.reading.key
        if key in self._first_sent:
            self._counts.repeated += 1
        else:
            self._first_sent[key] = now
        due = now + sent.delay * self._chance.uniform(1 - SPREAD, 1 + SPREAD)
        self._waiting[key] = sent._replace(due=due)
        line.publish_reading(sent.reading.payload)
        self._counts.published += 1

    def _greet(self) -> None:
        self.greeted = True
        self._backoff.reset()
        self._counts.connects += 1
        if self.line is not None:
            clock: dict[str, messages.Json] = {"epoch": 0, "now": text(self._clock.now()), "synced": True}
            held = self._stream, self._outbox.oldest(self._at.device), self._seq
            who = identity("blood_pressure", self._at.device)
            self.line.publish("hello", messages.hello(who, self._conn, held, clock))

    def _hear(self, payload: bytes, now: float) -> None:
        body = json.loads(payload)
        if body.get("ledger") is not None:
            self._know(body["ledger"])
        for receipt in body.get("receipts", ()):
            self._receipt(receipt, now)
        if "command" in body:
            self._obey(body, now)

    def _receipt(self, receipt: Mapping[str, Any], now: float) -> None:
        verdict = receipt["verdict"]
        self._counts.verdicts[verdict] += 1
        if "reason" in receipt:
            self._counts.reasons[receipt["reason"]] += 1
        key = self._at.device, receipt.get("stream", ""), receipt.get("seq", -1)
        if verdict == "refused" and key in self._waiting:
            self._waiting[key] = self._waiting[key]._replace(due=now + receipt.get("retry_after_s", self._repeat_s))
        elif verdict in FREES and self._outbox.settle(key, receipt["sha"], verdict):
            self._waiting.pop(key, None)
            first = self._first_sent.pop(key, None)
            if first is not None:
                self._counts.latencies.append(now - first)
        elif verdict in FREES:
            self._counts.unmatched += 1

    def _obey(self, body: Mapping[str, Any], now: float) -> None:
        command = body["command"]
        if command == "slow_down":
            self._quiet_until = now + float(body["retry_after_s"])
        elif command == "welcome" and body.get("conn") == self._conn and self.line is not None:
            self._counts.welcomes += 1
            told = text(self._clock.now(), "milliseconds")
            self.line.publish("state", messages.echo(self._conn, 0, told, str(body["gateway_time"])))
        elif command == "resend" and body.get("stream") == self._stream:
            for seq in range(int(body["from"]), min(int(body["to"]), self._seq - 1) + 1):
                key = self._at.device, self._stream, seq
                if key in self._waiting:
                    self._waiting[key] = self._waiting[key]._replace(due=now)

    def _know(self, ledger: str) -> None:
        """Another ledger than the known one: all that is still kept goes out again (contract, section 8)."""
        device = self._at.device
        known = self._outbox.fact(device, "ledger")
        if known == ledger:
            return
        self._outbox.remember(device, "ledger", ledger)
        if known is not None:
            before = {reading.key for reading in self._outbox.held(device)}
            self._outbox.hold_again(device)
            self._queue += [reading for reading in self._outbox.held(device) if reading.key not in before]

    def _prepared(self) -> list[str]:
        """The end of so many messages, as a meter that shows three values would have measured them now."""
        cuff, now = Cuff(self._chance.getrandbits(32)), self._clock.now()
        return ['",' + messages.encode(_without_mean(cuff.measure(now))).decode()[1:] for _ in range(_PREPARED)]


def _without_mean(members: dict[str, Any]) -> dict[str, Any]:
    return members | {"values": {name: shown for name, shown in members["values"].items() if name != "mean"}}


def time_of(moment: datetime) -> str:
    """`taken_at`, one text for all readings of one turn."""
    return text(moment, "milliseconds")
