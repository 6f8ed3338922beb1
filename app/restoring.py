"""What has to be done once after a ledger was set back to an older state: it gets another name.

Comes in: settings. Goes out: the old and the new name. Refuses to know: the command line, how the ledger came back.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import NamedTuple

from app import wiring
from app.client import NoInstallation
from app.parts import GATEWAY, OFFICE, only_one
from app.settings import Settings
from ingest.ledger import belonging


class Names(NamedTuple):
    """A ledger's names, 8 hex digits each."""

    before: str
    ledger: str


def rename(settings: Settings) -> Names:
    """Give the ledger another name while nothing runs on it.

    Raises CannotStart while a part runs on the folder, NoInstallation, LedgerFault, WrongSetting.
    """
    if not settings.has_ledger_server and not settings.ledger_path.exists():
        raise NoInstallation(settings.data)
    with ExitStack() as held:
        for part in ("instance", GATEWAY, "office", *OFFICE):
            held.enter_context(only_one(settings.data, part))
        file = held.enter_context(wiring.ledger(settings))
        return Names(file.name, file.writer.write(belonging.rename))
