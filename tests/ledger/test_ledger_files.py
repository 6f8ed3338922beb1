"""A ledger file: made, opened again, migrated, and refused with a reason."""

from __future__ import annotations

import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from ingest.ledger import belonging, files
from ingest.ledger.faults import LedgerRefused, LedgerUnavailable
from ingest.ledger.files import HEAD, open_ledger, revision
from ingest.ledger.schema import METADATA
from tests.support.ledgers import register

MIGRATIONS = Path(files.__file__).with_name("migrations")


@contextmanager
def unprivileged() -> Iterator[None]:
    """As a user whom file permissions concern."""
    if os.getuid():
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def statements(connection: Connection) -> dict[str, str]:
    """How each table was made, spaces apart."""
    rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
    return {row.name: " ".join(row.sql.split()) for row in rows}


def test_a_new_ledger_has_the_newest_schema(tmp_path: Path) -> None:
    """A folder that is not there yet is made, and the file in it is for its owner only."""
    path = tmp_path / "data" / "ledger.sqlite"
    with open_ledger(path) as file:
        with file.readers.connect() as connection:
            assert revision(connection) == HEAD
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_name_stays(tmp_path: Path) -> None:
    """A ledger has a name of 8 hex digits; it is the same when it is opened again, and another one has another."""
    names = []
    for folder in ("one", "one", "two"):
        with open_ledger(tmp_path / folder / "ledger.sqlite") as file:
            names.append(file.name)
            assert int(file.name, 16) >= 0
            assert len(file.name) == 8
    assert names[0] == names[1] != names[2]


def test_rows_are_there_when_it_is_opened_again(tmp_path: Path) -> None:
    """What was written stays; nothing but the ledger, its locks and its blobs lies in the folder afterwards."""
    path = tmp_path / "ledger.sqlite"
    with open_ledger(path) as file:
        register(file, "bp-0001")
        with file.readers.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM device")).scalar() == 1
    assert {each.name for each in tmp_path.iterdir()} == {
        "blobs",
        "ledger.sqlite",
        "ledger.sqlite.lock",
        "ledger.sqlite.turn",
    }
    with open_ledger(path) as file, file.readers.connect() as connection:
        assert connection.execute(text("SELECT device FROM device")).scalar() == "bp-0001"


@pytest.mark.parametrize("folder", ["with space", "100%20 sure?", "#1&mode=memory", "données;x", "a+b"])
def test_any_folder_name_will_do(tmp_path: Path, folder: str) -> None:
    """Writers and readers open the same file, whatever its folder is called."""
    with open_ledger(tmp_path / folder / "ledger.sqlite") as file:
        register(file, "bp-0001")
        with file.readers.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM device")).scalar() == 1
    assert [each.name for each in tmp_path.iterdir()] == [folder]


def test_the_migrations_make_the_schema(tmp_path: Path) -> None:
    """Tables, columns, keys and indexes that the migrations make are those of the schema."""
    with open_ledger(tmp_path / "ledger.sqlite") as file, file.readers.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
        made = statements(connection)
        del made["alembic_version"]
    fresh = create_engine("sqlite://")
    with fresh.begin() as connection:
        METADATA.create_all(connection)
        meant = statements(connection)
    fresh.dispose()
    assert made == meant


def test_the_newest_revision_is_known() -> None:
    """``HEAD`` names the last of the migrations."""
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == HEAD


def test_a_migration_that_is_cut_off_leaves_the_old_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Migrating is one transaction: after a failure in it, the file is as it was, and the next start migrates."""
    path = tmp_path / "ledger.sqlite"

    def fails(_connection: object) -> str:
        raise LedgerUnavailable("Cut.", "Off.", "Here.")

    with monkeypatch.context() as patched:
        patched.setattr(belonging, "name", fails)
        with pytest.raises(LedgerUnavailable):
            open_ledger(path)
    with sqlite3.connect(path) as plain:
        assert plain.execute("SELECT name FROM sqlite_master").fetchall() == []
    plain.close()
    open_ledger(path).close()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """A ledger of a later version is not touched."""
    path = tmp_path / "ledger.sqlite"
    open_ledger(path).close()
    with sqlite3.connect(path) as plain:
        plain.execute("UPDATE alembic_version SET version_num = '9999'")
    plain.close()
    before = path.read_bytes()
    with pytest.raises(LedgerRefused, match=r"schema 9999, which this program does not know.*Nothing was changed"):
        open_ledger(path)
    assert path.read_bytes() == before


def test_tables_of_another_program_are_refused(tmp_path: Path) -> None:
    """Our tables are not put among those of somebody else."""
    path = tmp_path / "ledger.sqlite"
    with sqlite3.connect(path) as plain:
        plain.execute("CREATE TABLE bookmark (url TEXT)")
    plain.close()
    with pytest.raises(LedgerRefused, match="tables of another program"):
        open_ledger(path)


@pytest.mark.parametrize("content", [b"not a database, but longer than its magic", b"short", b"\0" * 4096])
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that SQLite did not make stays as it is."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    with pytest.raises(LedgerRefused, match="not a ledger file"):
        open_ledger(path)
    assert path.read_bytes() == content


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    """A folder is no ledger."""
    with pytest.raises(LedgerRefused, match="Is a directory"):
        open_ledger(tmp_path)


def test_a_folder_that_cannot_be_written_is_refused() -> None:
    """A read-only folder is named, with what to do."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        with unprivileged(), pytest.raises(LedgerRefused, match=r"not writable.*Nothing was changed.*CONSTANTES_DATA"):
            open_ledger(folder / "ledger.sqlite")
        folder.chmod(0o755)
        assert list(folder.iterdir()) == []
