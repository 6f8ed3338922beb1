"""Whether the installation can accept readings now.

Comes in: the office, settings. Goes out: yes or no for each thing that accepting needs. Refuses to know: HTTP.
"""

from __future__ import annotations

import shutil
from typing import Any

from sqlalchemy import text

from app import status
from app.projecting import SERIES
from app.settings import Settings
from console.office import Office
from ingest.ledger.faults import LedgerFault
from ingest.series.lag import lag

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


def series(office: Office, settings: Settings) -> dict[str, Any]:
    """How far trends are behind, and why; ``behind`` and ``age_s`` are None while the ledger cannot be read."""
    said = status.read(settings.data, SERIES)
    problem = said.problem if said is not None and said.is_fresh else None
    try:
        with office.snapshot() as connection:
            found = lag(connection, office.now())
    except LedgerFault:
        return {"behind": None, "age_s": None, "late": True, "problem": problem}
    return {"behind": found.readings, "age_s": round(found.age_s, 1), "late": found.is_late, "problem": problem}


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
