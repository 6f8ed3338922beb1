"""A meter that asks for the record's confirmation of each reading.

Comes in: an installation, the meter's secret, its outbox. Goes out: which readings were confirmed, at once or when
they were offered again. A confirmation goes to a device once: one that was away then, or whose broker was killed,
repeats the reading and gets it again (device contract, section 3).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simulators import simulate
from simulators.devices.client import Device
from simulators.devices.clock import DeviceClock
from simulators.devices.connection import Endpoint
from simulators.devices.kinds import identity
from simulators.devices.outbox import Outbox
from simulators.devices.tally import Manner
from simulators.faults import Misbehaviour


@dataclass(frozen=True, slots=True)
class Asking:
    """The meter; `rate` is readings a second."""

    url: str
    device: str
    secret: str
    outbox: Path
    count: int
    rate: float

    @contextmanager
    def running(self, patience_s: float) -> Iterator[Callable[[], simulate.Report]]:
        """Let it run; what is given waits for its last confirmation, or `patience_s`, and returns its report."""
        task = simulate.Simulation(
            "blood_pressure",
            self.url,
            self.device,
            self.secret,
            rate=self.rate,
            count=self.count,
            outbox=self.outbox,
            deadline_s=self.count / self.rate + patience_s,
            awaits_record=True,
        )
        stop = threading.Event()
        with ThreadPoolExecutor(1) as thread:
            report = thread.submit(simulate.run, task, stop)
            try:
                yield report.result
            finally:
                stop.set()

    def again(self, wanted: set[str], patience_s: float) -> set[str]:
        """Offer everything again, as after a restore; return those of `wanted` that are confirmed then."""
        kept = Outbox(self.outbox, marks=True)
        device = Device(
            Endpoint.of(self.url, self.device, self.secret),
            identity("blood_pressure", self.device, asks_record=True),
            kept,
            DeviceClock(),
            Misbehaviour((), 0),
            Manner(repeat_s=3.0),
        )
        kept.hold_again(self.device)
        end = time.monotonic() + patience_s
        while not wanted <= device.tally.in_record and time.monotonic() < end:
            device.step(0.05)
        device.close()
        kept.close()
        return wanted & device.tally.in_record
