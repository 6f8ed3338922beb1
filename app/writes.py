"""What a part does about writes of the ledger that fail: it notes them where people look, and ends where it must.

Comes in: an open ledger, a look every second. Goes out: the event ``ledger.write_failed``, lines in the log. Refuses to
know: what failed to be written.

The note is a write itself and may fail too: then the part's status says it, and the note is tried again.
"""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass

import structlog

from ingest.ledger import alarms
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import OpenLedger
from ingest.ledger.writer import Writer
from ingest.model import Instant
from registry.alarm_codes import Code

log = structlog.get_logger("ledger")


@dataclass(slots=True)
class Writes:
    """Of one part, ``subject``."""

    file: OpenLedger
    subject: str
    now: Callable[[], Instant]
    _note: Future[None] | None = None
    _owed: Instant | None = None
    """When a trouble was seen that is not noted yet."""
    _warned: bool = False

    def look(self) -> bool:
        """Called every second or so; returns whether the part should end, so that another process looks anew."""
        writer = self.file.writer
        if (lost := writer.lost) is not None:
            log.error("part ends", part=self.subject, problem=lost.happened, safe=lost.safe, remedy=lost.remedy)
            return True
        if writer.problem is not None and self._owed is None:
            self._owed = self.now()
        self._write_down(writer)
        if writer.warning is not None and not self._warned:
            log.warning("ledger", part=self.subject, warning=writer.warning)
        self._warned = writer.warning is not None
        return False

    def _write_down(self, writer: Writer) -> None:
        """Note a trouble that was seen, however long that takes: it may be over before the note can be kept."""
        if self._note is not None and self._note.done():
            if self._note.exception() is None:
                self._owed = None
            self._note = None
        if self._owed is not None and self._note is None:
            at = self._owed
            with suppress(LedgerUnavailable):  # it is being closed
                self._note = writer.submit(lambda connection: alarms.note(connection, _CODE, self.subject, at))


def no_file_can_be_opened() -> str | None:
    """Why this process can open nothing, a connection included; None when it can."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            return f"no further file can be opened, of {most} at most ({error.strerror})"
    return None


_CODE = str(Code.LEDGER_WRITE_FAILED)
