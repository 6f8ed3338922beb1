"""From accepted readings to resource versions: attribute, map once, append to the feed, make deliveries due.

Comes in: new journal rows, and what became due again (an assignment made later, a clock settled, a person changed, a
reading taken back). Goes out: rows of ``feed``, ``delivery``, ``attribution`` and ``inbox``, and the cursor, in one
transaction. Refuses to know: how a resource is built (``rounds``), HTTP, who reads the feed.

A round is built before the transaction and written inside it, unless a fact it stands on has changed in between: then
nothing is written and the next round looks again. So a reading that goes to the inbox just as its assignment is made is
not forgotten there, one whose assignment just ended is given to nobody, and a second publisher does no harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

from sqlalchemy import Connection

from fhir_export.destinations import Dispatch
from fhir_export.feed import append
from fhir_export.model import Deployment
from fhir_export.referred import Referred
from fhir_export.rounds import CURSOR_NAME, Builder, Round, stands
from ingest.ledger import alarms
from ingest.ledger.engine import named_faults
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import OpenLedger
from ingest.ledger.schema import DUE
from ingest.model import Instant

_ROUND = 10  # readings a round: a transaction of 3 to 4 ms, for which every receipt may have to wait
_IDLE_S = 0.1
_REFUSED_AGAIN = """
INSERT INTO due (what, ref) SELECT 'reading', CAST(i.position AS TEXT) FROM inbox i
WHERE i.why IN ('mapping.refused', 'patient.differs', 'content.missing', 'blob.claimed_twice', 'ledger.row_changed')
AND NOT EXISTS (SELECT 1 FROM due d WHERE d.what = 'reading' AND d.ref = CAST(i.position AS TEXT))
"""
_DAMAGED = """
INSERT INTO inbox (position, device, why, since) SELECT position, device, 'ledger.row_changed', ? FROM reading
WHERE position = ? ON CONFLICT (position) DO UPDATE SET why = excluded.why
"""
_NEWEST = "SELECT kept_at FROM journal ORDER BY position DESC LIMIT 1"
_CURSOR = "INSERT INTO cursor VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET position = excluded.position"
_BUSY = 2_000_000  # us: a reading that came so lately says that devices are sending
_REST = 1.5  # of the time a round took, while devices are sending: they wait for the processor, a backlog can wait


class Publisher:
    """One loop over one ledger and its blobs."""

    def __init__(
        self,
        file: OpenLedger,
        deployment: Deployment,
        dispatch: Dispatch,
        now: Callable[[], Instant],
        *,
        disciplined: Callable[[], bool],
    ) -> None:
        self._file, self._dispatch, self._now = file, dispatch, now
        self._builder = Builder(deployment, now, disciplined, Referred(deployment), file.blobs.read)
        self._busy = False
        self.problem: str | None = None

    def run(self, stop: Event, published: Callable[[], None] = lambda: None) -> None:
        """Publish until ``stop`` is set; ``published`` is called after each round that wrote something."""
        opened = False
        while not stop.is_set():
            found = 0
            try:
                if not opened:
                    self._write(self._open)
                    opened = True
                began = time.monotonic()
                found = self.step()
                self.problem = None
            except LedgerUnavailable as fault:
                self.problem = fault.happened
            if found:
                published()
                if self._busy:
                    stop.wait(_REST * (time.monotonic() - began))
            else:
                stop.wait(_IDLE_S)

    def step(self, most: int = _ROUND) -> int:
        """Publish up to ``most`` readings; returns how many readings and due rows were looked at, 0 when none waits.

        Raises LedgerUnavailable.
        """
        with named_faults(), self._file.readers.connect() as connection:
            found = self._builder.look(connection, most)
            newest = connection.exec_driver_sql(_NEWEST).scalar()
        self._busy = newest is not None and newest > self._now() - _BUSY
        if found is None:
            return 0
        self._write(lambda connection: self._keep(connection, found))
        return found.size

    def _open(self, connection: Connection) -> None:
        """What waits for a destination, for the mend of a mapping or of a file, is looked at anew by each process."""
        self._dispatch.open(connection, self._now())
        connection.exec_driver_sql(_REFUSED_AGAIN)

    def _write(self, job: Callable[[Connection], None]) -> None:
        try:
            self._file.writer.write(job)
        except BaseException:
            self._dispatch.forget()
            raise

    def _keep(self, connection: Connection, found: Round) -> None:
        if not stands(connection, found.ground):
            return
        now = self._now()
        self._dispatch.add(connection, append(connection, found.versions, now), now)
        _keep_attributions(connection, found, now)
        _keep_doubts(connection, found, now)
        _keep_damaged(connection, found, now)
        if any(what in ("device", "patient", "retraction") for _, what, _ in found.ground.due):
            connection.exec_driver_sql(_REFUSED_AGAIN)  # it may have been this person or device
        if found.ground.due:
            connection.execute(
                DUE.delete().where(DUE.c.position.in_([position for position, _, _ in found.ground.due]))
            )
        connection.exec_driver_sql(_CURSOR, (CURSOR_NAME, found.cursor))


def _keep_attributions(connection: Connection, found: Round, now: Instant) -> None:
    if found.retracted:
        connection.exec_driver_sql(
            "UPDATE attribution SET retracted_at = ? WHERE position = ? AND retracted_at IS NULL",
            [(now, position) for position in found.retracted],
        )
        # Its last word came while it was on its way to somebody else.
        connection.exec_driver_sql("DELETE FROM inbox WHERE position = ?", [(at,) for at in found.retracted])
    rows = [
        (position, a.attribution, a.patient, a.reading.timing.used, str(a.reading.timing.mark), now, None)
        for position, a in found.attributed
    ]
    if rows:
        connection.exec_driver_sql("INSERT INTO attribution VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        connection.exec_driver_sql("DELETE FROM inbox WHERE position = ?", [(row[0],) for row in rows])


def _keep_doubts(connection: Connection, found: Round, now: Instant) -> None:
    rows = [(each.position, each.reading.key.device, str(why), now) for each, why in found.doubtful]
    if rows:
        connection.exec_driver_sql(
            "INSERT INTO inbox (position, device, why, since) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (position) DO UPDATE SET why = excluded.why",
            rows,
        )


def _keep_damaged(connection: Connection, found: Round, now: Instant) -> None:
    """What was changed since it was written waits for a person, by its bare row: no word of it is trusted."""
    for position in found.damaged:
        connection.exec_driver_sql(_DAMAGED, (now, position))
        alarms.note(connection, "ledger.row_changed", "reading", now)
