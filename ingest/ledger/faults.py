"""What can go wrong with a ledger, by what the caller must do.

LedgerFault
 ├── LedgerUnavailable   it cannot write or read now: acknowledge nothing, try again later
 │    ├── FlushFailed    a flush failed: what it should have written may be gone, though it reads well
 │    └── LedgerLost     this process can never trust it again: say so and end
 └── LedgerRefused       this file is not one that may be used: say so and stop
"""

from __future__ import annotations

import time

_SILENT_S = 5.0  # before it is said


class LedgerFault(Exception):  # noqa: N818 - a fault is what the reader sees; every subclass names one
    """The ledger did not do what was asked: what happened, what is safe, what to do, each one sentence."""

    def __init__(self, happened: str, safe: str, remedy: str) -> None:
        super().__init__(f"{happened} {safe} {remedy}")
        self.happened = happened
        self.safe = safe
        self.remedy = remedy


class LedgerUnavailable(LedgerFault):
    """Nothing of the transaction may be taken for kept: no receipt, no acknowledgement, no answer."""


class FlushFailed(LedgerUnavailable):
    """The disk did not confirm a write.

    A second flush that works proves nothing: the kernel may have given up what the first one was to write.
    """


class LedgerLost(LedgerUnavailable):
    """What was kept may not be there, or this is no longer the file that was opened: only a new process can tell."""


class LedgerRefused(LedgerFault):
    """The file is not a ledger of this version, or cannot be opened."""


def silence(since: float | None) -> str | None:
    """What to say of a ledger that was asked at ``since`` (``time.monotonic``) and has not answered; None: nothing."""
    took = 0.0 if since is None else time.monotonic() - since
    return f"the ledger has not answered for {took:.0f} s" if took > _SILENT_S else None
