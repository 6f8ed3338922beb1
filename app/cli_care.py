"""Commands that take care of the ledger: backup, restore, prune, known.

Comes in: words. Goes out: what was done, or why not. Refuses to know: how.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli_output import Json, notice, session, show, show_items, spoken

if TYPE_CHECKING:
    from ingest.ledger.backup import Backup

_BACKUP = ("made_at", "ledger", "schema", "head", "blobs", "bytes")
_PRUNED = ("segments", "messages", "bytes", "kept")
_FAULT = ("table", "position", "what")
_UNDONE = (
    "What was decided since the backup is undone: assignments and their ends, patients, registrations, revoked devices "
    "and clients. Before anything starts, look at `constantes assignments`, `device list`, `client list`, and decide "
    "again: a reading that is offered again goes to whoever is assigned then."
)
_KEEP = "It holds health data: keep it encrypted, and not on this machine alone."


def add(ledger: typer.Typer) -> None:
    """Put the commands on `ledger`."""
    for name, command in (("backup", back_up), ("restore", restore), ("prune", prune), ("known", known)):
        ledger.command(name)(command)


Folder = Annotated[Path, typer.Argument(metavar="PATH", help="The backup's folder.")]


def back_up(path: Folder, as_json: Json = False) -> None:
    """Copy the ledger and its large contents into a new folder, while everything runs."""
    with spoken("Nothing was copied."):
        from app.restoring import back_up as make
        from app.settings import load

        made = make(load(), path)
    _show(made, as_json=as_json)
    notice(None if as_json else _KEEP)


def restore(path: Folder, as_json: Json = False) -> None:
    """Put a backup in the ledger's place, under another name. Only while nothing runs; what was there is kept."""
    with spoken("Nothing was changed."):
        from app.restoring import restore as bring
        from app.settings import load

        found = bring(load(), path)
    _show(found.backup, as_json=as_json, now=found.ledger, aside=str(found.aside or "") or None)
    if not as_json:
        from app.cli_ledger import RENAMED

        notice(RENAMED)
        notice(_UNDONE)


def prune(
    older_than: Annotated[
        int, typer.Option("--older-than", metavar="DAYS", min=1, max=36_500, help="Kept for so long.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: Json = False,
) -> None:
    """Take the bytes of old messages out that every record has; rows, hashes and keys stay."""
    with session() as (api, _):
        found = api.post("/ledger/prune", {"older_than_days": older_than, "dry_run": dry_run})
    if not as_json:
        found["kept"] = [f"{count} {why}" for why, count in found["kept"].items()]
    show(found, _PRUNED, as_json=as_json)


def known(as_json: Json = False) -> None:
    """Say that you know of the damaged rows that keep the ledger from being used: they are never exported."""
    with session() as (api, _):
        items = api.post("/ledger/known")["items"]
    show_items(items, _FAULT, as_json=as_json, empty="No row keeps the ledger from being used.")


def _show(made: Backup, *, as_json: bool, **more: str | None) -> None:
    told = {name: getattr(made, name) for name in _BACKUP} | more
    show(told, tuple(told), as_json=as_json)
