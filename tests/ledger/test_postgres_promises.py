"""What a PostgreSQL server may do to a ledger, and what is told then: nothing that a device could take for kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError

from ingest.ledger import reaching
from ingest.ledger.balance import balance
from ingest.ledger.faults import LedgerRefused, LedgerUnavailable
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.schema import JOURNAL
from ingest.ledger.verify import verify
from ingest.model import Outcome
from scripts.probes.brokers import until
from scripts.services.postgres import Server
from tests.ledger.jobs import names, note
from tests.ledger.two_writers import PATIENCE_S, commit, held_open
from tests.support.engines import Place
from tests.support.ledgers import NOW, reading

pytestmark = pytest.mark.services

A_WHILE_S = 0.3  # in which what has to wait would have been done
NOBODY = "FIRST 1 (nobody)"
WAITING = "SELECT {} FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture(scope="module")
def server(native_postgres: Callable[[], AbstractContextManager[Server]]) -> Iterator[Server]:
    """A server whose settings these tests change."""
    with native_postgres() as running:
        yield running


@pytest.fixture
def site(server: Server, tmp_path: Path) -> Iterator[Place]:
    """A ledger on it, made before anything is changed."""
    made = Place(server.database(), tmp_path / "blobs", server.password)
    made.open().close()
    yield made
    server.execute("ALTER SYSTEM RESET ALL")
    server.wait_for("")


def as_owner(place: Place, *statements: str) -> None:
    """What the owner of the tables does beside the ledger."""
    with psycopg.connect(str(place.where).replace("+psycopg", ""), password=place.password, autocommit=True) as owner:
        for statement in statements:
            owner.execute(statement.encode())


def stands(server: Server, setting: bytes, value: str) -> None:
    """Return when new statements see it."""
    with server._connect() as connection:  # noqa: SLF001 - what tells of this server
        until(lambda: connection.execute(b"SHOW " + setting).fetchone() == (value,), "the setting stands")


def away(server: Server) -> None:
    """From here on each commit waits for a standby that is not there."""
    server.wait_for(NOBODY)
    stands(server, b"synchronous_standby_names", NOBODY)


def test_a_wait_for_the_standby_that_is_cancelled_keeps_nothing(server: Server, site: Place) -> None:
    """PostgreSQL then answers COMMIT with success: nobody is told so, and who comes again waits for the standby too."""
    with site.open() as file:
        commit(file, reading(0))
        away(server)
        done = RelationalLedger(file).commit([reading(1)], NOW)
        until(lambda: bool(server.execute(WAITING, _sql("pid"))), "the commit waits")
        server.execute(WAITING, _sql("pg_cancel_backend(pid)"))
        fault = done.exception(PATIENCE_S)
        assert isinstance(fault, LedgerUnavailable)
        assert "standby" in fault.happened
        again = RelationalLedger(file).commit([reading(1)], NOW)
        with pytest.raises(TimeoutError):
            again.result(A_WHILE_S)
        server.wait_for("")
        (kept,) = again.result(PATIENCE_S)
        assert (kept.outcome, kept.repeat) == (Outcome.STORED, True)  # type: ignore[union-attr]


def test_who_finds_all_kept_waits_for_the_standby_too(server: Server, site: Place) -> None:
    """A job that writes nothing stands on commits before it, which the standby may not have yet."""
    with site.open() as file:
        file.writer.write(note("before"))
        away(server)
        looks = file.writer.submit(lambda _connection: None)
        with pytest.raises(TimeoutError):
            looks.result(A_WHILE_S)
        server.wait_for("")
        looks.result(PATIENCE_S)


def test_a_warning_of_a_job_is_no_warning_of_its_commit(where: Place) -> None:
    """What the server warns of before the commit says nothing of the commit."""
    with where.open() as file:
        for end in ("", "; SELECT CAST('no number' AS integer)"):
            job = f"DO $$ BEGIN RAISE WARNING 'of the job'; END $${end}"
            done = file.writer.submit(lambda connection, job=job: connection.execute(text(job)).close())  # type: ignore[misc]
            assert not isinstance(done.exception(PATIENCE_S), LedgerUnavailable)


def test_closing_does_not_wait_for_a_standby(server: Server, site: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program ends although the standby is away: nothing was acknowledged."""
    monkeypatch.setattr("ingest.ledger.writer._LEAVES_S", 0.3)
    file = site.open()
    away(server)
    done = RelationalLedger(file).commit([reading(0)], NOW)
    closer = threading.Thread(target=file.close, daemon=True)
    closer.start()
    closer.join(PATIENCE_S / 2)
    ended = not closer.is_alive()
    server.wait_for("")
    closer.join(PATIENCE_S)
    assert ended
    assert isinstance(done.exception(0), LedgerUnavailable)


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_a_power_cut_would_rob_is_not_written_to(where: Place, setting: str) -> None:
    """Each transaction looks: somebody may change it while the ledger is open."""
    with where.open() as file:
        file.writer.write(note("before"))
        as_off(file, setting)
        with pytest.raises(LedgerUnavailable, match=f"{setting}=off"):
            file.writer.write(note("after"))
        assert names(file) == {"before"}


def as_off(file: OpenLedger, setting: str) -> None:
    """Let the server say of a setting that it is off; its command line, which says on, cannot be overruled."""

    def said(_c: object, _cursor: object, statement: str, parameters: Any, *_: object) -> tuple[str, Any]:  # noqa: ANN401
        return statement.replace(f"current_setting('{setting}')", "'off'"), parameters

    assert file.store is not None
    event.listen(file.store.engine, "before_cursor_execute", said, retval=True)


def test_a_standby_that_answers_before_its_disk_is_none(server: Server, site: Place) -> None:
    """``remote_write`` is refused where a standby is required, and said where it is not."""
    away(server)
    with server._connect() as connection:  # noqa: SLF001
        connection.execute("SET synchronous_commit = local")
        name = str(site.where).rpartition("/")[2]
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = remote_write".encode())
    with pytest.raises(LedgerUnavailable, match="standby is required"):
        open_ledger(site.where, blobs=site.blobs, password=site.password, standby="required")
    with site.open() as file:
        assert "remote_write" in str(file.warning)


TAKEN = (
    ("REVOKE INSERT ON measurement FROM constantes", "GRANT INSERT ON measurement TO constantes", "42501"),
    ("ALTER TABLE journal RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO journal", "42P01"),
)


@pytest.mark.parametrize(("takes", "gives", "code"), TAKEN)
def test_what_the_server_lacks_is_no_fault_of_a_message(where: Place, takes: str, gives: str, code: str) -> None:
    """Without a right or a table nothing is kept, nobody is told a verdict, and with it all goes on."""
    with where.open() as file:
        as_owner(where, takes)
        try:
            with pytest.raises(LedgerUnavailable, match=code):
                commit(file, reading(0))
        finally:
            as_owner(where, gives)
        (kept,) = commit(file, reading(0))
        assert (kept.outcome, kept.repeat) == (Outcome.STORED, False)


def test_a_position_that_is_taken_is_no_fault_of_a_message(where: Place) -> None:
    """The sequence is wrong then; another key that is taken, and a value that cannot be sent, are the job's."""
    with where.open() as file:
        commit(file, reading(0))
        as_owner(where, "SELECT setval('journal_position_seq', 1, false)")
        with pytest.raises(LedgerUnavailable, match="23505"):
            commit(file, reading(1))
        for wrong in (note("ledger"), note("nul\0")):
            with pytest.raises(DBAPIError):
                file.writer.write(wrong)


def test_a_user_who_may_not_write_is_refused(where: Place) -> None:
    """At the start, and in plain words."""
    as_owner(where, "REVOKE INSERT ON journal FROM constantes")
    try:
        with pytest.raises(LedgerRefused, match="may not write"):
            where.open()
    finally:
        as_owner(where, "GRANT INSERT ON journal TO constantes")


SEQUENCES = ("journal_position_seq", "confirmed_position_seq", "later_position_seq", "due_position_seq", "gap_gap_seq")
BACK = tuple(f"SELECT setval('{name}', 1, false)" for name in SEQUENCES)


def last_values(place: Place) -> list[int]:
    """Of each sequence."""
    with psycopg.connect(str(place.where).replace("+psycopg", ""), password=place.password) as owner:
        wanted = sql.SQL("SELECT last_value FROM {}")
        return [owner.execute(wanted.format(sql.Identifier(name))).fetchall()[0][0] for name in SEQUENCES]


def test_numbers_go_on_behind_the_highest_that_is_used(where: Place) -> None:
    """After a restore of rows alone: behind each table's rows, and behind the cursors of those who follow them."""
    with where.open() as file:
        commit(file, reading(0), reading(4))
    as_owner(
        where,
        *BACK,
        "INSERT INTO cursor VALUES ('publish', 7), ('later', 5), ('in_record', 3)",
        "INSERT INTO confirmed VALUES (6, 1, 'bp-0001', 0)",
        "INSERT INTO due VALUES (8, 'device', 'bp-0001')",
    )
    with where.open() as file:
        assert last_values(where) == [7, 6, 5, 8, 1]
        commit(file, reading(5))
        with file.readers.connect() as connection:
            assert connection.execute(select(JOURNAL.c.position).order_by(JOURNAL.c.position)).scalars().all()[-1] == 8
    as_owner(where, "SELECT setval('journal_position_seq', 100)")
    with where.open():
        assert last_values(where)[0] == 100


def test_numbers_are_set_forward_while_nobody_draws_any(two: tuple[OpenLedger, OpenLedger], where: Place) -> None:
    """Else what a commit has drawn meanwhile would be given a second time."""
    commit(two[0], reading(0))
    as_owner(where, "INSERT INTO cursor VALUES ('publish', 7)")
    opened: list[OpenLedger] = []
    opening = threading.Thread(target=lambda: opened.append(where.open()))
    with held_open(two[1], [reading(1)], {"bp-0001"}):
        opening.start()
        opening.join(2 * A_WHILE_S)
        assert not opened
    opening.join(PATIENCE_S)
    opened[0].close()


def test_readers_do_not_wait_for_ever(where: Place) -> None:
    """Neither for a lock nor for an answer; what reads everything has the time that it takes."""
    asked = text("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
    with where.open() as file:
        for whole in (verify, balance):
            with file.readers.connect() as connection:
                assert tuple(connection.execute(asked).one()) == ("10s", "30s")
                whole(connection)
                assert tuple(connection.execute(asked).one()) == ("10s", "0")


def test_text_is_utf8_whatever_the_environment_says(where: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """``PGCLIENTENCODING`` is libpq's, and would let words of devices fail."""
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with where.open() as file:
        file.writer.write(note("œil"))
        assert names(file) == {"œil"}


def test_a_pooler_that_drops_session_options_is_named(where: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them a commit would wait for ever, or see less than what was committed before it."""
    whole, left = reaching.Address.parameters, [""]

    def without(self: reaching.Address, session: dict[str, str], who: str) -> dict[str, Any]:
        return whole(self, session, who) | {"options": left[0]}

    monkeypatch.setattr(reaching.Address, "parameters", without)
    with pytest.raises(LedgerUnavailable, match="pooler that drops session options"):
        where.open()
    left[0] = "-c lock_timeout=10s -c default_transaction_isolation=repeatable\\ read"
    with pytest.raises(LedgerUnavailable, match="pooler that drops session options"):
        where.open()
    left[0] = "-c lock_timeout=10s"
    where.open().close()


def test_a_lock_that_is_not_given_names_the_standby(where: Place) -> None:
    """Who waits for a lock may be waiting for a commit that waits for its standby."""
    raises = text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '55P03'; END $$")
    with where.open() as file, pytest.raises(LedgerUnavailable, match="waiting for its standby"):
        file.writer.write(lambda connection: connection.execute(raises))


def _sql(words: LiteralString) -> sql.SQL:
    return sql.SQL(words)
