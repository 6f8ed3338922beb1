"""Run simulated devices against a broker: they measure, publish, wait for their receipts, and can misbehave.

Comes in: a `Simulation` (what, where, how fast, how badly). Goes out: a `Report` of counts. Refuses to know: the
gateway, who the patient is. `constantes simulate` calls it; `python -m simulators.simulate` is the same alone.

A run ends when every reading is answered, at its deadline, or when it is stopped. Readings without an answer stay in
the outbox file and go out in the next run with the same file.
"""

from __future__ import annotations

import dataclasses
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from simulators.devices.client import Device
from simulators.devices.clock import DeviceClock, text
from simulators.devices.connection import Endpoint
from simulators.devices.diary import visits
from simulators.devices.instrument import Instrument
from simulators.devices.kinds import KINDS, identity
from simulators.devices.outbox import Outbox
from simulators.devices.tally import Manner, Tally
from simulators.faults import Misbehaviour, parse
from simulators.physiology.body import Body

_STEP_S = 0.05
_SILENCE_S = 3.0
"""Without a first connection after this, whoever asked is told why."""

Silence: TypeAlias = Callable[[str, str], None]
"""Told once a device, with its URL and the last problem of its line, that it reached no broker."""


class UnknownKindError(ValueError):
    """No simulator of this name; the message lists those there are."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """One device and its task.

    `rate` is readings a second; `count` None measures until stopped. `deadline_s` bounds the whole run, None never ends
    unanswered. `person` is the seed of whom it measures, `seed` when absent: devices of one `person` agree. `past` lets
    the readings lie in visits over so much time before now (needs `count`). `eui64` may be `auto`. `awaits_record` asks
    for `in_record` receipts and waits for them too. `recording` replaces the ECG cart's; `settings` are what else the
    kind's `build` can be told.
    """

    kind: str
    url: str
    device: str
    secret: str = field(repr=False)
    rate: float = 1.0
    count: int | None = 10
    seed: int = 0
    person: int | None = None
    faults: tuple[str, ...] = ()
    outbox: Path | None = None
    deadline_s: float | None = None
    eui64: str | None = None
    awaits_record: bool = False
    past: timedelta | None = None
    exam: str | None = None
    recording: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    marks: bool = False
    manner: Manner = field(default_factory=Manner)


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to; `waiting` readings have no final verdict yet and stay in the outbox."""

    kind: str
    device: str
    waiting: int
    seconds: float
    faults: Counter[str]
    clock_late_s: float
    tally: Tally

    @property
    def answered(self) -> bool:
        """Whether every reading has its final verdict."""
        return self.waiting == 0

    def document(self) -> dict[str, Any]:
        """For `--json`: counts only, ids as lists."""
        tally = {part.name: _plain(getattr(self.tally, part.name)) for part in dataclasses.fields(self.tally)}
        facts = {name: getattr(self, name) for name in ("kind", "device", "waiting", "seconds", "clock_late_s")}
        return {**facts, "answered": self.answered, "faults": dict(self.faults), **tally}


def _plain(value: object) -> object:
    """For JSON: sets as sorted lists."""
    return sorted(value) if isinstance(value, set) else value


def run(what: Simulation, stop: threading.Event | None = None, silence: Silence | None = None) -> Report:
    """Run one device to its end; raises ValueError (unknown kind or fault, unfit URL or recording).

    Ctrl-C (in the main thread) or `stop` ends it early and cleanly.
    """
    if what.kind not in KINDS:
        raise UnknownKindError(f"There is no simulator for this kind. Possible are: {', '.join(KINDS)}.")
    faults = Misbehaviour(tuple(map(parse, what.faults)), what.seed)
    at = Endpoint.of(what.url, what.device, what.secret)
    who = identity(what.kind, what.device, eui64=what.eui64, asks_record=what.awaits_record)
    late = faults.clock_late()
    clock = DeviceClock() if late is None else DeviceClock(ahead=-late, synced=False)
    source = _readings(what, clock)
    outbox = Outbox(what.outbox, marks=what.marks)
    device = Device(at, who, outbox, clock, faults, what.manner)
    began = time.monotonic()
    try:
        _drive(device, source, what, stop or threading.Event(), silence)
    finally:
        device.close()
        waiting = device.waiting
        outbox.close()
    seconds = round(time.monotonic() - began, 3)
    return Report(
        what.kind, what.device, waiting, seconds, faults.fired, (late or timedelta()).total_seconds(), device.tally
    )


def run_all(what: Sequence[Simulation], silence: Silence | None = None) -> list[Report]:
    """Run several devices at once, a thread each; Ctrl-C ends them all cleanly."""
    stop = threading.Event()
    with ThreadPoolExecutor(len(what)) as threads:
        running = [threads.submit(run, one, stop, silence) for one in what]
        try:
            return [one.result() for one in running]
        except KeyboardInterrupt:
            stop.set()
            return [one.result() for one in running]


def _drive(
    device: Device,
    source: Iterator[dict[str, Any]],
    what: Simulation,
    stop: threading.Event,
    silence: Silence | None,
) -> None:
    began = time.monotonic()
    more = True
    try:
        while not stop.is_set():
            now = time.monotonic() - began
            if silence is not None and now > _SILENCE_S:
                if device.tally.connects == 0:
                    silence(what.url, device.tally.problem or "")
                silence = None
            while more and now * what.rate >= device.tally.made:
                members = next(source, None)
                more = members is not None
                if members is not None:
                    device.take(members)
                device.step(0)
            if (not more and _done(device, what)) or (what.deadline_s is not None and now > what.deadline_s):
                return
            due_in = began + device.tally.made / what.rate - time.monotonic() if more else _STEP_S
            device.step(min(max(due_in, 0), _STEP_S))
    except KeyboardInterrupt:
        return


def _done(device: Device, what: Simulation) -> bool:
    """Everything answered, on a line: an empty outbox that never reached the gateway has said nothing yet."""
    confirmed = not what.awaits_record or device.tally.stored <= device.tally.in_record
    return device.online and device.waiting == 0 and confirmed


def _readings(what: Simulation, clock: DeviceClock) -> Iterator[dict[str, Any]]:
    """The members of each reading, measured when asked for."""
    make = KINDS[what.kind]
    instrument = _instrument(what)
    for at in _instants(what, clock):
        measured = instrument.measure(at)
        exam = {"exam": what.exam} if what.exam else {}
        yield {"kind": what.kind, "taken_at": text(at, make.timespec), **measured, **exam}


def _instrument(what: Simulation) -> Instrument:
    body = Body.of_seed(what.seed if what.person is None else what.person)
    played = {"recording": what.recording} if what.recording is not None and what.kind == "ecg" else {}
    return KINDS[what.kind].build(what.seed, body, **played, **what.settings)


def _instants(what: Simulation, clock: DeviceClock) -> Iterator[datetime]:
    if what.past is not None and what.count is not None:
        chance = random.Random(f"diary {what.seed}")
        yield from visits(what.count, clock.now(), what.past, KINDS[what.kind].per_visit, chance)
        return
    made = 0
    while what.count is None or made < what.count:
        yield clock.now()
        made += 1


def main(words: Sequence[str] | None = None) -> int:
    """The same without the rest of the program: one device, counts as JSON on standard output."""
    import argparse
    import json

    ask = argparse.ArgumentParser(prog="python -m simulators.simulate", description=__doc__)
    ask.add_argument("kind", choices=sorted(KINDS))
    ask.add_argument("--url", default="mqtt://127.0.0.1:1883")
    ask.add_argument("--device", required=True)
    ask.add_argument("--secret-file", type=Path, required=True, help="a file that holds the device's secret alone")
    ask.add_argument("--rate", type=float, default=1.0)
    ask.add_argument("--count", type=int, default=10)
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--fault", action="append", default=[])
    ask.add_argument("--outbox", type=Path)
    ask.add_argument("--deadline", type=float)
    given = ask.parse_args(words)
    report = run(
        Simulation(
            given.kind,
            given.url,
            given.device,
            given.secret_file.read_text().strip(),
            rate=given.rate,
            count=given.count,
            seed=given.seed,
            faults=tuple(given.fault),
            outbox=given.outbox,
            deadline_s=given.deadline,
        )
    )
    print(json.dumps(report.document()))  # noqa: T201 - the answer of a command
    return 0 if report.answered else 1


if __name__ == "__main__":
    raise SystemExit(main())
