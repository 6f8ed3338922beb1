"""The gateway as a process: from the broker to the ledger and back to the device, and nothing else.

Comes in: settings. Goes out: an exit code; 0 when asked to stop, 1 when a supervisor should start it again. Refuses to
know: FHIR, HTTP, patients.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import structlog
from prometheus_client import CollectorRegistry, write_to_textfile

from app import broker, status, waiting
from app.clock import is_disciplined, now
from app.memory import collect_rarely
from app.parts import GATEWAY as PART
from app.parts import only_one
from app.settings import Settings
from app.voice import Voice
from app.writes import Writes, no_file_can_be_opened
from gateway.broker.faults import BrokerFault
from gateway.consumer import Consumer
from gateway.counts import Counts
from gateway.events import Events
from gateway.flood import Flood, Limit
from gateway.mqtt import MqttSource
from gateway.rounds import Rounds
from ingest.ledger.faults import LedgerFault
from ingest.ledger.files import OpenLedger
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.reserve import Reserve

_PATIENCE_S = 120.0  # without a broker; then the process ends and a supervisor starts it anew
_TELL_S = 1.0
_TURN_S = 0.1
_TRY_AGAIN_S = 2.0
_GRACE_S = 2.0  # for what was taken to be finished, when the program ends
_DAY = 86_400_000_000  # microseconds
_AWAY = "the broker does not answer"

log = structlog.get_logger(PART)


def run(settings: Settings, stop: threading.Event) -> int:
    """Take, keep and answer messages until ``stop`` is set."""
    collect_rarely()
    with only_one(settings.data, PART), waiting.ledger(settings, PART, stop) as file:
        if file is None:
            return 0
        doorman = Doorman(settings, file)
        _shut(doorman, settings, stop)
        reserve = Reserve(settings.ledger_path.parent, settings.ledger.reserve_mib << 20)
        ledger, counted = RelationalLedger(file, reserve), CollectorRegistry()
        events = Events(now, last_kept=ledger.last_kept())
        source = MqttSource(broker.account(settings), doorman.knock, events.session_lost)
        consumer = Consumer(
            source,
            ledger,
            now,
            disciplined=lambda: is_disciplined(settings.clock.disciplined),
            counts=Counts(counted),
            oldest=settings.clock.oldest_days * _DAY,
            flood=Flood(Limit(settings.flow.device_rate, settings.flow.device_burst)),
            events=events,
        )
        rounds = Rounds(source, ledger, now, events)
        threads = [
            threading.Thread(target=target, args=(stop,), name=name, daemon=True)
            for name, target in (("consumer", consumer.run), ("rounds", rounds.run), ("doorman", doorman.run))
        ]
        for thread in threads:
            thread.start()
        writes = Writes(file, PART, now)

        def unkept() -> str | None:
            return consumer.problem or reserve.problem or file.writer.problem

        code = _watch(settings, source, unkept, writes, threads, counted, stop)
        stop.set()
        for thread in threads[:2]:  # not the doorman, who may be waiting for a broker: what he writes is whole or not
            thread.join(_GRACE_S)
        file.writer.close()  # who still waits for a commit, which may be waiting for its standby, is told
        for thread in threads[:2]:
            thread.join()
        source.close()
    return code


class Doorman:
    """Lets devices in after each subscription: what they publish before the first would be acknowledged and lost."""

    def __init__(self, settings: Settings, file: OpenLedger) -> None:
        self._settings, self._file = settings, file
        self._knocked = threading.Event()
        self._is_shut = True
        self.problem: str | None = None

    def shut_before_first(self) -> None:
        """At somebody else's broker, keep devices out until the gateway has subscribed there once.

        That broker may not run yet. The files then hold at its start, and ``run`` tells it again meanwhile.
        """
        if not self._settings.has_embedded_broker and not broker.had_subscription(self._settings):
            self._shut()

    def knock(self) -> None:
        """The subscription stands; called in the network thread, so it only leaves a note."""
        self._knocked.set()

    def run(self, stop: threading.Event) -> None:
        """Open the door for every active device whenever the subscription was made anew."""
        while not stop.is_set():
            if not self._knocked.wait(_TELL_S if self._is_shut else _TRY_AGAIN_S):
                if not self._is_shut:
                    self._shut()
                continue
            self._knocked.clear()
            self._is_shut = True  # what follows replaces that list
            try:
                if not self._settings.has_embedded_broker:  # first: a device added from now on is told by the office
                    broker.note_subscription(self._settings)
                self._open()
                self.problem = None
            except (BrokerFault, LedgerFault) as fault:
                self.problem = fault.happened
                log.warning("devices not let in", problem=fault.happened)
                stop.wait(_TRY_AGAIN_S)
                self._knocked.set()

    def _shut(self) -> None:
        try:
            broker.gate(self._settings).admit(())
            self._is_shut, self.problem = True, None
        except BrokerFault as fault:
            if self.problem != fault.happened:  # once, not at each try
                log.warning("devices not shut out yet", problem=fault.happened)
            self._is_shut, self.problem = False, fault.happened

    def _open(self) -> None:
        """Let in whoever is registered; again if that changed, so that an older list never has the last word."""
        users = None
        while users != (latest := broker.users(self._file)):
            users = latest
            broker.gate(self._settings).admit(users)
        if not broker.can_reload(self._settings):
            log.warning(
                "broker not told of devices", remedy="reload it by hand, or set CONSTANTES_MQTT__RELOAD_COMMAND"
            )


def _shut(doorman: Doorman, settings: Settings, stop: threading.Event) -> None:
    """Keep devices out until the first subscription; whoever sets ``stop`` need not wait for a broker that is away."""
    shutting = threading.Thread(target=doorman.shut_before_first, name="shut", daemon=True)
    shutting.start()
    while shutting.is_alive() and not stop.wait(_TURN_S):
        status.tell(settings.data, PART, ready=False, problem=doorman.problem or _AWAY, connected=False)


def _watch(
    settings: Settings,
    source: MqttSource,
    unkept: Callable[[], str | None],
    writes: Writes,
    threads: list[threading.Thread],
    counted: CollectorRegistry,
    stop: threading.Event,
) -> int:
    """Tell how it goes every second; returns 1 when only a new process can help."""
    voice = Voice(settings.data, PART)
    while not stop.wait(_TELL_S if source.connected() else _TURN_S):
        stalled = source.stalled(_PATIENCE_S)
        dead = [thread.name for thread in threads if not thread.is_alive()]
        away = None if source.connected() else _AWAY
        problem = stalled or unkept() or no_file_can_be_opened() or source.problem or away
        if dead:
            problem = f"the {dead[0]} has ended"
        connected = source.connected()
        voice.tell(ready=connected and problem is None, problem=problem, connected=connected)
        with suppress(OSError):  # a full disk must not end what keeps readings
            write_to_textfile(str(status.counts_file(settings.data)), counted)
        if stalled or dead:
            log.error("gateway stalled", problem=problem)
            return 1
        if writes.look():
            return 1
    return 0
