"""What somebody at the site has mended is judged again by itself (device contract, section 8, action ``operator``).

Comes in: a ledger whose registry changes. Goes out: decisions on messages of devices that are registered now, and of
hubs that may speak now. Refuses to know: who changed it, how a message is judged.

Nothing is queued: what has to be judged again is found by what the tables say, at the start, when the registry changes,
and once a minute for messages that came while it did. A message is handled once, because its reason cannot stay the
same; so a process that ends in between loses nothing, and a second one does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from ingest.ledger.engine import named_faults
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.replay_facts import SERVED
from ingest.model import Instant
from registry.replaying import SetAside

WHO = "@registry"
"""Stands in the decisions for what follows from the registry by itself; no client can be named so."""
_EVERY_S, _PASS = 1.0, 60 * 1_000_000
_MANY = 32
_REGISTRY = """
SELECT (SELECT count(*) FROM device), (SELECT max(added_at) FROM device),
       (SELECT count(*) FROM serves), (SELECT max(made_at) FROM serves)
"""
_READY = f"""
SELECT q.position FROM quarantine q JOIN journal j ON j.position = q.position JOIN device d ON d.device = q.device
WHERE q.state = 'waiting' AND j.channel = 'reading' AND j.size <= 1000000 AND j.payload IS NOT NULL AND q.position > ?
AND (q.reason = 'device.unknown'
     OR (q.reason = 'device.not_served' AND {SERVED.format(device="q.device", hub="j.hub", at="j.received_at")}))
ORDER BY q.position LIMIT ?
"""  # noqa: S608 - the condition of the facts


@dataclass(slots=True)
class Rejudge:
    """One loop over one ledger."""

    aside: SetAside
    now: Callable[[], Instant]
    problem: str | None = None
    _seen: Sequence[Any] | None = None
    _began: Instant = 0
    _after: int = field(default=0)

    def run(self, stop: Event) -> None:
        """Work until ``stop`` is set."""
        while not stop.is_set():
            try:
                while self.step() and not stop.is_set():
                    pass
                self.problem = None
            except LedgerUnavailable as fault:
                self.problem = fault.happened
            stop.wait(_EVERY_S)

    def step(self) -> int:
        """Judge the next few again; returns how many, 0 when none waits for it. Raises LedgerUnavailable."""
        with named_faults(), self.aside.file.readers.connect() as connection:
            seen = tuple(connection.exec_driver_sql(_REGISTRY).one())
            now = self.now()
            if seen != self._seen or now > self._began + _PASS:
                self._seen, self._began, self._after = seen, now, 0
            elif self._after < 0:
                return 0
            places = connection.exec_driver_sql(_READY, (self._after, _MANY)).scalars().all()
        self._after = places[-1] if places else -1
        self.aside.replay_these(places, WHO)
        return len(places)
