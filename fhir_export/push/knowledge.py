"""What a destination said that it does, and when it is asked again.

Comes in: a record, its circuit, what was surprising. Goes out: a ``Capability`` that still holds, or none. Refuses to
know: rows, what a capability consists of.

It is remembered: HAPI's statement is 1.5 MB and takes it seconds. It is asked again after an absence in which the
server may have been replaced, and after an answer that does not fit what was said, though not with each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fhir_export.push.answers import SURPRISES
from fhir_export.push.circuit import SECOND, Circuit
from fhir_export.push.exchange import Counts
from fhir_export.push.port import Capability, Record, RecordUnavailable
from ingest.model import Instant

ABSENCE = 60 * SECOND
"""So long away, and it may come back as another."""
SOONEST = 60 * SECOND
"""Between two questions that surprises lead to."""


@dataclass(slots=True)
class Knowledge:
    """``said`` is the last statement that was read, ``renewed`` whether it has been since this was last looked at."""

    record: Record
    circuit: Circuit
    counts: Counts
    clock: Callable[[], Instant]
    said: Capability | None = None
    renewed: bool = False
    _at: Instant = 0
    _surprises: int = 0

    def current(self) -> Capability | None:
        """What the destination does; None while it does not tell, or what it tells makes sending useless."""
        if self.said is None or self.said.unfit is not None or self._outlived():
            self._ask()
        if self.said is None or self.said.unfit is None:
            return self.said
        self.circuit.failed(self.clock(), self.said.unfit)
        return None

    def _ask(self) -> None:
        self._surprises = self._surprising()
        try:
            self.said, self._at, self.renewed = self.record.capability(), self.clock(), True
        except RecordUnavailable as fault:
            self.said = None
            self.circuit.failed(self.clock(), fault.code)

    def _outlived(self) -> bool:
        now, since = self.clock(), self.circuit.since
        absent = since is not None and self._at < since + ABSENCE <= now
        return absent or (self._surprising() > self._surprises and now >= self._at + SOONEST)

    def _surprising(self) -> int:
        return sum(self.counts.codes[code] for code in SURPRISES)
