"""Whether the installation can accept readings now.

Comes in: the office, settings. Goes out: yes or no for each thing that accepting needs. Refuses to know: HTTP.
"""

from __future__ import annotations

import shutil

from sqlalchemy import text

from app import status
from app.settings import Settings
from console.office import Office
from ingest.ledger.faults import LedgerFault

DISK_RESERVE = 256 * 1024 * 1024
"""Bytes that should be free where the ledger lies: below it somebody should act while nothing is lost yet."""
_GATEWAY = "gateway"  # the part's name in ``app.status``


def checks(office: Office, settings: Settings) -> dict[str, bool]:
    """``broker``: the gateway has its session; ``disk``: room where the ledger lies; ``ledger``: it can be read."""
    said = status.read(settings.data, _GATEWAY)
    return {
        "broker": said is not None and said.is_fresh and said.ready,
        "disk": _has_room(settings),
        "ledger": _can_read(office),
    }


def _has_room(settings: Settings) -> bool:
    try:
        return shutil.disk_usage(settings.ledger_path.parent).free > DISK_RESERVE
    except OSError:
        return False


def _can_read(office: Office) -> bool:
    try:
        with office.snapshot() as connection:
            connection.execute(text("SELECT 1 FROM meta"))
    except LedgerFault:
        return False
    return True
