"""PostgreSQL as the suites use it: killed, started again with its data, followed and replaced by a standby."""

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Thread
from typing import LiteralString

import psycopg
import pytest
from psycopg import errors

from scripts.services import cluster, postgres
from tests.support.servers import PostgresServer

Own = Callable[[], AbstractContextManager[postgres.Server]]
DRIVER = "+psycopg"


def query(server: PostgresServer, url: str, statement: LiteralString) -> list[tuple[object, ...]]:
    """Run one statement with the ledger's role in a transaction of its own; its rows."""
    with psycopg.connect(url.replace(DRIVER, ""), password=server.password) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_postgres_keeps_what_was_committed_through_kills(postgres_server: PostgresServer) -> None:
    """What a commit returned for is there after SIGKILL and after SIGQUIT, at the same address."""
    url = postgres_server.database()
    query(postgres_server, url, "CREATE TABLE kept (at serial)")
    for number in (signal.SIGKILL, signal.SIGQUIT):
        query(postgres_server, url, "INSERT INTO kept DEFAULT VALUES")
        before = postgres_server.pid
        postgres_server.kill(number)
        assert postgres_server.pid == 0
        postgres_server.start()
        assert postgres_server.pid not in {0, before}
    assert len(query(postgres_server, url, "SELECT at FROM kept")) == 2


def test_postgres_gives_each_asker_an_empty_database(postgres_server: PostgresServer) -> None:
    """Two tests never meet in one database."""
    first, second = postgres_server.database(), postgres_server.database()
    query(postgres_server, first, "CREATE TABLE kept (at integer)")
    assert query(postgres_server, second, "SELECT 1 FROM pg_tables WHERE tablename = 'kept'") == []


def test_postgres_gives_the_ledger_no_right_beyond_its_databases(postgres_server: PostgresServer) -> None:
    """A role that may do everything here would hide a right that production does not give."""
    assert query(postgres_server, postgres_server.url, "SELECT current_user") == [("constantes",)]
    with pytest.raises(errors.InsufficientPrivilege):
        query(postgres_server, postgres_server.url, "CREATE ROLE other")


def test_postgres_asks_for_the_password(postgres_server: PostgresServer) -> None:
    """A ledger that forgets its password file does not get in by the back door."""
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(postgres_server.url.replace(DRIVER, ""), password="wrong")


@pytest.mark.parametrize(
    "statement", ["SHOW fsync", "SHOW full_page_writes", "SHOW synchronous_commit", "SHOW data_checksums"]
)
def test_postgres_commits_as_in_production(postgres_server: PostgresServer, statement: LiteralString) -> None:
    """Nothing that makes a commit safe is switched off for the tests' speed."""
    assert query(postgres_server, postgres_server.url, statement) == [("on",)]


def test_a_standby_takes_over_with_every_commit(native_postgres: Own) -> None:
    """What was committed is on the standby when the primary ends; promoted, it takes more."""
    with native_postgres() as primary:
        query(primary, primary.url, "CREATE TABLE kept (at integer)")
        standby = primary.standby()
        query(primary, primary.url, "INSERT INTO kept VALUES (1)")
        with pytest.raises(errors.ReadOnlySqlTransaction):
            query(standby, standby.url, "INSERT INTO kept VALUES (2)")
        primary.kill(signal.SIGQUIT)
        standby.promote()
        query(standby, standby.url, "INSERT INTO kept VALUES (3)")
        assert query(standby, standby.url, "SELECT at FROM kept ORDER BY at") == [(1,), (3,)]


def test_a_commit_waits_for_a_standby_that_is_away(native_postgres: Own) -> None:
    """While the standby is dead a commit does not return; when it is back, it does."""
    with native_postgres() as primary:
        query(primary, primary.url, "CREATE TABLE kept (at integer)")
        standby = primary.standby()
        standby.kill()
        late = Thread(target=query, args=(primary, primary.url, "INSERT INTO kept VALUES (1)"))
        late.start()
        late.join(0.5)
        assert late.is_alive()
        standby.start()
        late.join(30)
        assert not late.is_alive()


def test_the_file_that_lays_out_production_lays_out_the_tests() -> None:
    """Every secret that deploy/postgres reads is one that a native server has."""
    text = cluster.SHIPPED.read_text("utf-8")
    read = {part.partition("`")[0].strip() for part in text.split(f"`cat {cluster.INSIDE}/")[1:]}
    assert read == set(cluster.SECRETS)
