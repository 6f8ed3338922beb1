"""The loop that empties one destination's delivery rows.

Comes in: a ledger file, a record, a clock, chance. Goes out: PUTs, and rows that say what became of them. Refuses to
know: FHIR, HTTP, other destinations.

A round: what is due, in waves; outcomes are written in short transactions, submitted while the next batch is on its
way, and all of them on disk before the next round looks at the ledger: nothing is sent again after a success was read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from fhir_export.push import outcomes as settled
from fhir_export.push import rows
from fhir_export.push.circuit import SECOND, Circuit
from fhir_export.push.exchange import Counts, Exchange
from fhir_export.push.forgotten import Forgotten
from fhir_export.push.knowledge import Knowledge
from fhir_export.push.outcomes import Delivered, Outcome, Parked
from fhir_export.push.plan import Plan, asked, links, packs, plan
from fhir_export.push.port import Capability, Record, RecordUnavailable
from fhir_export.push.rows import Backlog, Due
from fhir_export.push.statement import NOT_TAKEN
from ingest.ledger.engine import named_faults
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import OpenLedger
from ingest.model import Instant

IDLE_S = 0.2
"""Seconds between two looks when nothing was due and nobody woke the loop."""
LEDGER_WAIT_S = 1.0
TOGETHER, SOON = 300, SECOND // 20
"""Outcomes that share a transaction, at most: 4 ms of the ledger's time. Microseconds that they wait for each other."""
ALTERED = "ledger.altered"
"""Parked: the feed's row is not what was written; ``verify`` tells more."""
UNREACHABLE = "record.unreachable"


@dataclass(frozen=True, slots=True)
class Step:
    """What a round did: resources delivered and parked, rows set back, and seconds until the next makes sense."""

    delivered: int = 0
    parked: int = 0
    held: int = 0
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Health:
    """A destination's state, to be shown and alarmed on.

    ``code``: what is wrong since ``since``, None when nothing is; ``next_try``: when it is tried again; ``backlog``:
    how much waits, and from when (the alarm by age is the reader's: ``now - backlog.oldest``); ``lacks``: what is
    missing or wrong by the destination's own word (``statement.LACKS``).
    """

    destination: str
    code: str | None
    since: Instant | None
    next_try: Instant
    backlog: Backlog
    lacks: tuple[str, ...] = ()


class Delivery:
    """Deliveries to one destination; ``counts`` and ``health()`` may be read from any thread.

    ``clock`` gives the instant, ``random`` numbers in [0, 1). ``confirms``: this destination is the one whose
    confirmation devices are told (rows in CONFIRMED). Set ``wake`` after a commit that made something due.
    """

    def __init__(
        self,
        file: OpenLedger,
        destination: str,
        record: Record,
        clock: Callable[[], Instant],
        random: Callable[[], float],
        *,
        confirms: bool = True,
    ) -> None:
        self.destination = destination
        self.wake = threading.Event()
        self.counts = Counts()
        self._file, self._record, self._clock, self._confirms = file, record, clock, confirms
        self._circuit = Circuit(random)
        self._exchange = Exchange(record, self._circuit, self.counts, clock, file.blobs)
        self._knowledge = Knowledge(record, self._circuit, self.counts, clock)
        self._forgotten = Forgotten(file, destination, record)
        self._stop = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Deliver until ``stop``; returns within a request's time limits after it was set."""
        self._stop = stop
        while not stop.is_set():
            try:
                wait = self.step().wait_s
            except LedgerUnavailable:
                wait = LEDGER_WAIT_S  # rows are as they were: what was sent is sent again
            if wait and not stop.is_set():
                self.wake.wait(min(wait, IDLE_S))
                self.wake.clear()

    def step(self) -> Step:
        """One round; raises LedgerUnavailable."""
        capability = self._ready()
        if capability is None:
            return Step(wait_s=self._circuit.wait(self._clock()) / SECOND)
        due = self._due()
        refused = {one.position: Parked(one, code) for one in due if (code := _unsendable(one, capability))}
        outcomes: list[Outcome] = list(refused.values())
        todo = self._plan([one for one in due if one.position not in refused])
        writes = self._defer(todo)
        unwritten, since = list(outcomes), self._clock()
        try:
            for done in self._waves(todo, capability):
                outcomes += done
                unwritten += done
                if len(unwritten) >= TOGETHER or self._clock() > since + SOON:
                    writes.append(self._settle(unwritten))
                    unwritten, since = [], self._clock()
        finally:
            writes += [self._settle(unwritten)] if unwritten else []
            for write in writes:
                write.result()
        return self._summary(outcomes, len(todo.held))

    @property
    def waits_because(self) -> str | None:
        """The code of what is wrong with the destination now; None while all goes well."""
        return self._circuit.code

    @property
    def lacks(self) -> tuple[str, ...]:
        """What the destination lacks by its own word: codes of ``statement.LACKS``, a type behind a colon."""
        return self._knowledge.said.lacks if self._knowledge.said is not None else ()

    def health(self) -> Health:
        """The destination's state now; raises LedgerUnavailable."""
        with named_faults(), self._file.readers.connect() as connection:
            backlog = rows.backlog(connection, self.destination)
        circuit = self._circuit
        return Health(self.destination, circuit.code, circuit.since, circuit.until, backlog, self.lacks)

    def _ready(self) -> Capability | None:
        """What the destination does, once it may be spoken to and holds what it confirmed last; else None."""
        if self._circuit.code == UNREACHABLE:
            self._forgotten.suspect()
        if self._circuit.wait(self._clock()) or (capability := self._knowledge.current()) is None:
            return None
        if self._knowledge.renewed:
            now, types = self._clock(), capability.types
            self._file.writer.write(lambda c: settled.release(c, self.destination, NOT_TAKEN, types, now))
            self._knowledge.renewed = False
        looked = self._forgotten.looked
        try:
            if self._forgotten.look(self._clock()):
                self._circuit.worked()
        except RecordUnavailable as fault:
            if self._forgotten.looked > looked:  # some were answered: it is there, and the pauses begin anew
                self._circuit.worked()
            self._circuit.failed(self._clock(), fault.code)
            return None
        return capability if self._forgotten.certain else None

    def _due(self) -> list[Due]:
        with named_faults(), self._file.readers.connect() as connection:
            return rows.due(connection, self.destination, self._clock())

    def _plan(self, due: list[Due]) -> Plan:
        linked = links(due)
        identities = asked(due, linked)
        if not identities:
            return plan(due, linked, {}, self._clock())
        with named_faults(), self._file.readers.connect() as connection:
            waiting = rows.unconfirmed(connection, self.destination, identities)
        return plan(due, linked, waiting, self._clock())

    def _waves(self, todo: Plan, capability: Capability) -> Iterator[list[Outcome]]:
        """The outcomes, batch by batch."""
        delivered: set[int] = set()
        for wave in todo.waves:
            ready = [planned.due for planned in wave if planned.needs <= delivered]
            for pack in packs(ready, batch=capability.together):
                outcomes = self._exchange.carry(pack)
                delivered.update(outcome.due.position for outcome in outcomes if isinstance(outcome, Delivered))
                yield outcomes
                if self._circuit.open or self._stop.is_set():
                    return

    def _settle(self, outcomes: list[Outcome]) -> Future[None]:
        now = self._clock()
        return self._file.writer.submit(
            lambda connection: settled.settle(connection, self.destination, outcomes, now, confirms=self._confirms)
        )

    def _defer(self, todo: Plan) -> list[Future[None]]:
        held = list(todo.held.items())
        parts = [dict(held[start : start + TOGETHER]) for start in range(0, len(held), TOGETHER)]
        defer = partial(settled.defer, destination=self.destination)
        return [self._file.writer.submit(partial(defer, held=part)) for part in parts]

    def _summary(self, outcomes: list[Outcome], held: int) -> Step:
        delivered = sum(isinstance(outcome, Delivered) for outcome in outcomes)
        parked = sum(isinstance(outcome, Parked) for outcome in outcomes)
        idle = 0.0 if outcomes or held else IDLE_S
        return Step(delivered, parked, held, max(idle, self._circuit.wait(self._clock()) / SECOND))


def _unsendable(one: Due, capability: Capability) -> str | None:
    """Why a row is parked before it is sent, if it is."""
    if not one.intact:
        return ALTERED
    return None if capability.takes(one.outgoing.type) else NOT_TAKEN
