"""What a destination confirmed a moment before it went away, and may have forgotten.

Comes in: a hint that the destination was away. Goes out: confirmed versions that are not there any more, due again.
Refuses to know: why it forgot.

A server that answers before its own disk has what it took forgets the last moments when it is killed: HAPI over H2,
with the settings they come with, forgot up to 0.6 s of what it had confirmed. Each of these is read, and nothing is
written that is there: a server that makes a version of everything it is sent gets none from this.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from fhir_export.push import again, contents
from fhir_export.push.circuit import SECOND
from fhir_export.push.content import same_content
from fhir_export.push.port import GONE, Identity, Record, RecordUnavailable
from ingest.blobs import BlobMissing
from ingest.ledger.engine import named_faults
from ingest.ledger.files import OpenLedger
from ingest.model import Instant

LOOK_BACK = 3 * SECOND
"""Before the last confirmation. H2 writes every 0.5 s (``WRITE_DELAY``), PostgreSQL with ``synchronous_commit`` off
after 0.6 s at most."""
AT_ONCE = 100
"""Reads between two looks at whether the loop shall end."""
TRIES = 4
"""Of one read, at once: a line that loses an answer now and then is no absence, and thousands may be read."""
_LOST = "record.no_answer"
_ROOM = 1_000_000  # bytes that a server may add to a resource or spend on white space


@dataclass(slots=True)
class Forgotten:
    """The doubt about one destination. There is one at every start: one power cut may have ended both sides."""

    file: OpenLedger
    destination: str
    record: Record
    found: int = 0
    looked: int = 0
    """Versions that were asked after, whatever came out."""
    _doubted: bool = True
    _asked: list[int] = field(default_factory=list)

    def suspect(self) -> None:
        """The destination was away: what it confirmed last is looked for."""
        self._doubted = True

    @property
    def certain(self) -> bool:
        """Whether nothing is in doubt any more."""
        return not (self._doubted or self._asked)

    def look(self, now: Instant) -> bool:
        """Read some of what is in doubt and make due again what is gone; whether anything was read.

        Raises RecordUnavailable, and goes on from there when called again; LedgerUnavailable.
        """
        if self._doubted:
            with named_faults(), self.file.readers.connect() as connection:
                self._asked = again.confirmed_last(connection, self.destination, LOOK_BACK)
            self._doubted = False
        some = self._asked[-AT_ONCE:]
        read = bool(some)
        while some:
            position = some[-1]
            if not self._is_there(position):
                self.file.writer.write(
                    partial(again.due_again, destination=self.destination, position=position, now=now)
                )
                self.found += 1
            self._asked.pop()
            some.pop()
            self.looked += 1
        return read

    def _is_there(self, position: int) -> bool:
        with named_faults(), self.file.readers.connect() as connection:
            sent = again.version(connection, position)
        if sent is None:  # erased meanwhile
            return True
        try:
            length = contents.whole(sent, self.file.blobs).length
        except (BlobMissing, OSError):  # it could not be sent again
            return True
        try:
            held = self._read(sent.identity, 2 * length + _ROOM)
        except RecordUnavailable as fault:
            if fault.code == GONE:
                return True
            raise
        return held is not None and same_content(sent.body, held)

    def _read(self, identity: Identity, most: int) -> bytes | None:
        for _ in range(TRIES - 1):
            try:
                return self.record.read(identity, most)
            except RecordUnavailable as fault:
                if fault.code != _LOST:
                    raise
        return self.record.read(identity, most)
