"""Which servers and databases are written to, and what is said of the others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from ingest.ledger import belonging
from ingest.ledger.faults import LedgerRefused, LedgerUnavailable
from ingest.ledger.files import HEAD, open_ledger, revision
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.schema import CURSOR, METADATA
from scripts.services.postgres import Server as NativePostgres
from scripts.services.process import free_port
from tests.ledger.jobs import names, note
from tests.ledger.two_writers import commit
from tests.support.engines import Place
from tests.support.ledgers import reading
from tests.support.servers import PostgresServer

pytestmark = pytest.mark.services


def test_many_may_start_at_once(postgres_server: PostgresServer, tmp_path: Path) -> None:
    """Processes that find an empty database make one ledger of it."""
    url = postgres_server.database()

    def opened(_number: int) -> str:
        with open_ledger(url, blobs=tmp_path / "blobs", password=postgres_server.password) as file:
            return file.name

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(opened, range(6)))) == 1


def test_the_migrations_make_the_schema(where: Place) -> None:
    """The same migrations as on SQLite: tables, columns with 64 bits and byte order, keys and indexes."""
    with where.open() as file, file.readers.connect() as connection:
        assert revision(connection) == HEAD
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
        kinds = connection.execute(
            text("SELECT DISTINCT data_type, collation_name FROM information_schema.columns WHERE table_name = 'feed'")
        ).all()
    assert {tuple(kind) for kind in kinds} == {("bigint", None), ("text", "C"), ("bytea", None)}


def test_a_newer_schema_is_refused(postgres_server: PostgresServer, tmp_path: Path) -> None:
    """A ledger of a later version is not touched; a migration that is cut off leaves the old schema."""
    url = postgres_server.database()
    with open_ledger(url, blobs=tmp_path / "blobs", password=postgres_server.password) as file:
        file.writer.write(
            lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        )
    with pytest.raises(LedgerRefused, match="schema 9999"):
        open_ledger(url, blobs=tmp_path / "blobs", password=postgres_server.password)


def test_a_migration_that_is_cut_off_leaves_nothing(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Migrating is one transaction: after a failure in it there is no table, and the next start migrates."""
    url = postgres_server.database()

    def fails(_connection: object) -> str:
        raise LedgerUnavailable("Cut.", "Off.", "Here.")

    with monkeypatch.context() as patched:
        patched.setattr(belonging, "name", fails)
        with pytest.raises(LedgerUnavailable, match="Cut"):
            open_ledger(url, blobs=tmp_path / "blobs", password=postgres_server.password)
    with psycopg.connect(url.replace("+psycopg", ""), password=postgres_server.password) as owner:
        found = owner.execute("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'").fetchone()
    assert found == (0,)
    open_ledger(url, blobs=tmp_path / "blobs", password=postgres_server.password).close()


def test_a_wrong_password_is_not_quoted(postgres_server: PostgresServer, tmp_path: Path) -> None:
    """A server that lets nobody in is unavailable; the fault says why, and neither the password nor the user."""
    with pytest.raises(LedgerUnavailable, match="the password is not accepted") as found:
        open_ledger(postgres_server.url, blobs=tmp_path / "blobs", password="s3cret")
    assert "s3cret" not in str(found.value)
    assert found.value.__cause__ is None


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Of several hosts none of which answers, the fault says that nobody listens."""
    url = f"postgresql+psycopg://constantes@127.0.0.1:{free_port()},127.0.0.1:{free_port()}/constantes"
    with pytest.raises(LedgerUnavailable, match="nobody listens"):
        open_ledger(url, blobs=tmp_path / "blobs")


def test_another_program_s_database_is_refused(postgres_server: PostgresServer, tmp_path: Path) -> None:
    """Tables that are no ledger's are left alone."""
    url = postgres_server.database()
    with open_ledger(url, blobs=tmp_path / "blobs", password=postgres_server.password) as file:
        file.writer.write(lambda connection: connection.execute(text("DROP TABLE alembic_version")))
    with pytest.raises(LedgerRefused, match="another program"):
        open_ledger(url, blobs=tmp_path / "blobs", password=postgres_server.password)


def test_a_database_without_utf8_is_refused(postgres_server: PostgresServer, tmp_path: Path) -> None:
    """Words of devices are Unicode."""
    if not isinstance(postgres_server, NativePostgres):
        pytest.skip("the server in a container makes databases of one kind only")
    url = f"{postgres_server.database()}_latin"
    postgres_server.execute(
        "CREATE DATABASE {} OWNER constantes ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
        sql.Identifier(url.rpartition("/")[2]),
    )
    with pytest.raises(LedgerRefused, match="LATIN1"):
        open_ledger(url, blobs=tmp_path / "blobs", password=postgres_server.password)


def test_a_database_needs_a_folder_for_blobs(where: Place) -> None:
    """Large contents are files, also with a database."""
    with pytest.raises(LedgerRefused, match="folder"):
        open_ledger(where.where)


def test_a_line_that_was_cut_is_made_anew(where: Place) -> None:
    """After a restart of the server nobody's first word fails: neither a job's nor a reader's."""
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    with where.open() as file:
        file.writer.write(note("before"))
        assert names(file) == {"before"}
        with psycopg.connect(str(where.where).replace("+psycopg", ""), password=where.password) as owner:
            owner.execute(f"{others} AND pid != pg_backend_pid()")
        assert names(file) == {"before"}
        file.writer.write(note("after"))
        assert names(file) == {"before", "after"}


def test_without_a_standby_it_is_said(where: Place) -> None:
    """Where nobody requires one, the ledger works and warns."""
    with where.open() as file:
        commit(file, reading(0))
        assert file.warning is not None
        assert "standby" in file.warning


def test_a_standby_that_is_required_and_missing_stops_writing(where: Place) -> None:
    """Nothing is written to a server that does not wait for one, from the start on."""
    with pytest.raises(LedgerUnavailable, match="standby is required"):
        open_ledger(where.where, blobs=where.blobs, password=where.password, standby="required")


def test_a_server_that_answers_before_it_has_written_is_not_written_to(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """``synchronous_commit=off`` would acknowledge what a crash takes; ``local``, what the loss of a machine takes."""
    url = postgres_server.database()
    name = sql.Identifier(url.rpartition("/")[2])
    for setting in ("local", "off"):
        with psycopg.connect(url.replace("+psycopg", ""), password=postgres_server.password) as owner:
            owner.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = {}").format(name, sql.Literal(setting)))
        if setting == "off":
            with pytest.raises(LedgerUnavailable, match="synchronous_commit"):
                open_ledger(url, blobs=tmp_path / "blobs", password=postgres_server.password)
        else:
            with open_ledger(url, blobs=tmp_path / "blobs", password=postgres_server.password) as file:
                assert file.warning is not None


def test_no_error_of_the_server_quotes_a_row(where: Place) -> None:
    """Of the server's words, which quote values, only names of tables and constraints are passed on."""
    with where.open() as file:
        file.writer.write(note("QUOTED-WORD"))
        for job in (
            note("QUOTED-WORD"),
            lambda connection: connection.execute(text("SELECT CAST('QUOTED-WORD' AS integer)")),
        ):
            with pytest.raises(DBAPIError) as found:
                file.writer.write(job)
            assert "QUOTED-WORD" not in str(found.value.orig)
            assert found.value.orig is not None
            assert "QUOTED-WORD" not in repr(found.value.orig.args)


def test_cursors_begin_where_they_were(where: Place) -> None:
    """Cursors are rows like others: what one process noted the next one finds."""
    with where.open() as file:
        RelationalLedger(file).note_told(7)
        RelationalLedger(file).note_told(9)
    with where.open() as file, file.readers.connect() as connection:
        assert RelationalLedger(file).told() == 9
        assert connection.execute(select(CURSOR.c.position)).scalars().all() == [9]
