"""``constantes up``: starts the broker, the gateway and the office, and starts again whichever ends.

Comes in: settings. Goes out: a running installation, until it is asked to stop. Refuses to know: what the parts do.

It is small on purpose: nothing in it touches a message or the ledger. Every part is a process of its own, tied to this
one by the kernel (``gateway.broker.leash``): when this one is killed, however that happens, none is left behind.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from app import status, wiring
from app.parts import GATEWAY, OFFICE, CannotStart, only_one
from app.settings import Settings
from gateway.broker import leash
from gateway.broker.embedded import EmbeddedBroker
from gateway.broker.faults import BrokerFault
from gateway.broker.private_files import private_folder

_TURN_S = 0.1
_WAITS_S = (0.2, 5.0)  # between two starts of a part that keeps ending: doubled each time; devices wait meanwhile
_STABLE_S = 10.0  # a part that lived so long is started at once the next time
_STOP_S = 15.0
_READY_S = 60.0
_AWAY_S = 5.0  # after it the rest starts without what the gateway waits for: somebody else's broker, room on the disk
_DYING_S = 3.0  # the parts of a supervisor that was just killed are being killed too
_LOOK_S = 5.0  # between two looks whether the broker still takes messages
_SILENT = 6  # looks without an answer after which it is taken to hang

log = structlog.get_logger("up")


@dataclass(slots=True)
class Part:
    """A process that is kept running: ``start`` makes it, and again when it has ended."""

    name: str
    start: Callable[[], subprocess.Popen[bytes] | EmbeddedBroker]
    running: subprocess.Popen[bytes] | EmbeddedBroker | None = None
    _wait_s: float = _WAITS_S[0]
    since: float = 0.0
    _not_before: float = 0.0

    @property
    def pid(self) -> int | None:
        """The process id, None while it does not run."""
        return self.running.pid if self.running is not None and self.running.poll() is None else None

    def keep(self) -> bool:
        """Start it if it does not run and its time has come; returns whether it was started."""
        if self.pid is not None:
            return False
        clock = time.monotonic()
        if self.running is not None:
            self._wait_s = _WAITS_S[0] if clock - self.since > _STABLE_S else min(self._wait_s * 2, _WAITS_S[1])
            self._not_before, self.running = clock + self._wait_s, None
            log.warning("part ended", part=self.name, again_in_s=self._wait_s)
        if clock < self._not_before:
            return False
        try:
            self.running, self.since = self.start(), time.monotonic()
        except (BrokerFault, OSError) as fault:  # a machine short of memory or processes is asked again
            self._wait_s = min(self._wait_s * 2, _WAITS_S[1])
            self._not_before = time.monotonic() + self._wait_s
            log.warning("part did not start", part=self.name, problem=str(fault))
            return False
        return True

    def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        if isinstance(self.running, EmbeddedBroker):
            self.running.stop()
        elif self.running is not None and self.running.poll() is None:
            self.running.terminate()
            try:
                self.running.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.running.kill()
                self.running.wait()


@dataclass(slots=True)
class Look:
    """The look at a broker that runs and may yet take no messages: after a full disk, or when it hangs."""

    _next: float = 0.0
    _silent: int = 0

    def restart(self, broker: EmbeddedBroker) -> None:
        """Stop it, to be started anew, when only that can help."""
        if time.monotonic() < self._next:
            return
        try:
            stuck = broker.is_stuck()
            self._silent = 0
        except BrokerFault:
            self._silent += 1
            stuck = self._silent >= _SILENT
        if stuck:
            log.error("broker takes no messages", silent=self._silent > 0)
            broker.stop()
            self._silent = 0
        self._next = time.monotonic() + _LOOK_S


@dataclass(slots=True)
class Supervisor:
    """The parts of one installation, in the order in which they start."""

    settings: Settings
    parts: list[Part] = field(default_factory=list)
    _look: Look = field(default_factory=Look)

    def run(self, stop: threading.Event, ready: Callable[[], None] = lambda: None) -> int:
        """Keep everything running until ``stop`` is set; ``ready`` is called once, when all of it works.

        Called from the main thread. Raises CannotStart or BrokerFault when the first start is impossible.
        """
        with only_one(self.settings.data, "instance"):
            self._prepare()
            try:
                self._first_start(stop)
                is_told = False
                while not stop.is_set():
                    if not is_told and self._is_ready():
                        is_told = True
                        ready()
                    self._keep()
                    stop.wait(_TURN_S)
            finally:
                for part in reversed(self.parts):
                    part.stop()
                status.forget(self.settings.data)
        return 0

    def _prepare(self) -> None:
        settings = self.settings
        for part in (GATEWAY, "office", *OFFICE):
            _wait_for_the_dying(settings, part)
        _refuse_busy(settings.http.host, settings.http.port)
        with wiring.ledger(settings) as file:  # also says at once when it cannot be opened
            wiring.refuse_simulated(settings, file)
        status.forget(settings.data)
        with suppress(OSError):  # a part that can say nothing is not ready, and says so in its log
            status.folder(settings.data).mkdir(mode=0o700, parents=True, exist_ok=True)
        if settings.has_embedded_broker:
            private_folder(settings.broker_folder)
            self.parts.append(Part("broker", self._start_broker))
        self.parts.append(Part("gateway", lambda: _spawn("gateway")))
        self.parts.append(Part("office", lambda: _spawn("office")))

    def _start_broker(self) -> EmbeddedBroker:
        broker = EmbeddedBroker(self.settings.broker_folder, self.settings.broker.port)
        broker.start()
        return broker

    def _first_start(self, stop: threading.Event) -> None:
        """Start the parts one after the other, each when the one before works; what is impossible is said at once."""
        for part in self.parts:
            part.running, part.since = part.start(), time.monotonic()
            self._note_processes()
            if part.name != "broker":
                self._wait_until_ready(part, stop)

    def _wait_until_ready(self, part: Part, stop: threading.Event) -> None:
        end = time.monotonic() + _READY_S
        may_wait_for_broker = part.name == "gateway" and not self.settings.has_embedded_broker
        told: status.Status | None = None
        while not stop.wait(_TURN_S):
            told = status.read(self.settings.data, part.name)
            if told is not None and told.ready:
                return
            may_wait = told is not None and (may_wait_for_broker or told.connected)
            if may_wait and told is not None and time.monotonic() - part.since > _AWAY_S:
                log.warning("gateway waits", problem=told.problem)
                return
            if part.pid is None or time.monotonic() > end:
                why = told.problem if told and told.problem else "its own words stand above"
                raise CannotStart(
                    f"The {part.name} did not start: {why}. Everything was stopped again, and what was stored is safe. "
                    "Mend what it names and start again."
                )

    def _is_ready(self) -> bool:
        said = [status.read(self.settings.data, part.name) for part in self.parts if part.name != "broker"]
        return all(told is not None and told.ready for told in said)

    def _keep(self) -> None:
        """One turn: start again what has ended, and end what no longer works."""
        for part in self.parts:
            if isinstance(part.running, EmbeddedBroker):
                self._look.restart(part.running)
        if sum(part.keep() for part in self.parts):
            self._note_processes()

    def _note_processes(self) -> None:
        """Say which process is which, for people and for tests that end them."""
        status.note(self.settings.data, {part.name: part.pid for part in self.parts} | {"supervisor": os.getpid()})


def _spawn(part: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, leash.__file__, str(os.getpid()), sys.executable, "-m", "app", part]
    # A session of its own: Ctrl-C at the terminal reaches this process, which stops the others in order.
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)


def _wait_for_the_dying(settings: Settings, part: str) -> None:
    """Raise CannotStart when a part of this folder still runs after the time that the kernel takes to end it."""
    end = time.monotonic() + _DYING_S
    while True:
        try:
            with only_one(settings.data, part):
                return
        except CannotStart:
            if time.monotonic() > end:
                raise
        time.sleep(_TURN_S)


def _refuse_busy(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((host, port))
        except OSError as error:
            raise CannotStart(
                f"Port {port} of {host} cannot be used: {error.strerror}. Nothing was started. "
                "End the program that uses it, or set CONSTANTES_HTTP__PORT to a free port."
            ) from None
