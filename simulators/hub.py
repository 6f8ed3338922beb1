"""Run meters behind one hub, or behind several that hear the same meters, until every reading is answered.

Comes in: a `HubPlan`. Goes out: a `HubReport` a hub. Refuses to know: the gateway, who the patients are.

    meters = [Meter(f"bp-{n}", "blood_pressure", n) for n in range(10)]
    run(HubPlan("mqtt://127.0.0.1:1883", (Ear("hub-1", secret),), meters))

The registry must know which hub serves which device (device contract, section 12).
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from simulators.devices.clock import DeviceClock
from simulators.devices.connection import Endpoint
from simulators.devices.hub import Hub, Meter
from simulators.devices.outbox import Outbox
from simulators.devices.tally import Manner, Tally
from simulators.faults import Misbehaviour, parse

_STEP_S = 0.05


@dataclass(frozen=True, slots=True)
class Ear:
    """One hub: its id, its secret, and the file it keeps readings in."""

    hub: str
    secret: str = field(repr=False)
    outbox: Path | None = None


@dataclass(frozen=True, slots=True)
class HubPlan:
    """`count` readings of each meter, `rate` readings a second of all together; every hub hears every one."""

    url: str
    hubs: tuple[Ear, ...]
    meters: Sequence[Meter]
    count: int = 10
    rate: float = 10.0
    faults: tuple[str, ...] = ()
    seed: int = 0
    deadline_s: float | None = None
    manner: Manner = field(default_factory=Manner)


@dataclass(frozen=True, slots=True)
class HubReport:
    """What became of one hub's readings; `waiting` ones stay in its outbox."""

    hub: str
    waiting: int
    seconds: float
    faults: Counter[str]
    tally: Tally

    @property
    def answered(self) -> bool:
        """Whether every reading has its final verdict."""
        return self.waiting == 0


def run(plan: HubPlan, stop: threading.Event | None = None) -> list[HubReport]:
    """Run to the end, the deadline, or until `stop`; raises ValueError for an unfit URL or fault."""
    faults = [Misbehaviour(tuple(map(parse, plan.faults)), plan.seed + place) for place in range(len(plan.hubs))]
    outboxes = [Outbox(ear.outbox) for ear in plan.hubs]
    hubs = [
        Hub(Endpoint.of(plan.url, ear.hub, ear.secret), plan.meters, outbox, wrong, plan.manner)
        for ear, outbox, wrong in zip(plan.hubs, outboxes, faults, strict=True)
    ]
    began = time.monotonic()
    try:
        _drive(plan, hubs, stop or threading.Event())
    finally:
        for hub in hubs:
            hub.close()
    seconds = round(time.monotonic() - began, 3)
    reports = [
        HubReport(ear.hub, hub.waiting, seconds, wrong.fired, hub.tally)
        for ear, hub, wrong in zip(plan.hubs, hubs, faults, strict=True)
    ]
    for outbox in outboxes:
        outbox.close()
    return reports


def _drive(plan: HubPlan, hubs: Sequence[Hub], stop: threading.Event) -> None:
    began, made, clock = time.monotonic(), 0, DeviceClock()
    most = plan.count * len(plan.meters)
    while not stop.is_set():
        now = time.monotonic() - began
        while made < min(most, int(now * plan.rate) + 1):
            meter = plan.meters[made % len(plan.meters)]
            record = meter.measure(clock.now())
            for hub in hubs:
                hub.hear(meter, record)
            made += 1
        done = made == most and all(hub.online and hub.waiting == 0 for hub in hubs)
        if done or (plan.deadline_s is not None and now > plan.deadline_s):
            return
        for hub in hubs:
            hub.step(_STEP_S / len(hubs))
