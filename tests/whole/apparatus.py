"""Apparatus of any kind on the line of a whole installation, each in a thread of its own, and what it was told.

Comes in: an installation that runs. Goes out: registered devices with a patient each, devices that measure when they
are told to, their receipts. It speaks to the installation as strangers do: over MQTT, and by the API.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from simulators.devices.client import Device
from simulators.devices.clock import DeviceClock, text
from simulators.devices.connection import Endpoint
from simulators.devices.instrument import Instrument
from simulators.devices.kinds import KINDS, identity
from simulators.devices.outbox import FREES, Kept, Outbox, issued
from simulators.devices.parcels import UNANSWERED
from simulators.devices.tally import Manner, Tally
from simulators.faults import Misbehaviour, parse
from tests.faults.installation import Installation, until

GRID = 65_536
BEFORE = datetime.now(UTC) - timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A registered device and the person it is assigned to."""

    kind: str
    device: str
    secret: str
    patient: str


def enrol(site: Installation, kind: str, *names: str, family: str = "EXEMPLE-FICTIF") -> list[Enrolled]:
    """Register devices of one kind, each for a person of its own."""
    return [Enrolled(kind, name, secret_of(site, name), _assigned(site, name, family)) for name in names]


def secret_of(site: Installation, name: str) -> str:
    """Register a device that measures nobody yet."""
    with site.api() as api:
        return str(api.post("/devices", {"device": name, "simulated": True})["secret"])


def _assigned(site: Installation, name: str, family: str) -> str:
    person = {"family": family, "given": [name], "birth_date": "1980-01-01", "gender": "female"}
    with site.api() as api:
        patient = str(api.post("/patients", person)["patient"])
        # A device that tells whole seconds measures, by its own word, before an assignment of the same second.
        api.post("/assignments", {"device": name, "patient": patient, "start": text(BEFORE, "seconds")})
    return patient


@dataclass(frozen=True, slots=True)
class _Seen:
    """The device after a step: readings taken up, those without a final verdict, whether hello was said."""

    taken: int = 0
    waiting: int = 0
    online: bool = False


class Apparatus:
    """A device that runs; made by `running`. Its thread alone touches the device."""

    def __init__(
        self, site: Installation, who: Enrolled, outbox: Path, faults: tuple[str, ...], seed: int, manner: Manner
    ) -> None:
        self.who, self.outbox = who, outbox
        self._receipts = outbox.with_suffix(".receipts")
        self._wrong = Misbehaviour(tuple(map(parse, faults)), seed + sum(who.device.encode()))
        manner = replace(manner, receipts_log=self._receipts)
        self._kept = Outbox(outbox)
        self._device = Device(
            Endpoint.of(site.url, who.device, who.secret), identity(who.kind, who.device), self._kept, DeviceClock(),
            self._wrong, manner,
        )  # fmt: skip
        self._part = manner.part
        self._new: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._asked = 0
        self._seen = _Seen()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=who.device, daemon=True)
        self._thread.start()

    @property
    def tally(self) -> Tally:
        """All that it did and saw."""
        return self._device.tally

    @property
    def sent(self) -> int:
        """Bytes of parts that left the device, those that were then lost on the way included (counted as full)."""
        return self.tally.part_bytes + self._wrong.fired["blob_drop"] * self._part

    @property
    def spoilt(self) -> int:
        """Bytes of those that the line lost or doubled, each part counted as full."""
        return (self._wrong.fired["blob_drop"] + self._wrong.fired["blob_repeat"]) * self._part

    @property
    def fired(self) -> dict[str, int]:
        """How often it misbehaved, and how."""
        return dict(self._wrong.fired)

    @property
    def receipts(self) -> list[dict[str, Any]]:
        """Every receipt so far, in order."""
        if not self._receipts.exists():
            return []
        return [json.loads(line) for line in self._receipts.read_text("utf-8").splitlines()]

    @property
    def readings(self) -> list[Kept]:
        """Every reading it ever issued."""
        return list(issued(self.outbox))

    @property
    def settled(self) -> bool:
        """Whether everything it was told to measure has its final verdict."""
        if not self._thread.is_alive():
            raise RuntimeError("the device's thread has ended")
        seen = self._seen
        return seen.online and seen.taken == self._asked and seen.waiting == 0

    def measure(self, instrument: Instrument, count: int = 1) -> None:
        """Measure so many times, now."""
        make = KINDS[self.who.kind]
        for _ in range(count):
            at = DeviceClock().now()
            measured = {"kind": self.who.kind, "taken_at": text(at, make.timespec), **instrument.measure(at)}
            self._asked += 1
            self._new.put(measured)

    def settle(self, patience_s: float = 30.0) -> None:
        """Wait for every final verdict; raises TimeoutError."""
        until(lambda: self.settled, f"{self.who.device} has a verdict for each reading", patience_s)

    def verdicts(self, *names: str) -> list[tuple[str, str | None]]:
        """(verdict, reason) of receipts in order; only those of `names` where some are given."""
        said = [(each["verdict"], each["reason"]) for each in self.receipts]
        return [each for each in said if not names or each[0] in names]

    @property
    def final(self) -> list[str]:
        """The one final verdict of each reading, by number."""
        found = {(each["seq"], each["verdict"]) for each in self.receipts if each["verdict"] in FREES}
        assert len(found) == len({seq for seq, _ in found}), "a reading has two final verdicts"
        return [verdict for _, verdict in sorted(found)]

    def close(self) -> None:
        """Say `offline` and leave."""
        self._stop.set()
        self._thread.join()
        self._device.close()
        self._kept.close()

    def _run(self) -> None:
        taken = 0
        while not self._stop.is_set():
            try:
                while True:
                    self._device.take(self._new.get_nowait())
                    taken += 1
            except Empty:
                self._device.step(0.02)
            self._seen = _Seen(taken, self._device.waiting, self._device.online)


@contextmanager
def running(
    site: Installation,
    who: Enrolled,
    outbox: Path,
    *faults: str,
    part: int = GRID,
    unanswered: int = UNANSWERED,
    seed: int = 0,
) -> Iterator[Apparatus]:  # fmt: skip
    """Give a device that runs, and leaves with the block. It asks as often as the contract lets it (C-BLB-3)."""
    manner = Manner(part=part, unanswered=unanswered, repeat_s=3.0, reconnect_s=0.2)
    made = Apparatus(site, who, outbox, faults, seed, manner)
    try:
        yield made
    finally:
        made.close()


class Changed:
    """An instrument whose members are changed before they are a reading."""

    def __init__(self, instrument: Instrument, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._instrument, self._change = instrument, change

    def measure(self, at: datetime) -> dict[str, Any]:
        """The instrument's members, changed."""
        return self._change(dict(self._instrument.measure(at)))


class Given:
    """An instrument that shows one thing only."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members

    def measure(self, at: datetime) -> dict[str, Any]:  # noqa: ARG002 - the same at any time
        """What it was given."""
        return self._members


def unflagged(members: dict[str, Any]) -> dict[str, Any]:
    """The same as a person would see it in a record: trial pictures are marked `test`, which never gets there."""
    return {name: said for name, said in members.items() if name != "flags"}


def wait_for(condition: Callable[[], Any], what: str, patience_s: float = 30.0) -> None:
    """Poll as seldom as a person would mind."""
    until(condition, what, patience_s, 0.05)
