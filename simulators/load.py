"""A crowd of blood pressure meters in one thread: load for benchmarks, and an exact account for kill tests.

    python -m simulators.load --url mqtt://127.0.0.1:PORT --devices FILE.json --count N --rate R --outbox FILE

Comes in: devices with their secrets (`[{"device", "secret"}, ...]`), how many readings, how fast. Goes out: one JSON
document of counts and latencies. Refuses to know: the gateway.

Each reading is in the outbox file before its first publish and is never removed from it, so that
`simulators.devices.outbox.issued(FILE)` is the oracle of what a ledger must hold. Devices reconnect and repeat through
any kill of broker or gateway. Without `--rate` each device has at most `--window` readings without receipt; with it,
readings are made on time whatever happens, and what does not fit the window waits (its latency starts at its publish).

Own sockets instead of paho: measured on 2 shared cores with 50 devices and 64 readings in flight each, the same outbox
and messages, a reading costs 18-20 us of CPU here and 69-82 us with 50 paho clients and their 50 threads.
"""

from __future__ import annotations

import argparse
import json
import selectors
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulators.devices.clock import DeviceClock
from simulators.devices.connection import Endpoint
from simulators.devices.lean import KEEPALIVE_S, LineLost
from simulators.devices.member import Counts, Member, time_of
from simulators.devices.outbox import Kept, Outbox
from simulators.devices.tally import Manner

_SHORTEST_S, _LONGEST_S = 0.002, 0.02  # one wait for the network
_SWEEP_S = 0.2  # between two looks for repeats and reconnects


@dataclass(frozen=True, slots=True)
class Load:
    """What to do. `count` readings in all, or as many as fit `seconds`; `rate` a second in all, None: as accepted.

    `deadline_s` is how long the last readings may wait for their receipts once all are made. `durable` flushes the
    outbox to the disk at each write, which a benchmark on the ledger's own disk should not do.
    """

    url: str
    devices: tuple[tuple[str, str], ...]
    count: int | None = None
    seconds: float | None = None
    rate: float | None = None
    outbox: Path | None = None
    window: int = 64
    repeat_s: float = 30.0
    reconnect_s: float = 1.0
    deadline_s: float = 60.0
    durable: bool = False
    marks: bool = False


class Crowd:
    """All members on one selector. `turn` does what is due and waits for the network, never long."""

    def __init__(self, what: Load) -> None:
        self.counts = Counts()
        self.outbox = Outbox(what.outbox, durable=what.durable, marks=what.marks)
        self._what = what
        self._clock = DeviceClock()
        self._selector = selectors.DefaultSelector()
        manner = Manner(window=what.window, repeat_s=what.repeat_s, reconnect_s=what.reconnect_s)
        places = [Endpoint.of(what.url, device, secret) for device, secret in what.devices]
        self._members = [Member(at, self.outbox, self.counts, manner) for at in places]
        self._next_sweep = 0.0
        self._next_ping = time.monotonic() + KEEPALIVE_S / 2
        self._patience = _LONGEST_S if what.rate is None else min(max(1 / what.rate, _SHORTEST_S), _LONGEST_S)
        self._turn = 0

    @property
    def unanswered(self) -> int:
        """Readings without a final verdict."""
        return self.outbox.count

    def turn(self, wanted: int) -> None:
        """One round: make up to `wanted` new readings, publish, read."""
        now = time.monotonic()
        if now >= self._next_sweep:
            self._sweep(now)
        self._make(wanted)
        for member in self._members:
            if member.has_words:
                self._try(member, member.publish, now)
        for ready, _ in self._selector.select(self._patience):
            self._try(ready.data, ready.data.read, time.monotonic())

    def close(self) -> None:
        """Every device says `offline`; the outbox is written out."""
        for member in self._members:
            member.close()
        self._selector.close()
        self.outbox.close()

    def _make(self, wanted: int) -> None:
        """Readings in turn over the devices; they are safe before anything is published."""
        if wanted <= 0:
            return
        taken_at = time_of(self._clock.now())
        made: list[Kept] = []
        for member, share in self._shares(wanted):
            made += member.make(share, taken_at)
        self.outbox.keep(made)

    def _shares(self, wanted: int) -> Iterator[tuple[Member, int]]:
        """How many each makes: what it has room for, or, at a rate, the same for all."""
        self._turn += 1
        for place in range(len(self._members)):
            member = self._members[(self._turn + place) % len(self._members)]
            fair = -(-wanted // (len(self._members) - place))
            share = fair if self._what.rate else min(wanted, member.room if member.greeted else 0)
            if share > 0:
                wanted -= share
                yield member, share

    def _sweep(self, now: float) -> None:
        self._next_sweep = now + _SWEEP_S
        self.outbox.flush()
        ping = now >= self._next_ping
        self._next_ping = now + KEEPALIVE_S / 2 if ping else self._next_ping
        for member in self._members:
            line = member.connect(now)
            if line is not None:
                self._selector.register(line, selectors.EVENT_READ, member)
            member.repeat(now)
            if ping and member.greeted and member.line is not None:
                member.line.ping()

    def _try(self, member: Member, act: Callable[[float], None], now: float) -> None:
        line = member.line
        try:
            act(now)
        except LineLost as gone:
            if line is not None:
                with suppress(KeyError, ValueError):
                    self._selector.unregister(line)
            member.lost(now, gone)


def run(what: Load, stop: threading.Event | None = None) -> dict[str, Any]:
    """Run to the end, or until `stop`; return the document that the command prints."""
    stop = stop or threading.Event()
    crowd = Crowd(what)
    began, cpu = time.monotonic(), time.process_time()
    ended_making: float | None = None
    try:
        while not stop.is_set():
            passed = time.monotonic() - began
            wanted = _wanted(what, passed, crowd.counts.made)
            if wanted is None:
                ended_making = ended_making or passed
                if crowd.unanswered == 0 or passed - ended_making > what.deadline_s:
                    break
            crowd.turn(wanted or 0)
        seconds = time.monotonic() - began
        return _document(what, crowd, seconds, time.process_time() - cpu)
    finally:
        crowd.close()


def _wanted(what: Load, passed: float, made: int) -> int | None:
    """How many readings to make now; None when there will be no more."""
    over = what.seconds is not None and passed >= what.seconds
    most = sys.maxsize if what.count is None else what.count - made
    if over or most <= 0:
        return None
    return most if what.rate is None else min(most, int(passed * what.rate) - made)


def _document(what: Load, crowd: Crowd, seconds: float, cpu: float) -> dict[str, Any]:
    counts = crowd.counts
    answered = max(len(counts.latencies), 1)
    return {
        "devices": len(what.devices),
        "made": counts.made,
        "answered": len(counts.latencies),
        "unanswered": crowd.unanswered,
        "published": counts.published,
        "repeated": counts.repeated,
        "receipts": dict(counts.verdicts),
        "reasons": dict(counts.reasons),
        "unmatched": counts.unmatched,
        "connects": counts.connects,
        "cuts": counts.cuts,
        "welcomes": counts.welcomes,
        "problems": dict(counts.problems),
        "seconds": round(seconds, 3),
        "per_second": round(len(counts.latencies) / seconds, 1),
        "cpu_us_per_reading": round(cpu / answered * 1e6, 1),
        "latency_ms": _percentiles(sorted(counts.latencies)),
    }


def _percentiles(ascending: Sequence[float]) -> dict[str, float | None]:
    """Nearest rank, in milliseconds."""
    ranks = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}
    if not ascending:
        return dict.fromkeys(ranks)
    last = len(ascending) - 1
    return {name: round(ascending[min(int(len(ascending) * share), last)] * 1000, 2) for name, share in ranks.items()}


def main(words: Sequence[str] | None = None) -> int:
    """The command line; 0 when every reading is answered. SIGINT and SIGTERM end it early, with its document."""
    ask = argparse.ArgumentParser(
        prog="python -m simulators.load", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    ask.add_argument("--url", required=True)
    ask.add_argument("--devices", type=Path, required=True, help='a file with [{"device": ..., "secret": ...}, ...]')
    ask.add_argument("--count", type=int)
    ask.add_argument("--seconds", type=float)
    ask.add_argument("--rate", type=float)
    ask.add_argument("--outbox", type=Path)
    ask.add_argument("--window", type=int, default=64)
    ask.add_argument("--repeat-s", type=float, default=30.0)
    ask.add_argument("--reconnect-s", type=float, default=1.0)
    ask.add_argument("--deadline-s", type=float, default=60.0)
    ask.add_argument("--durable", action="store_true")
    ask.add_argument("--marks", action="store_true")
    given = vars(ask.parse_args(words))
    listed = json.loads(given.pop("devices").read_text())
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    document = run(Load(devices=tuple((one["device"], one["secret"]) for one in listed), **given), stop)
    print(json.dumps(document))  # noqa: T201 - the answer of a command
    return 0 if document["unanswered"] == 0 else 1


if __name__ == "__main__":
    raise SystemExit(main())
