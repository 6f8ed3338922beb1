"""Whether the installation can accept readings now.

Comes in: the office, settings. Goes out: yes or no for each thing that accepting needs. Refuses to know: HTTP.
"""

from __future__ import annotations

import shutil
from threading import Event
from typing import Any

from sqlalchemy import text

from app import status
from app.parts import GATEWAY
from app.projecting import SERIES
from app.settings import Settings
from console.office import Office
from ingest.ledger.engine import named_faults
from ingest.ledger.faults import LedgerFault
from ingest.ledger.files import OpenLedger
from ingest.series.lag import lag

_LOOK_S = 1.0


def checks(office: Office, settings: Settings) -> dict[str, bool | None]:
    """What accepting needs, each by itself.

    ``broker``: the gateway has its session, None while nobody can tell: it waits for its ledger and has asked for none
    yet. ``gateway``: it keeps and answers what comes. ``disk``: room where the ledger lies. ``ledger``: it can be read.
    """
    said = status.read(settings.data, GATEWAY)
    fresh = said if said is not None and said.is_fresh else None
    return {
        "broker": False if fresh is None else fresh.connected,
        "gateway": fresh is not None and (fresh.ready or fresh.connected is False),
        "disk": has_room(settings),
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


def has_room(settings: Settings) -> bool:
    """Whether the reserve is free where the ledger lies."""
    return (free := free_bytes(settings)) is not None and free > settings.ledger.reserve_mib << 20


def free_bytes(settings: Settings) -> int | None:
    """Free space where the ledger lies; None when it cannot be told."""
    try:
        return shutil.disk_usage(settings.ledger_path.parent).free
    except OSError:
        return None


class Watched:
    """A ledger that is read again every second or so; ``problem`` says why it cannot be."""

    def __init__(self, file: OpenLedger) -> None:
        self._file = file
        self.problem: str | None = None

    def run(self, stop: Event) -> None:
        """Look until ``stop`` is set."""
        while not stop.is_set():
            self.look()
            stop.wait(_LOOK_S)

    def look(self) -> None:
        """Read once; a line to a server that is away takes seconds to say so."""
        try:
            with named_faults(), self._file.readers.connect() as connection:
                connection.execute(text("SELECT 1 FROM meta"))
            self.problem = None
        except LedgerFault as fault:
            self.problem = fault.happened


def _can_read(office: Office) -> bool:
    try:
        with office.snapshot() as connection:
            connection.execute(text("SELECT 1 FROM meta"))
    except LedgerFault:
        return False
    return True
