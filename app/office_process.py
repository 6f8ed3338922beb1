"""The office as a process: publishing, delivering, projecting, answering HTTP. Everything but taking messages in.

Comes in: settings. Goes out: an exit code. Refuses to know: MQTT messages.

It runs in a process of its own, so that pulls, deliveries and audit never make
a device wait for its receipt (decision record 0003).
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import structlog

from app import projecting, status, waiting, wiring
from app.clock import is_disciplined, now
from app.health import Watched
from app.memory import collect_rarely
from app.parts import OFFICE, only_one
from app.pruning import prune_hourly
from app.settings import Settings
from app.voice import Voice
from app.writes import Writes
from fhir_export.destinations import Dispatch
from fhir_export.publish import Publisher
from fhir_export.push.delivery import Delivery
from fhir_export.push.server import FhirServer
from fhir_export.push.statement import meaning
from fhir_export.structure import load_models
from ingest.inspection.inspector import Inspector
from ingest.ledger.files import OpenLedger
from ingest.ledger.sealing import Sealer
from ingest.sandbox import Sandbox
from registry.rejudging import Rejudge
from registry.replaying import SetAside

_SWITCH_S = 0.0005  # the thread that holds the ledger's lock must not stand in line behind mapping (Python: 5 ms)
_TELL_S, _TELL_SOON_S = 1.0, 0.1
_GRACE_S = 4.0

log = structlog.get_logger("office")


@dataclass(frozen=True, slots=True)
class _Work:
    """A loop in a thread of its own, and how it says why it does not go on."""

    name: str
    run: Callable[[threading.Event], None]
    problem: Callable[[], str | None] = lambda: None


def run(settings: Settings, stop: threading.Event, parts: Sequence[str] = OFFICE) -> int:
    """Do the work of ``parts`` until ``stop`` is set; returns 1 when a supervisor should start it again."""
    sys.setswitchinterval(_SWITCH_S)
    load_models()
    collect_rarely()
    name = "office" if tuple(parts) == OFFICE else parts[0]
    with ExitStack() as held:
        for each in dict.fromkeys((name, *parts)):  # also the office's parts, one by one: none runs twice on a folder
            held.enter_context(only_one(settings.data, each))
        file = held.enter_context(waiting.ledger(settings, name, stop))
        return 0 if file is None else _run(settings, name, parts, file, stop)


def _run(settings: Settings, name: str, parts: Sequence[str], file: OpenLedger, stop: threading.Event) -> int:
    work = [each for part in parts for each in _WORK[part](settings, file)]
    threads = {each.name: threading.Thread(target=each.run, args=(stop,), name=each.name, daemon=True) for each in work}
    for thread in threads.values():
        thread.start()
    code = _watch(settings, name, work, threads, Writes(file, name, now), stop)
    stop.set()
    end = time.monotonic() + _GRACE_S
    for thread in threads.values():  # a delivery may be waiting for a record: sent again, it changes nothing
        thread.join(max(0.0, end - time.monotonic()))
    return code


def _export(settings: Settings, file: OpenLedger) -> list[_Work]:
    """The publisher and one delivery for each record that has an address."""
    wiring.refuse_simulated(settings, file)
    dispatch = Dispatch(wiring.destinations(settings))
    publisher = Publisher(
        file, wiring.deployment(settings), dispatch, now, disciplined=lambda: is_disciplined(settings.clock.disciplined)
    )
    deliveries = [
        Delivery(
            file,
            name,
            FhirServer(record.url or "", record.token_file),
            now,
            random.random,
            confirms=name == "record",
        )
        for name, record in settings.destinations.items()
    ]

    def wake() -> None:
        for delivery in deliveries:
            delivery.wake.set()

    work = [_Work("publish", lambda stop: publisher.run(stop, wake), lambda: publisher.problem)]
    work += [_Work(f"deliver-{each.destination}", each.run) for each in deliveries]
    return [*work, _Work("watch-destinations", lambda stop: _watch_destinations(settings, deliveries, stop))]


def _watch_destinations(settings: Settings, deliveries: Sequence[Delivery], stop: threading.Event) -> None:
    """Say once when a destination begins to wait, why, and when it goes on; and what it lacks, by its own word."""
    said: dict[str, str | None] = {}
    lacked: dict[str, tuple[str, ...]] = {}
    began: dict[str, float] = {}
    while not stop.wait(_TELL_S):
        for each in deliveries:
            why, name = each.waits_because, status.destination(each.destination)
            since = None if why is None else began.setdefault(name, time.time())
            if why is None:
                began.pop(name, None)
            status.tell(settings.data, name, ready=why is None, problem=why, since=since)
            for lack in set(each.lacks) - set(lacked.get(each.destination, ())):
                log.warning("destination lacks", name=each.destination, lack=lack, meaning=meaning(lack))
            lacked[each.destination] = each.lacks
            if said.get(each.destination) != each.waits_because:
                said[each.destination] = each.waits_because
                log.warning("destination", name=each.destination, waits_because=each.waits_because or "goes on")


def _inspect(settings: Settings, file: OpenLedger) -> list[_Work]:
    """Contents that have come, in the limited child; what is judged again; the care of the ledger: seals, retention."""
    sandbox = Sandbox()
    inspector = Inspector(file, sandbox, now)

    def run(stop: threading.Event) -> None:
        with sandbox:
            inspector.run(stop)

    sealer = Sealer(file, now)
    again = Rejudge(SetAside(file, now, wiring.rules(settings)), now)
    work = [_Work("inspect", run, lambda: inspector.problem), _Work("seal", sealer.run, lambda: sealer.problem)]
    work.append(_Work("judge-again", again.run, lambda: again.problem))
    return [*work, _Work("prune", lambda stop: prune_hourly(settings, file, stop))]


def _project(settings: Settings, file: OpenLedger) -> list[_Work]:
    """The projector; what keeps it from its series is told by itself and makes nothing unready."""
    projector = projecting.projector(settings, file)
    return [
        _Work("project", projector.run),
        _Work("watch-series", lambda stop: projecting.watch(settings, file, projector, stop)),
    ]


def _api(settings: Settings, file: OpenLedger) -> list[_Work]:
    from app.server import Server

    server, watched = Server(settings, file), Watched(file)
    return [
        _Work("http", server.run, lambda: None if server.is_open else "it does not answer yet"),
        _Work("watch-ledger", watched.run, lambda: watched.problem),
    ]


_WORK: dict[str, Callable[[Settings, OpenLedger], list[_Work]]] = {
    "inspect": _inspect,
    "export": _export,
    "project": _project,
    "api": _api,
}


def _watch(
    settings: Settings,
    name: str,
    work: Sequence[_Work],
    threads: dict[str, threading.Thread],
    writes: Writes,
    stop: threading.Event,
) -> int:
    """Tell how it goes every second; a loop that ended by itself ends the process, so that it is started anew."""
    voice = Voice(settings.data, name)
    while True:
        dead = [thread for thread, handle in threads.items() if not handle.is_alive()]
        problem = next((found for each in work if (found := each.problem())), None) or writes.file.writer.problem
        if dead and not stop.is_set():
            log.error("a loop has ended", loop=dead[0])
            voice.tell(ready=False, problem=f"{dead[0]} has ended")
            return 1
        voice.tell(ready=problem is None, problem=problem)
        if writes.look():
            return 1
        if stop.wait(_TELL_S if problem is None else _TELL_SOON_S):
            return 0
