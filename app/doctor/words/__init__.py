"""The table of findings: every code that a look may find, its severity, and its sentences in French and English.

Comes in: nothing. Goes out: ``ENTRIES``. Refuses to know: how anything is found.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping

from app.doctor.finding import Entry
from app.doctor.words import broker, broker_file, disk, ledger, servers, settings, surroundings

ENTRIES: Mapping[str, Entry] = ChainMap(
    surroundings.DOCTOR,
    settings.ENTRIES,
    surroundings.CLOCK,
    disk.ENTRIES,
    ledger.ENTRIES,
    servers.SERIES,
    servers.DESTINATION,
    broker.ENTRIES,
    broker_file.ENTRIES,
)
