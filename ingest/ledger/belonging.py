"""Which ledger this is, and which folder of large contents belongs to it.

Comes in: a connection in a transaction, a folder. Goes out: a new name; ``LedgerRefused`` for a folder that belongs to
another ledger. Refuses to know: what lies in the folder, who asks.

The name (8 hex digits) is in every receipt: a device that sees another one offers again what it kept, which is what a
ledger wants that was set back to an older state. The folder has an id of its own, in a file and in the ledger: parts of
a content that lie in two folders would be taken for whole, and a row would name a file that is elsewhere.
"""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

from sqlalchemy import Connection, select, text

from ingest import durable
from ingest.ledger.engine import is_postgres
from ingest.ledger.faults import LedgerRefused, LedgerUnavailable
from ingest.ledger.schema import META

NAME, FOLDER = "ledger", "blobs"
"""Rows of ``META``: the ledger's name, its folder's id."""
FILE = "id"
"""The file in the folder that holds the folder's id."""
_PATIENCE_S, _PAUSE_S = 2.0, 0.1  # a line that was closed just now is seen for a moment
_OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name = current_setting('application_name') AND pid <> pg_backend_pid()"
)


def name(connection: Connection) -> str:
    """The ledger's name, drawn now if it has none."""
    found = _value(connection, NAME)
    if found is None:
        found = secrets.token_hex(4)
        connection.execute(META.insert().values(name=NAME, value=found))
    return found


def rename(connection: Connection) -> str:
    """Draw another name and return it; raises LedgerRefused while others use the ledger's database."""
    if is_postgres(connection):
        _refuse_others(connection)
    before, found = name(connection), secrets.token_hex(4)
    while found == before:
        found = secrets.token_hex(4)
    connection.execute(META.update().where(META.c.name == NAME).values(value=found))
    return found


def is_somebodys(folder: Path) -> bool:
    """Whether a ledger has taken this folder for its own; its id is written when the ledger's file is there already."""
    return (folder / FILE).exists()


def settle(connection: Connection, folder: Path) -> None:
    """See that ``folder`` is the ledger's own; the first time, make it so.

    Raises LedgerRefused when it is another ledger's or nobody's, LedgerUnavailable when it cannot be read or written.
    The file is there before the row: a transaction that is undone leaves an id that the next one takes over.
    """
    known = _value(connection, FOLDER)
    try:
        found = _read(folder / FILE)
        if known is None:
            value = found or _written(folder / FILE, secrets.token_hex(8))
            durable.flush_names(folder / FILE)  # also of one that a crash has left
            connection.execute(META.insert().values(name=FOLDER, value=value))
    except OSError as error:
        raise LedgerUnavailable(
            f"The folder {folder} of large contents cannot be used: {error.strerror}.",
            "Nothing was changed.",
            "See that the disk of the data folder has room, is writable and healthy.",
        ) from None
    if known is not None and known != found:
        raise LedgerRefused(
            f"The ledger's large contents lie in another folder than {folder}: "
            f"the ledger asks for the folder {known}, and this one is {found or 'none yet'}.",
            "Nothing was changed.",
            "Let all parts, on all machines, share that folder, or bring it back from the ledger's own backup. "
            f"Only where it is lost for good, write {known} into {folder / FILE}.",
        )


def _value(connection: Connection, row: str) -> str | None:
    found = connection.execute(select(META.c.value).where(META.c.name == row)).scalar()
    return None if found is None else str(found)


def _read(file: Path) -> str | None:
    try:
        return file.read_text("ascii", "replace").strip() or None
    except FileNotFoundError:
        return None


def _written(file: Path, value: str) -> str:
    """Put ``value`` into a file, all of it or nothing; its name is not flushed yet."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = file.with_name(f".{file.name}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, value.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    new.replace(file)
    return value


def _refuse_others(connection: Connection) -> None:
    """Parts on other machines would go on telling devices the old name."""
    end = time.monotonic() + _PATIENCE_S
    while others := connection.execute(_OTHERS).scalar_one():
        if time.monotonic() > end:
            raise LedgerRefused(
                f"Somebody else uses the ledger's database ({others} connections of Constantes).",
                "Nothing was changed.",
                "Stop all parts, on all machines, and repeat the command.",
            )
        time.sleep(_PAUSE_S)
