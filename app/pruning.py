"""Retention as a round: once an hour, what the setting says is old enough is pruned.

Comes in: settings, an open ledger. Goes out: words in the log. Refuses to know: what may go.
"""

from __future__ import annotations

import threading

import structlog

from app.clock import now
from app.settings import Settings
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import OpenLedger
from ingest.ledger.pruning import prune

_EVERY_S = 3_600.0

log = structlog.get_logger("pruning")


def prune_hourly(settings: Settings, file: OpenLedger, stop: threading.Event) -> None:
    """Prune until ``stop`` is set; without ``CONSTANTES_LEDGER__KEEP_DAYS`` nothing ever goes."""
    days = settings.ledger.keep_days
    while days is not None and not stop.is_set():
        try:
            gone = prune(file, now(), days, "retention")
        except LedgerUnavailable as fault:
            log.warning("pruning waits", problem=fault.happened)
        else:
            if gone.segments:
                log.info("pruned", segments=gone.segments, messages=gone.messages, bytes=gone.bytes)
        stop.wait(_EVERY_S)
    stop.wait()
