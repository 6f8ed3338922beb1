"""Parts that no reading claims are removed 24 hours after the last of them (C-BLB-5).

Comes in: what is being put together, and who waits for it. Goes out: fewer files. Refuses to know: what was in them.
"""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection

from ingest.blobs import Blobs
from ingest.ledger import contents
from ingest.ledger.engine import named_faults
from ingest.ledger.files import OpenLedger
from ingest.model import Instant

KEPT_FOR = 24 * 3_600 * 1_000_000
"""Microseconds (C-BLB-5)."""
_CLAIMED = "SELECT 1 FROM content WHERE device = ? AND sha = ? AND state IN ('waiting', 'complete', 'refused') LIMIT 1"


def step(file: OpenLedger, now: Instant) -> int:
    """Remove old parts without a claim; returns of how many blobs. Raises LedgerUnavailable, OSError."""
    old = [(device, sha256) for device, sha256, at in file.blobs.assembling() if at * 1_000_000 < now - KEPT_FOR]
    gone = 0
    for device, sha256 in old:
        sha = bytes.fromhex(sha256)
        with named_faults(), file.readers.connect() as connection:
            if connection.exec_driver_sql(_CLAIMED, (device, sha)).first() is not None:
                continue
        file.writer.write(partial(_forget, blobs=file.blobs, device=device, sha=sha))
        gone += 1
    return gone


def _forget(connection: Connection, blobs: Blobs, device: str, sha: bytes) -> None:
    """Rows and file together, while no row can be written: none may tell of bytes that are gone."""
    contents.forget(connection, device, sha)
    blobs.forget(device, sha.hex())
