"""What can go wrong with a series that lives apart from the ledger.

LedgerUnavailable
 └── SeriesUnavailable   the series cannot write or answer now: try again later; the ledger is not touched by it
"""

from __future__ import annotations

from ingest.ledger.faults import LedgerUnavailable

_SAFE = "No reading is lost: the ledger holds them all, and trends fill up by themselves once it is mended."


class SeriesUnavailable(LedgerUnavailable):
    """``happened`` and ``remedy`` hold nothing of a reading but its journal row; ``status``: HTTP's, if any."""

    def __init__(self, happened: str, remedy: str, status: int | None = None) -> None:
        super().__init__(happened, _SAFE, remedy)
        self.status = status
