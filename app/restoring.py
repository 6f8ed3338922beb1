"""Backups of a ledger file, and what has to be done once after a ledger was set back to an older state.

Comes in: settings, folders. Goes out: backups; the old and the new name of a ledger. Refuses to know: the command line,
how a database comes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from app import wiring
from app.client import NoInstallation
from app.clock import now
from app.parts import GATEWAY, OFFICE, CannotStart, only_one
from app.settings import Settings
from ingest.clock import utc_text
from ingest.ledger import backup as backups
from ingest.ledger import belonging
from ingest.ledger.backup import Backup
from ingest.ledger.faults import LedgerRefused


class Names(NamedTuple):
    """A ledger's names, 8 hex digits each."""

    before: str
    ledger: str


class Restored(NamedTuple):
    """What came back, under which name, and where what lay there before is now (None: nothing did)."""

    backup: Backup
    ledger: str
    aside: Path | None


def rename(settings: Settings) -> Names:
    """Give the ledger another name while nothing runs on it.

    Raises CannotStart while a part runs on the folder, NoInstallation, LedgerFault, WrongSetting.
    """
    _must_be_there(settings)
    with _nothing_runs(settings), wiring.ledger(settings) as file:
        return Names(file.name, file.writer.write(belonging.rename))


def back_up(settings: Settings, folder: Path) -> Backup:
    """Copy the ledger while everything runs, or nothing. Raises NoInstallation, LedgerFault, WrongSetting."""
    _must_be_there(settings)
    with wiring.ledger(settings) as file:
        return backups.backup(file, folder.absolute(), now())


def restore(settings: Settings, folder: Path) -> Restored:
    """Put a backup in the ledger's place while nothing runs on it, and give it another name.

    What lay there is kept beside it. Raises CannotStart while a part runs, LedgerFault, WrongSetting.
    """
    if settings.has_ledger_server:
        raise LedgerRefused(
            "This ledger is a PostgreSQL database.",
            "Nothing was changed.",
            "Use pg_restore, then `constantes ledger restored`: docs/how-to/back-up-and-restore.md.",
        )
    path = settings.ledger_path.absolute()
    aside = path.with_name(f"before-restore-{utc_text(now()).replace(':', '')}")
    with _nothing_runs(settings):
        had_one = path.exists()
        try:
            found = backups.restore(folder, path, aside)
        except OSError as error:
            raise CannotStart(
                f"The backup could not be copied: {error.strerror}. What lay there before is there, or in {aside}. "
                "See that the disk has room and is writable, then repeat the command."
            ) from None
        if not any(aside.iterdir()):
            aside.rmdir()
        with wiring.ledger(settings) as file:
            return Restored(found, backups.settled(file), aside if had_one else None)


def _must_be_there(settings: Settings) -> None:
    if not settings.has_ledger_server and not settings.ledger_path.exists():
        raise NoInstallation(settings.data)


@contextmanager
def _nothing_runs(settings: Settings) -> Iterator[None]:
    """Keep every part of the folder from starting; raises CannotStart while one runs."""
    with ExitStack() as held:
        for part in ("instance", GATEWAY, "office", *OFFICE):
            held.enter_context(only_one(settings.data, part))
        yield
