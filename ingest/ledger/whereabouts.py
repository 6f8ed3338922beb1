"""Whether a ledger's file and log are still those that were opened: somebody may move, delete or replace them.

Comes in: the ledger's path. Goes out: ``LedgerLost`` where they are not. Refuses to know: tables, who writes.

What is written to a file that has no name any more is found by nobody, and a log that stays behind would be taken for
that of the file which comes in its place. So whoever notices first copies the log back into the file it belongs to,
empties it, and leaves a note: the next start draws another name for the ledger (``ingest.ledger.belonging``), and
devices offer again what they still keep.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from ingest.ledger.faults import LedgerLost

_Which: TypeAlias = tuple[int, int]
_NOTE, _SEEN, _LOG = ".was-", ".seen", ".log"


class Whereabouts:
    """The file and the log of one ledger, as they were when it was opened."""

    def __init__(self, ledger: Path) -> None:
        self._ledger, self.log = ledger, ledger.with_name(f"{ledger.name}-wal")
        self._file = _which(ledger)
        self._log: _Which | None = None
        self._is_open = False

    def opened(self) -> None:
        """A connection was made: from now on nobody but a stranger takes the log away."""
        self._log, self._is_open = None, True

    def closed(self) -> None:
        """The connection is about to be closed, and SQLite may take the log away."""
        self._is_open = False

    def lost(self) -> LedgerLost | None:
        """Why what is written now would not be found again; two looks at names, a few microseconds."""
        try:
            if _which(self._ledger) != self._file:
                return _gone(self._ledger)
            log = _which(self.log) if self._is_open else self._log
        except OSError:  # a folder that cannot be looked at is the next write's business
            return None
        if self._log is None:
            self._log = log
        return None if log == self._log else _gone(self.log)

    def leave(self, execute: Callable[[str], Any]) -> None:
        """Give the log's contents back to the file that was opened, once for all who had it open.

        ``execute``: of a connection to that file. Where somebody reads it, the log is put aside instead. A log that
        was itself replaced is left alone.
        """
        if self._file is None or _which(self._ledger) == self._file:
            return
        note = self._ledger.with_name(f"{self._ledger.name}{_NOTE}{self._file[1]}")
        if note.exists() or _beside(note, _SEEN).exists():
            return
        note.touch(0o600)
        try:
            busy = execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.Error:
            busy = True
        if busy:
            with suppress(FileNotFoundError):
                self.log.rename(_beside(note, _LOG))


def expect_another(ledger: Path) -> None:
    """Before another file takes the place of this one: wherever that is cut off, what opens next draws a new name."""
    ledger.with_name(f"{ledger.name}{_NOTE}restore").touch(0o600)


def unseen(ledger: Path) -> list[Path]:
    """Notes that nobody has acted on yet."""
    found = ledger.parent.glob(f"{ledger.name}{_NOTE}*")
    return [note for note in found if note.suffix not in (_SEEN, _LOG)]


def seen(notes: list[Path]) -> None:
    """The ledger has another name now."""
    for note in notes:
        note.rename(_beside(note, _SEEN))


def _beside(note: Path, end: str) -> Path:
    return note.with_name(note.name + end)


def _which(path: Path) -> _Which | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - twice for every commit
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _gone(path: Path) -> LedgerLost:
    return LedgerLost(
        f"{path.name} was moved, deleted or replaced while it was in use.",
        "Nothing more is acknowledged; devices keep what was not answered.",
        f"Stop everything, put the right {path.name} in its place, or restore a backup (`constantes ledger restore`).",
    )
