"""The loop that empties one destination's delivery rows.

Comes in: a ledger file, a record, a clock, chance. Goes out: PUTs, and rows that say what became of them. Refuses to
know: FHIR, HTTP, other destinations.

A round: what is due, in waves; each batch's outcomes are one short transaction, submitted while the next batch is on
its way, and all of them on disk before the next round looks at the ledger: nothing is sent again after a success was
read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from fhir_export.push import outcomes as settled
from fhir_export.push import rows
from fhir_export.push.circuit import SECOND, Circuit
from fhir_export.push.exchange import Counts, Exchange
from fhir_export.push.outcomes import Delivered, Outcome, Parked
from fhir_export.push.plan import Plan, asked, packs, plan
from fhir_export.push.port import Capability, Record, RecordUnavailable
from fhir_export.push.rows import Backlog, Due
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import OpenLedger
from ingest.ledger.sqlite import named_faults
from ingest.model import Instant

IDLE_S = 0.2
"""Seconds between two looks when nothing was due and nobody woke the loop."""
LEDGER_WAIT_S = 1.0
ALTERED = "ledger.altered"
"""Parked: the feed's row is not what was written; ``verify`` tells more."""


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
    how much waits, and from when (the alarm by age is the reader's: ``now - backlog.oldest``).
    """

    destination: str
    code: str | None
    since: Instant | None
    next_try: Instant
    backlog: Backlog


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
        self._capability: Capability | None = None

    def run(self, stop: threading.Event) -> None:
        """Deliver until ``stop``; returns within a request's time limits after it was set."""
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
        wait = self._circuit.wait(self._clock())
        capability = self._known_capability() if not wait else None
        if capability is None:
            return Step(wait_s=self._circuit.wait(self._clock()) / SECOND)
        due = self._due()
        outcomes: list[Outcome] = [Parked(one, ALTERED) for one in due if not one.intact]
        todo = self._plan([one for one in due if one.intact])
        writes = [self._settle(list(outcomes))] if outcomes else []
        writes += [self._defer(todo)] if todo.held else []
        try:
            for done, written in self._waves(todo, capability):
                outcomes += done
                writes.append(written)
        finally:
            for write in writes:
                write.result()
        return self._summary(outcomes, len(todo.held))

    @property
    def waits_because(self) -> str | None:
        """The code of what is wrong with the destination now; None while all goes well."""
        return self._circuit.code

    def health(self) -> Health:
        """The destination's state now; raises LedgerUnavailable."""
        with named_faults(), self._file.readers.connect() as connection:
            backlog = rows.backlog(connection, self.destination)
        circuit = self._circuit
        return Health(self.destination, circuit.code, circuit.since, circuit.until, backlog)

    def _known_capability(self) -> Capability | None:
        """What the record does; None while it does not tell, or refuses ids that are not its own."""
        if self._capability is None:
            try:
                self._capability = self._record.capability()
            except RecordUnavailable as fault:
                self._circuit.failed(self._clock(), fault.code)
        if self._capability is not None and not self._capability.client_ids:
            self._capability = None
            self._circuit.failed(self._clock(), "record.client_ids")
        return self._capability

    def _due(self) -> list[Due]:
        with named_faults(), self._file.readers.connect() as connection:
            return rows.due(connection, self.destination, self._clock())

    def _plan(self, due: list[Due]) -> Plan:
        identities = asked(due)
        if not identities:
            return plan(due, {}, self._clock())
        with named_faults(), self._file.readers.connect() as connection:
            return plan(due, rows.unconfirmed(connection, self.destination, identities), self._clock())

    def _waves(self, todo: Plan, capability: Capability) -> Iterator[tuple[list[Outcome], Future[None]]]:
        """Batch by batch: its outcomes, and the future that is done when they are on disk."""
        delivered: set[int] = set()
        for wave in todo.waves:
            ready = [planned.due for planned in wave if planned.needs <= delivered]
            for pack in packs(ready, batch=capability.batch):
                outcomes = self._exchange.carry(pack)
                delivered.update(outcome.due.position for outcome in outcomes if isinstance(outcome, Delivered))
                if outcomes:
                    yield outcomes, self._settle(outcomes)
                if self._circuit.open:
                    return

    def _settle(self, outcomes: list[Outcome]) -> Future[None]:
        now = self._clock()
        return self._file.writer.submit(
            lambda connection: settled.settle(connection, self.destination, outcomes, now, confirms=self._confirms)
        )

    def _defer(self, todo: Plan) -> Future[None]:
        return self._file.writer.submit(lambda connection: settled.defer(connection, self.destination, todo.held))

    def _summary(self, outcomes: list[Outcome], held: int) -> Step:
        delivered = sum(isinstance(outcome, Delivered) for outcome in outcomes)
        parked = sum(isinstance(outcome, Parked) for outcome in outcomes)
        idle = 0.0 if outcomes or held else IDLE_S
        return Step(delivered, parked, held, max(idle, self._circuit.wait(self._clock()) / SECOND))
