"""A process that commits batches as fast as it can and tells each last position once it may be believed.

    python -m tests.ledger.committing LEDGER FROM_SEQ [FILE_SIZE_LIMIT]

LEDGER is a path or an address, whose password stands in LEDGER_PASSWORD and whose blobs lie in LEDGER_BLOBS.

With a limit, a line on standard input lifts it: the disk has room again.
"""

from __future__ import annotations

import os
import resource
import sys
from itertools import count
from pathlib import Path

from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import open_ledger
from ingest.ledger.relational import RelationalLedger
from tests.support.ledgers import NOW, reading

BATCH = 20


def say(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(where: str, first: int, limit: int | None) -> None:
    """Commit until killed."""
    blobs, password = os.environ.get("LEDGER_BLOBS"), os.environ.get("LEDGER_PASSWORD")
    with open_ledger(where, blobs=Path(blobs) if blobs else None, password=password) as file:
        ledger = RelationalLedger(file)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        for start in count(first, BATCH):
            batch = [reading(seq) for seq in range(start, start + BATCH)]
            try:
                ledger.commit(batch, NOW).result(20)
            except LedgerUnavailable as fault:
                say(f"unavailable {fault.happened}")
                sys.stdin.readline()
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                ledger.commit(batch, NOW).result(20)
            say(f"kept {start + BATCH - 1}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
