"""The doctor at ledgers of both engines: it reads only, makes nothing, and finds what keeps others out."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app import status
from app.doctor import ledger as ledger_look
from app.sockets import InstanceLock, listen
from ingest.ledger.files import open_ledger
from tests.support.servers import PostgresServer

Ask = Callable[..., Any]


@pytest.fixture
def ledger(data: Path) -> Path:
    """A ledger of this version, closed."""
    path = data / "ledger.sqlite"
    open_ledger(path).close()
    return path


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_no_ledger_is_a_note_and_none_is_made(data: Path, ask: Ask) -> None:
    """The folder stays empty."""
    assert ask("ledger").codes == {"ledger.none"}
    assert list(data.iterdir()) == []


def test_a_ledger_of_this_version_is_clean_and_not_written(ledger: Path, data: Path, ask: Ask) -> None:
    """Byte for byte the same afterwards."""
    before = bytes_of(data)
    assert ask("ledger").codes == set()
    after = {name: held for name, held in bytes_of(data).items() if not name.endswith(("-shm", "-wal"))}
    assert after == {name: held for name, held in before.items() if not name.endswith(("-shm", "-wal"))}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "ledger.newer"),
        ("UPDATE alembic_version SET version_num = '0001'", "ledger.older"),
        ("DELETE FROM meta WHERE name = 'ledger'", "ledger.no_name"),
        ("UPDATE meta SET value = 'other' WHERE name = 'blobs'", "ledger.other_folder"),
        ("DROP TABLE meta", "ledger.unreadable"),
    ],
)
def test_what_is_wrong_with_a_ledger_is_found(change: str, code: str, ledger: Path, ask: Ask) -> None:
    """Schema, name, folder."""
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute(change)
        connection.commit()
    assert ask("ledger").codes == {code}


def test_a_file_that_is_no_ledger_is_found(data: Path, ask: Ask) -> None:
    """An error, not a broken look."""
    (data / "ledger.sqlite").write_bytes(b"not a database" * 100)
    told = ask("ledger")
    assert (told.code, told.codes) == (1, {"ledger.unreadable"})


def test_a_lock_that_is_not_given_back_is_found(ledger: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who commits holds it for milliseconds; who keeps it keeps every reading out."""
    monkeypatch.setattr(ledger_look, "_PATIENCE_S", 0.2)
    held = os.open(ledger.with_name("ledger.sqlite.lock"), os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    assert ask("ledger").codes == {"ledger.locked"}
    os.close(held)
    assert ask("ledger").codes == set()


def test_an_instance_that_does_not_answer_is_found(ledger: Path, data: Path, ask: Ask) -> None:
    """Its lock is held and its socket is silent; with a socket, its gateway's own words are told."""
    with InstanceLock(data) as lock:
        assert lock.take()
        assert ask("ledger").codes == {"ledger.instance_silent"}
        with listen(data):
            status.tell(data, "gateway", ready=False, problem="the broker does not answer")
            told = ask("ledger")
            assert told.codes == {"ledger.gateway_unwell"}
            assert "the broker does not answer" in told.words("ledger.gateway_unwell")
            status.tell(data, "gateway", ready=True)
            assert ask("ledger").codes == set()


@pytest.fixture
def database(postgres_server: PostgresServer) -> dict[str, str]:
    """The settings of a ledger in an empty database."""
    url = postgres_server.database()
    return {"LEDGER__URL": url, "LEDGER__PASSWORD_FILE": str(postgres_server.password_file)}


def opened(database: dict[str, str], server: PostgresServer, data: Path) -> None:
    """Make the ledger's tables."""
    open_ledger(database["LEDGER__URL"], blobs=data / "blobs", password=server.password).close()


def test_a_database_without_tables_is_a_note_and_stays_so(
    database: dict[str, str], postgres_server: PostgresServer, ask: Ask
) -> None:
    """Nothing is migrated by looking."""
    assert ask("ledger", **database).bad == set()
    assert "ledger.empty" in ask("ledger").codes


def test_a_database_with_safe_settings_is_clean(
    database: dict[str, str], postgres_server: PostgresServer, data: Path, ask: Ask
) -> None:
    """No standby is a note; where one is required it is an error."""
    opened(database, postgres_server, data)
    told = ask("ledger", **database)
    assert (told.code, told.bad) == (0, set())
    assert "ledger.no_standby" in told.codes
    assert ask("ledger", LEDGER__STANDBY="required").bad == {"ledger.standby_required"}


def test_a_database_that_answers_early_is_found(
    database: dict[str, str], postgres_server: PostgresServer, data: Path, ask: Ask
) -> None:
    """The role's own setting counts, not the server's."""
    opened(database, postgres_server, data)
    plain = database["LEDGER__URL"].replace("+psycopg", "")
    with psycopg.connect(plain, password=postgres_server.password, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off'.encode())
    assert ask("ledger", **database).bad == {"ledger.server_early"}


def test_a_database_that_cannot_be_reached_is_found(data: Path, ask: Ask) -> None:
    """Nobody listens there; no password and no row is told."""
    told = ask("ledger", LEDGER__URL="postgresql+psycopg://constantes@127.0.0.1:1/constantes")
    assert (told.code, told.codes) == (1, {"ledger.unreadable"})
    assert "nobody listens there" in told.words("ledger.unreadable")
