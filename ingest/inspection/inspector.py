"""The loop that looks at contents which have come: whether they are what was said, and what they show.

Comes in: CONTENT rows that are complete, live recordings. Goes out: ``ready`` or ``refused``, with what follows in the
same transaction: the recording's row, a verdict to be told, a reading to be published. Refuses to know: file formats.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from threading import Event
from typing import Protocol, Self

from sqlalchemy import Connection

from ingest.blobs import BlobMissing, digest
from ingest.content.found import Found, Wave
from ingest.inspection import live, sweep
from ingest.ledger import contents
from ingest.ledger.engine import named_faults
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import OpenLedger
from ingest.ledger.rows import recording_file_row
from ingest.model import Blob, Image, Instant
from ingest.reasons import Reason, Rejected
from ingest.sandbox import SandboxUnavailable

_MANY, _A_ROUND = 64, 4
_ASIDE = 30 * 1_000_000  # microseconds
_IDLE_S = 0.1
_PAUSE_S = 2.0  # after a fault of ours
_SWEEP_EVERY = 60 * 1_000_000
_OWN = """
SELECT 1 FROM content WHERE device = ? AND sha = ? AND state = 'ready'
UNION ALL SELECT 1 FROM replay WHERE position = ? AND outcome = 'look_again' LIMIT 1
"""
_COMPLETE = """
SELECT t.position, t.device, r.kind, r.content FROM content t JOIN reading r ON r.position = t.position
WHERE t.state = 'complete' ORDER BY t.changed_at, t.position LIMIT ?
"""


class Look(Protocol):
    """Who looks into files: ``ingest.sandbox.Sandbox``, or a stand-in."""

    def look(self, path: Path, content_type: str, kind: str, out: Path) -> Found:
        """What the file shows; files made from it are in ``out``. Raises Rejected for what the file is to blame for."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """A reading whose blob has come."""

    position: int
    device: str
    kind: str
    blob: Blob
    image: Image | None = None

    @classmethod
    def of(cls, position: int, device: str, kind: str, content: str) -> Self:
        """A row of ``_COMPLETE``."""
        told = json.loads(content)
        return cls(position, device, kind, Blob(**told["blob"]), Image(**told["image"]) if "image" in told else None)


class Inspector:
    """One loop over one ledger file."""

    def __init__(self, file: OpenLedger, look: Look, now: Callable[[], Instant]) -> None:
        self._file, self._look, self._now = file, look, now
        self._swept: Instant = 0
        self._aside: dict[int, Instant] = {}
        self.problem: str | None = None

    def run(self, stop: Event) -> None:
        """Work until ``stop`` is set. What cannot be done now is tried again; nothing is refused for it."""
        self._file.blobs.clear_scratch()
        while not stop.is_set():
            try:
                done = self.step()
                self.problem = None if not self._aside else self.problem
            except (LedgerUnavailable, OSError) as fault:
                done, self.problem = 0, getattr(fault, "happened", str(fault))
                stop.wait(_PAUSE_S)
            if not done:
                stop.wait(_IDLE_S)

    def step(self) -> int:
        """Look at what is complete; returns how many contents were settled.

        A file that cannot be looked at now for a reason that is not its own stands aside for a while, so that those
        behind it have their turn. Raises LedgerUnavailable.
        """
        done = live.step(self._file, self._now())
        for claim in self._complete():
            try:
                self._settle(claim)
                done += 1
            except (SandboxUnavailable, BlobMissing, OSError) as fault:
                self._aside[claim.position] = self._now() + _ASIDE
                self.problem = str(fault)
        if self._now() > self._swept + _SWEEP_EVERY:
            self._swept = self._now()
            sweep.step(self._file, self._swept)
        return done

    def _complete(self) -> list[_Claim]:
        """What may be looked at now, the devices in turn: one that sends much does not keep others waiting."""
        with named_faults(), self._file.readers.connect() as connection:
            claims = [_Claim.of(*row) for row in connection.exec_driver_sql(_COMPLETE, (_MANY,))]
        now = self._now()
        self._aside = {position: until for position, until in self._aside.items() if until > now}
        seen: Counter[str] = Counter()
        ranked = []
        for place, claim in enumerate(each for each in claims if each.position not in self._aside):
            ranked.append((seen[claim.device], place, claim))
            seen[claim.device] += 1
        return [claim for _, _, claim in sorted(ranked, key=itemgetter(0, 1))][:_A_ROUND]

    def _settle(self, claim: _Claim) -> None:
        blobs, blob, device = self._file.blobs, claim.blob, claim.device
        where = "/image/blob" if claim.image else "/recording/blob"
        if not self._is_own(claim):
            if not blobs.take(device, blob.sha256):
                self._file.writer.write(lambda connection: _send_again(connection, claim, self._now()))
                return
            if not blobs.finish(device, blob.sha256, blob.size):
                self._refuse(claim, Rejected(Reason.BLOB_HASH_MISMATCH, where))
                blobs.drop(device, blob.sha256)
                return
        elif blobs.path(blob.sha256).stat().st_size != blob.size:
            self._refuse(claim, Rejected(Reason.BLOB_HASH_MISMATCH, f"{where}/bytes"))
            return
        try:
            found = self._found(claim)
        except Rejected as fault:
            self._refuse(claim, fault)
        else:
            now = self._now()
            self._file.writer.write(lambda connection: _ready(connection, claim, found, now))
        blobs.drop(device, blob.sha256)  # it has its place among the whole ones, and a row that says whose it is

    def _is_own(self, claim: _Claim) -> bool:
        """Whether this device has sent the blob before: nobody gets what only another one sent (C-BLB-4).

        So it has for a claim that is looked at again: only one whose bytes were right is.
        """
        wanted = claim.device, bytes.fromhex(claim.blob.sha256), claim.position
        with named_faults(), self._file.readers.connect() as connection:
            ready = connection.exec_driver_sql(_OWN, wanted).first() is not None
        return ready and self._file.blobs.has(claim.blob.sha256)

    def _found(self, claim: _Claim) -> Found:
        """What the content shows; files made from it are blobs when this returns."""
        blobs, blob = self._file.blobs, claim.blob
        path = blobs.path(blob.sha256)
        with blobs.scratch() as out:
            found = self._look.look(path, blob.content_type, claim.kind, out)
            for name in _made(found):
                if digest(out / name) != name:
                    raise OSError("a file made from a content is not what its name says")
                blobs.adopt(out / name)
        _check_eye(claim.image, found)
        with path.open("rb") as stream:
            return replace(found, sha1=hashlib.file_digest(stream, "sha1").hexdigest())

    def _refuse(self, claim: _Claim, fault: Rejected) -> None:
        now = self._now()
        self._file.writer.write(lambda connection: _refused(connection, claim, fault, now))


def _made(found: Found) -> list[str]:
    names = [found.wave.file if found.wave else None, found.picture.thumbnail if found.picture else None]
    return [name for name in names if name]


def _check_eye(said: Image | None, found: Found) -> None:
    """The reading and its file must say one eye and one field between them (C-RET-1)."""
    if said is None:
        return
    for name in ("eye", "field"):
        told, shown = getattr(said, name), getattr(found, name)
        if told is None and shown is None:
            raise Rejected(Reason.IMAGE_LATERALITY_MISSING, f"/image/{name}")
        if told is not None and shown is not None and told != shown:
            raise Rejected(Reason.IMAGE_LATERALITY_CONFLICT, f"/image/{name}")


# ---------------------------------------------------------------- rows

_READY = "UPDATE content SET state = 'ready', found = ?, changed_at = ? WHERE position = ? AND state = 'complete'"
_REFUSED = """
UPDATE content SET state = 'refused', reason = ?, pointer = ?, changed_at = ? WHERE position = ? AND state = 'complete'
"""
_SET_ASIDE = """
INSERT INTO quarantine SELECT position, device, stream, seq, sha, ?, 'waiting', ? FROM journal WHERE position = ?
ON CONFLICT (position) DO UPDATE SET reason = excluded.reason, state = 'waiting', changed_at = excluded.changed_at
"""
_TELL = "INSERT INTO later (reading, device, at) VALUES (?, ?, ?)"
_DUE = "INSERT INTO due (what, ref) VALUES ('reading', ?)"
_AGAIN = "UPDATE content SET state = 'waiting', changed_at = ? WHERE position = ?"


def _ready(connection: Connection, claim: _Claim, found: Found, now: Instant) -> None:
    device = claim.device
    if not connection.exec_driver_sql(_READY, (found.text(), now, claim.position)).rowcount:
        return
    if found.wave is not None:
        add_recording(connection, claim.position, found.wave, complete=True)
    contents.forget(connection, device, bytes.fromhex(claim.blob.sha256))
    connection.exec_driver_sql(_TELL, (claim.position, device, now))
    connection.exec_driver_sql(_DUE, (str(claim.position),))


def _refused(connection: Connection, claim: _Claim, fault: Rejected, now: Instant) -> None:
    device = claim.device
    reason = str(fault.reason)
    if not connection.exec_driver_sql(_REFUSED, (reason, fault.pointer, now, claim.position)).rowcount:
        return
    connection.exec_driver_sql(_SET_ASIDE, (reason, now, claim.position))
    contents.forget(connection, device, bytes.fromhex(claim.blob.sha256))
    connection.exec_driver_sql(_TELL, (claim.position, device, now))


def _send_again(connection: Connection, claim: _Claim, now: Instant) -> None:
    """The parts were lost with their file: the device still has them, and is told that all of them are missing."""
    contents.forget(connection, claim.device, bytes.fromhex(claim.blob.sha256))
    connection.exec_driver_sql(_AGAIN, (now, claim.position))


def add_recording(connection: Connection, position: int, wave: Wave, *, complete: bool) -> None:
    """The row of a recording whose samples lie in a waveform file."""
    leads = json.dumps(wave.leads)
    row = recording_file_row(position, (wave.sampling_hz, wave.unit, leads, wave.length), wave.file, complete=complete)
    connection.exec_driver_sql("INSERT INTO recording VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
