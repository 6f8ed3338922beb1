"""A hub: one connection that speaks for meters which cannot reach a broker themselves (device contract, section 12).

Comes in: which meters it serves, records it hears from them. Goes out: their hellos and readings under its own name.
Refuses to know: what a record says.

Whose number a reading has, and whose clock, depends on what the meter's memory holds (`MEMORIES`). A meter that numbers
or stamps its records can be heard by two hubs, in any order: both make the same bytes under the same key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from simulators.devices import messages
from simulators.devices.client import Carrier
from simulators.devices.clock import DeviceClock, text
from simulators.devices.connection import Endpoint
from simulators.devices.kinds import KINDS, identity
from simulators.devices.messages import Identity, Json
from simulators.devices.outbox import Outbox
from simulators.devices.tally import Manner, Tally
from simulators.devices.voice import Speech, Voice
from simulators.faults import Misbehaviour

Number: TypeAlias = tuple[str, int]
"""(stream, seq)."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A row: who gives a record its time (`clock.by`), and whether `seq` tells of gaps (`counts`)."""

    by: str
    counts: bool


MEMORIES = {
    "counted": Memory("device", counts=True),
    "stamped": Memory("device", counts=False),
    "none": Memory("hub", counts=True),
}
"""What a meter remembers: numbered records, records with a time only, or nothing at all."""


@dataclass(frozen=True, slots=True)
class Record:
    """One measurement as the meter holds it; `number` counts from 0 since the reset."""

    number: int
    members: Mapping[str, Json]


class Meter:
    """An apparatus behind a hub, of any kind that can be simulated; `resets` is how often its memory was cleared."""

    def __init__(self, device: str, kind: str, seed: int = 0, *, memory: str = "counted", resets: int = 0) -> None:
        self.device, self.kind, self.memory = device, kind, memory
        self._instrument = KINDS[kind].build(seed)
        self._resets = resets
        self._measured = 0

    def measure(self, at: datetime) -> Record:
        """Measure at `at`, by the meter's clock, and remember."""
        measured = self._instrument.measure(at)
        members = {"kind": self.kind, "taken_at": text(at, KINDS[self.kind].timespec), **measured}
        self._measured += 1
        return Record(self._measured - 1, members)

    @property
    def stream(self) -> str | None:
        """The stream of hello; None where it is the hub's to draw."""
        return None if self.memory == "none" else _hex32(f"{self.device}|{self._resets}")

    def number(self, record: Record) -> Number | None:
        """What the meter's memory makes of it; None where the hub numbers."""
        if self.memory == "counted":
            return _hex32(f"{self.device}|{self._resets}"), record.number
        if self.memory == "stamped":
            said = messages.encode({"values": record.members.get("values", {})}).decode()
            return _hex32(f"{self.device}|{record.members['taken_at']}|{said}"), 0
        return None


class Hub(Carrier):
    """The hub's own voice, and one for each meter; call `hear` for records, `step` as for any device."""

    def __init__(
        self, at: Endpoint, meters: Sequence[Meter], outbox: Outbox, faults: Misbehaviour, manner: Manner,
        clock: DeviceClock | None = None,
    ) -> None:  # fmt: skip
        tally, clock = Tally(), clock or DeviceClock()
        own = Voice(_hub(at.device), outbox, clock, faults, manner, tally)
        self._meters = {meter.device: meter for meter in meters}
        self._served: dict[str, Voice] = {}
        self._heard: set[tuple[str, Number]] = set()
        for meter in meters:
            if meter.stream is not None and outbox.fact(meter.device, "stream") != meter.stream:
                outbox.remember(meter.device, "stream", meter.stream)
            memory = MEMORIES[meter.memory]
            speech = Speech(f"for/{meter.device}/", memory.by, counts=memory.counts)
            who = identity(meter.kind, meter.device)
            self._served[meter.device] = Voice(who, outbox, clock, faults.of(meter.device), manner, tally, speech)
        super().__init__(at, [own, *self._served.values()], outbox, manner, tally)

    def hear(self, meter: Meter, record: Record) -> bool:
        """Take a record for a reading; False when this hub has heard it before."""
        number = meter.number(record)
        if number is not None:
            if (meter.device, number) in self._heard:
                return False
            self._heard.add((meter.device, number))
        self._served[meter.device].take(record.members, number)
        return True


def _hub(device: str) -> Identity:
    """A hub measures nothing itself."""
    serial = hashlib.sha256(device.encode()).hexdigest()[:8].upper()
    return Identity(device, "Exemple", "Relais-1", serial, "1.0.0", ())


def _hex32(of: str) -> str:
    """A stream that follows from facts alone (device contract, section 12)."""
    return hashlib.sha256(f"constantes/v1/stream|{of}".encode()).hexdigest()[:32]
