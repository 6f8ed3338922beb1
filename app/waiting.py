"""Waits for what a part cannot work without: its ledger, where that is a server which may start later, or be away.

Comes in: settings, a part's name, its stop event. Goes out: the open ledger. Refuses to know: what the part does.

A file that cannot be opened is a fault that a person mends: it ends the part at once. A server is another process on
its own schedule: ending over it would only make whoever restarts the part wait longer each time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from app import status, wiring
from app.settings import Settings
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import OpenLedger
from ingest.ledger.looks import refuse_changed

_AGAIN_S = 1.0

log = structlog.get_logger("waiting")


@contextmanager
def ledger(settings: Settings, part: str, stop: threading.Event) -> Iterator[OpenLedger | None]:
    """The ledger, as soon as it can be opened; None when ``stop`` was set before.

    Raises LedgerRefused, LedgerUnavailable for a file, WrongSetting.
    """
    file = _opened(settings, part, stop)
    if file is None:
        yield None
        return
    with file:
        yield file


def _checked(file: OpenLedger) -> OpenLedger:
    """The same; closed again and refused where its newest rows are not as they were written."""
    try:
        refuse_changed(file)
    except BaseException:
        file.close()
        raise
    return file


def _opened(settings: Settings, part: str, stop: threading.Event) -> OpenLedger | None:
    said = None
    while not stop.is_set():
        try:
            file = _checked(wiring.ledger(settings))
        except LedgerUnavailable as fault:
            if not settings.has_ledger_server:
                raise
            status.tell(settings.data, part, ready=False, problem=fault.happened)
            if said != fault.happened:
                log.warning("waits for the ledger", part=part, problem=fault.happened)
            said = fault.happened
            stop.wait(_AGAIN_S)
        else:
            if said is not None:
                log.info("the ledger answers", part=part)
            if file.warning is not None:
                log.warning("the ledger", part=part, warning=file.warning)
            return file
    return None
