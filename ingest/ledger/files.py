"""A ledger, opened: migrated to this version's schema, with its writer and its readers.

Comes in: a path, or a database's address. Goes out: ``OpenLedger``. Refuses to know: what the tables hold.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from sqlalchemy import Connection, Engine, inspect, text

from ingest.blobs import Blobs
from ingest.ledger import belonging, numbers, whereabouts
from ingest.ledger.engine import Store, is_postgres, named_faults
from ingest.ledger.faults import LedgerRefused, LedgerUnavailable
from ingest.ledger.sqlite import SqliteStore, WriteLock, check_file, reading_engine, renew, writing_engine
from ingest.ledger.writer import Writer

HEAD = "0002"
"""The newest revision; a test holds it against the migrations folder."""
_OWNER_ONLY = 0o600
_MIGRATIONS = Path(__file__).with_name("migrations")


@dataclass(frozen=True, slots=True)
class OpenLedger:
    """An open ledger. ``name`` is the 8 hex digits that receipts carry; close it when done."""

    path: Path
    """The file; of a database, the folder in which its blobs' folder lies."""
    name: str
    writer: Writer
    readers: Engine
    blobs: Blobs
    """Large contents, in a folder of their own."""
    store: Store | None = None
    """What keeps the writers of a database apart; a file's keeps to itself."""

    @property
    def warning(self) -> str | None:
        """What somebody should know of the engine, though it works."""
        return None if self.store is None else self.store.warning

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish what was submitted and let go of the file."""
        self.readers.dispose()
        self.writer.close()


def open_ledger(
    where: Path | str,
    *,
    blobs: Path | None = None,
    password: str | None = None,
    standby: Literal["auto", "required"] = "auto",
) -> OpenLedger:
    """Open, and first make or migrate, the ledger at ``where``: a file's path, or a URL.

    ``sqlite:///path``, or ``postgresql+psycopg://user@host:port/database`` with commas between several hosts.

    ``blobs``: the folder of large contents; beside the file when it is left out, which a database does not allow.
    ``standby="required"``: nothing is written to a PostgreSQL server that does not wait for a standby.
    Raises LedgerRefused for what is no ledger or is newer than this program and for a folder of another ledger,
    LedgerUnavailable for one that cannot be written now. Any number of processes may open one at once.
    """
    if isinstance(where, str) and where.startswith("postgresql"):
        if blobs is None:
            raise LedgerRefused(
                "A ledger in a database keeps large contents in a folder, and none was named.",
                "Nothing was changed.",
                "Name the folder.",
            )
        return _open_database(where, blobs, password, standby)
    path = Path(str(where).removeprefix("sqlite:///"))
    return _open_file(path, blobs or path.with_name("blobs"))


def _open_file(path: Path, blobs: Path) -> OpenLedger:
    check_file(path)
    if not path.exists() and (belonging.is_somebodys(blobs) or whereabouts.unseen(path)):
        raise LedgerRefused(
            f"The ledger {path} is gone, and what belongs to it is there.",
            "Nothing was changed: a new ledger would know none of the devices, and refuse all that they send.",
            "Put the file back, or restore a backup (`constantes ledger restore`). To begin anew, name another folder.",
        )
    lock, engine = _alone(path), writing_engine(path)
    notes = whereabouts.unseen(path)
    try:
        with lock:
            renew(path.with_name(f"{path.name}-wal"))
            with named_faults(), engine.connect() as connection, connection.begin():
                name = _ready(connection, blobs)
                if notes:  # another file than the one that was in use: devices shall offer again what they keep
                    name = belonging.rename(connection)
            whereabouts.seen(notes)
    finally:
        engine.dispose()
        lock.close()
    return OpenLedger(path, name, Writer(SqliteStore(path)), reading_engine(path), Blobs(blobs))


def _open_database(url: str, blobs: Path, password: str | None, standby: str) -> OpenLedger:
    from ingest.ledger import postgres, reaching  # loads its driver

    address = reaching.Address(url, password, standby_required=standby == "required")
    store = postgres.PostgresStore(address)
    try:
        with named_faults(), store.engine.connect() as connection, connection.begin():
            store.enter_migration(connection)
            name = _ready(connection, blobs)
            store.set_forward(connection)
        store.committed()
    except BaseException:
        store.close()
        raise
    return OpenLedger(blobs.parent, name, Writer(store), reaching.reading_engine(address), Blobs(blobs), store)


def _ready(connection: Connection, blobs: Path) -> str:
    """Bring the schema up to date and see that the folder is the ledger's; returns the ledger's name."""
    _migrate(connection)
    if is_postgres(connection):
        numbers.check_rights(connection)
    name = belonging.name(connection)
    belonging.settle(connection, blobs)
    return name


def _alone(path: Path) -> WriteLock:
    """The lock of a file that nobody else on this machine may read."""
    try:
        path.touch(_OWNER_ONLY)
        with suppress(PermissionError):  # shared with us by its owner, who has decided
            path.chmod(_OWNER_ONLY)
        return WriteLock(path)
    except OSError as error:
        raise LedgerUnavailable(
            f"The ledger cannot be made in {path.parent}: {error.strerror}.",
            "Nothing was changed.",
            "See that the disk of the data folder has room and is writable.",
        ) from None


def revision(connection: Connection) -> str | None:
    """The schema revision of an open ledger, None when it has no tables yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(connection: Connection) -> None:
    """Bring the schema to HEAD inside the caller's transaction: a crash leaves the old one."""
    found = revision(connection)
    if found == HEAD:
        return
    if found is None and inspect(connection).get_table_names():
        raise LedgerRefused(
            "It holds tables of another program.", "Nothing was changed.", "Name another file or database."
        )
    # Alembic is loaded only when there is something for it to do: it costs a fifth of a second.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise LedgerRefused(
            f"The ledger has schema {found}, which this program does not know: a newer version made it.",
            "Nothing was changed.",
            "Start the version that made it, or a newer one.",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
