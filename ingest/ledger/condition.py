"""What a writer holds of its disk: well, failing for now, in doubt since a flush failed, or lost to this process.

Comes in: how each commit and checkpoint went. Goes out: what to say, whether to look again before anything is kept,
whether to end. Refuses to know: jobs, who waits for them.

A flush that failed may have dropped what it was to write, and the next one says nothing of it. So it is never repeated
and believed: the writer closes its connection, writes the log again (``Store.renew``), opens a new connection, and
looks whether all is there that was there before. A second failure before a whole checkpoint has worked is the end.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from ingest.ledger.faults import FlushFailed, LedgerFault, LedgerLost

_NEWEST = "SELECT position, row_hash FROM journal ORDER BY position DESC LIMIT 1000"
_AGAIN = "SELECT position, row_hash FROM journal WHERE position >= ?"
_SAFE = "Nothing was acknowledged that is not on disk; devices keep what was not answered."


class Condition:
    """Of one writer; told by its thread, asked by any."""

    def __init__(self) -> None:
        self.lost: LedgerFault | None = None
        self._failing: LedgerFault | None = None  # the last commit
        self._held_up: LedgerFault | None = None  # the last checkpoint
        self._seen: Mapping[int, bytes] | None = None  # the newest rows when a flush failed

    @property
    def problem(self) -> str | None:
        """Why nothing is kept, or will be soon."""
        fault = self.lost or self._failing or self._held_up
        return None if fault is None else fault.happened

    @property
    def in_doubt(self) -> bool:
        """Whether a flush has failed since the last checkpoint that worked."""
        return self._seen is not None

    def committed(self) -> None:
        """A commit is on disk."""
        self._failing = None

    def checkpointed(self) -> None:
        """Everything that was committed is on disk in its place, written and flushed since."""
        self._held_up = self._seen = None

    def held_up(self, fault: LedgerFault) -> None:
        """A checkpoint failed; commits may go on until the disk is full."""
        self._held_up = fault

    def failed(self, fault: LedgerFault, connection: Connection | None) -> None:
        """A commit failed, or a flush; ``connection`` still sees what was kept before."""
        self._failing = fault
        if isinstance(fault, LedgerLost):
            self.lost = fault
        elif isinstance(fault, FlushFailed):
            if self._seen is not None:
                self.lost = _twice(fault)
            else:
                try:
                    self._seen = _newest(connection)
                except Exception:  # noqa: BLE001 - a disk that cannot be read either: whatever it says, it is the end
                    self.lost = _twice(fault)

    def refuse_lost(self) -> None:
        """Raise what ended it, if something did."""
        if self.lost is not None:
            raise self.lost

    def check(self, connection: Connection) -> None:
        """On a new connection in a transaction: raises LedgerLost when rows of before are not there as they were."""
        if not self._seen:
            return
        from ingest.ledger.looks import unsealed_faults  # these know an open ledger, and that one this module
        from ingest.ledger.pruning import buried

        rows = connection.exec_driver_sql(_AGAIN, (min(self._seen),))
        found: dict[int, bytes] = dict(map(tuple, rows))
        missing = sum(found.get(position) != row_hash for position, row_hash in self._seen.items())
        known = buried(connection)
        missing += sum((fault.table, fault.position) not in known for fault in unsealed_faults(connection))
        if missing:
            raise LedgerLost(
                f"After a flush that failed, {missing} rows of the ledger are not as they were.",
                "Nothing more is acknowledged; what was sent to a record is there.",
                "Look at the disk, then run `constantes ledger verify`, and restore a backup where it says so.",
            )


def _newest(connection: Connection | None) -> Mapping[int, bytes]:
    """The newest rows, by the driver itself: the transaction that failed is over, and no new one may begin."""
    raw = None if connection is None else connection.connection.dbapi_connection
    return {} if raw is None else dict(raw.cursor().execute(_NEWEST).fetchall())


def _twice(fault: LedgerFault) -> LedgerLost:
    return LedgerLost(
        f"The disk failed to write twice. {fault.happened}",
        _SAFE,
        "Look at the disk of the data folder (`dmesg`, SMART); the program is started again, and looks at the ledger.",
    )
