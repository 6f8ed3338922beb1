"""Segments: closed runs of rows are sealed, and what is taken out or rewritten afterwards shows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection

from ingest.ledger import sealing
from ingest.ledger.faults import LedgerRefused
from ingest.ledger.files import OpenLedger
from ingest.ledger.integrity import row_hash
from ingest.ledger.looks import Fault, note_known, refuse_changed, unsealed_faults
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.rows import journal_hash
from ingest.ledger.sealing import HOUR, Sealer
from ingest.ledger.verify import verify
from registry import audit
from tests.support.engines import Place, in_a_database, in_a_file
from tests.support.ledgers import NOW, reading, register

START = NOW // HOUR * HOUR
HOURS, EACH = 3, 4
SEALED_ROWS = int(os.environ.get("CONSTANTES_TEST_SEALED_ROWS", "3000"))


def commit(file: OpenLedger, seqs: Sequence[int], at: int) -> None:
    """Readings that are kept at an instant."""
    RelationalLedger(file).commit([reading(seq) for seq in seqs], at).result(10)


def seal(file: OpenLedger, at: int) -> int:
    """Seal all that is closed at an instant; returns how many segments that made."""
    sealer, made = Sealer(file, lambda: at), 0
    while more := sealer.step():
        made += more
    return made


def faults(file: OpenLedger) -> set[tuple[str, int | None, str]]:
    """What `verify` finds."""
    with file.readers.connect() as connection:
        return {(fault.table, fault.position, fault.what) for fault in verify(connection).faults}


def change(file: OpenLedger, statement: str, *values: Any) -> None:  # noqa: ANN401 - values of SQL
    """Tamper."""
    file.writer.write(lambda connection: connection.exec_driver_sql(statement, values))


@pytest.fixture
def sealed(file: OpenLedger) -> OpenLedger:
    """A ledger with three sealed hours of four readings and an access each, and one hour that is open."""
    register(file, "bp-0001")
    for hour in range(HOURS + 1):
        commit(file, range(hour * EACH, (hour + 1) * EACH), START + hour * HOUR)
        audit.note(file.writer, audit.Access(START + hour * HOUR, "soft", audit.Action.READ, "Patient", "p", 1))
    assert seal(file, START + HOURS * HOUR) == HOURS * 3
    return file


def test_closed_hours_are_sealed_and_fit(sealed: OpenLedger) -> None:
    """Each closed hour of each table has its segment, the open hour has none, and all is sound."""
    with sealed.readers.connect() as connection:
        rows = connection.exec_driver_sql('SELECT "of", "first", "last", "rows" FROM segment ORDER BY segment').all()
        found = verify(connection)
        assert sealing.ends(connection) == {"journal": 12, "reading": 12, "feed": 0, "audit": 3}
    assert [tuple(row) for row in rows if row[0] == "journal"] == [
        ("journal", 1, 4, 4), ("journal", 5, 8, 4), ("journal", 9, 12, 4),
    ]  # fmt: skip
    assert {row[0] for row in rows} == {"journal", "reading", "audit"}
    assert found.faults == ()
    assert found.head is not None
    assert found.head.startswith("9:")


def test_an_hour_is_sealed_when_it_is_over(file: OpenLedger) -> None:
    """Not before: and a clock that is set back afterwards makes another run, which is sealed as well."""
    commit(file, range(4), START + HOUR)
    assert seal(file, START + 2 * HOUR - 1) == 0
    assert seal(file, START + 2 * HOUR) == 2
    commit(file, range(4, 6), START + HOUR)
    commit(file, range(6, 8), START)
    assert seal(file, START) == 2
    assert seal(file, START + HOUR) == 2
    assert faults(file) == set()


def test_a_full_run_does_not_wait_for_its_hour(file: OpenLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a start has to look at stays short however much an hour brings."""
    monkeypatch.setattr(sealing, "MOST", 5)
    commit(file, range(13), START)
    assert seal(file, START) == 4
    assert faults(file) == set()


def rehashed(position: int) -> Callable[[Connection], None]:
    """Change a journal row together with its own hash."""

    def job(connection: Connection) -> None:
        row = list(connection.exec_driver_sql("SELECT * FROM journal WHERE position = ?", (position,)).one())
        row[1] += 1
        connection.exec_driver_sql(
            "UPDATE journal SET received_at = ?, row_hash = ? WHERE position = ?",
            (row[1], journal_hash(row[:-1]), position),
        )

    return job


def test_a_row_changed_with_its_own_hash_shows(sealed: OpenLedger) -> None:
    """Its hash is right and its seal is not."""
    sealed.writer.write(rehashed(6))
    assert faults(sealed) == {("journal", 5, "sealed_rows_changed")}


@pytest.mark.parametrize(("position", "first"), [(6, 5), (8, 5), (12, 9)])
def test_a_row_taken_out_shows(sealed: OpenLedger, position: int, first: int) -> None:
    """In the middle of a segment or at its end, on either engine, with everything that belongs to it."""
    seq = position - 1
    change(sealed, "DELETE FROM measurement WHERE position = ?", position)
    for table in ("journal", "reading"):
        change(sealed, f"DELETE FROM {table} WHERE position = ?", position)  # noqa: S608 - two names
    change(sealed, "DELETE FROM key WHERE seq = ?", seq)
    found = faults(sealed)
    assert {("journal", first, "sealed_rows_missing"), ("reading", first, "sealed_rows_missing")} <= found


def test_a_row_put_in_shows(sealed: OpenLedger) -> None:
    """A reading that came into a sealed run later was never sealed."""
    change(sealed, "DELETE FROM segment WHERE segment > 6")
    change(sealed, "UPDATE audit SET position = 7 WHERE position = 1")
    assert ("audit", 1, "sealed_rows_missing") in faults(sealed)


@pytest.mark.parametrize(("gone", "told"), [("= 4", 4), ("= 9", 9), ("> 6", 7), ("> 0", 1)])
def test_a_segment_taken_out_shows(sealed: OpenLedger, gone: str, told: int) -> None:
    """One in the middle, the last one, the last ones, or all."""
    change(sealed, f"DELETE FROM segment WHERE segment {gone}")  # noqa: S608 - the parameters above
    assert ("segment", told, "segment_missing") in faults(sealed)


def test_a_changed_segment_shows(sealed: OpenLedger) -> None:
    """By its own hash; with that put right, by the rows and by the next one."""
    change(sealed, 'UPDATE segment SET "rows" = 5 WHERE segment = 1')
    assert ("segment", 1, "row_hash") in faults(sealed)
    with sealed.readers.connect() as connection:
        row = connection.exec_driver_sql("SELECT * FROM segment WHERE segment = 1").one()
    change(sealed, "UPDATE segment SET row_hash = ? WHERE segment = 1", row_hash(row[:-1]))
    found = faults(sealed)
    assert ("segment", 1, "row_hash") not in found
    assert ("journal", 1, "sealed_rows_missing") in found


def test_a_segment_sealed_anew_shows_at_the_next_one(sealed: OpenLedger) -> None:
    """Somebody who changes a row, its hash and its seal has to change every later seal too, and the head."""
    sealed.writer.write(rehashed(2))
    with sealed.readers.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM segment ORDER BY segment").all()
        counted, told = sealing.digest(connection, "journal", 1, 4)
    first = [*rows[0][:5], row_hash((1, "journal", 1, 4, counted, told, b"")), rows[0][6]]
    change(sealed, "UPDATE segment SET hash = ?, row_hash = ? WHERE segment = 1", first[5], row_hash(first))
    assert faults(sealed) == {("reading", 1, "sealed_rows_changed")}


def test_two_sealers_do_no_harm(sealed: OpenLedger) -> None:
    """One that has looked, and writes after another one sealed the same, writes nothing."""
    late = START + (HOURS + 1) * HOUR
    first, second = Sealer(sealed, lambda: late), Sealer(sealed, lambda: late)
    made: list[int] = []

    def between() -> int:
        if not made:
            made.append(first.step())
        return late

    second.now = between
    assert (second.step(), made) == (0, [3])
    assert faults(sealed) == set()


@in_a_database
def test_what_a_writer_still_adds_is_not_sealed(place: Place, file: OpenLedger) -> None:
    """A position that another gateway has drawn and not committed holds the seal back, whatever came behind it."""
    commit(file, range(2), START)
    with place.open() as other:
        engine = other.store.engine if other.store is not None else None
        assert engine is not None
        with engine.connect() as connection, connection.begin():
            from ingest.ledger.postgres import positions

            positions(connection, 1)
            commit(file, range(2, 4), START)
            assert seal(file, START + HOUR) == 2
            with file.readers.connect() as reader:
                assert sealing.ends(reader)["journal"] == 2
    assert seal(file, START + HOUR) == 2
    with file.readers.connect() as reader:
        assert sealing.ends(reader)["journal"] == 5
    assert faults(file) == set()


# ---------------------------------------------------------------- at the start


def test_a_ledger_as_written_starts(sealed: OpenLedger) -> None:
    """Nothing is refused."""
    refuse_changed(sealed)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE journal SET received_at = 1 WHERE position = 14", "journal 14"),
        ("UPDATE measurement SET value = '1' WHERE position = 14 AND ordinal = 0", "reading 14"),
        ("UPDATE audit SET who = 'other' WHERE position = 4", "audit 4"),
    ],
)
def test_a_changed_row_is_refused_until_somebody_knows(sealed: OpenLedger, statement: str, named: str) -> None:
    """The row is named, and so is the way out; a person who knows of it may go on, and `verify` goes on naming it."""
    change(sealed, statement)
    with pytest.raises(LedgerRefused, match=rf"1 rows .* {named}\. .*Nothing was started.*ledger known"):
        refuse_changed(sealed)
    known = sealed.writer.write(lambda connection: note_known(connection, "@operator", NOW))
    assert [f"{fault.table} {fault.position}" for fault in known] == [named]
    refuse_changed(sealed)
    table, position = named.split()
    assert (table, int(position), "row_hash") in faults(sealed)


def test_a_sealed_row_is_left_to_verify(sealed: OpenLedger) -> None:
    """What is sealed is not looked at when a part starts."""
    change(sealed, "UPDATE journal SET received_at = 1 WHERE position = 2")
    with sealed.readers.connect() as connection:
        assert unsealed_faults(connection) == []
        assert Fault("journal", 2, "row_hash") in verify(connection).faults


@in_a_file
def test_the_look_at_start_does_not_grow_with_what_is_sealed(file: OpenLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """With many sealed rows and few others, it reads few."""
    for start in range(0, SEALED_ROWS, 1000):
        commit(file, range(start, start + 1000), START)
    seal(file, START + HOUR)
    commit(file, range(SEALED_ROWS, SEALED_ROWS + 10), START + HOUR)
    read: list[int] = []
    from ingest.ledger import looks

    pages = looks.pages

    def counted(*args: Any) -> Any:  # noqa: ANN401 - as the function
        for page in pages(*args):
            read.append(len(page.rows))
            yield page

    monkeypatch.setattr(looks, "pages", counted)
    began = time.monotonic()
    refuse_changed(file)
    took = time.monotonic() - began
    assert sum(read) == 20

    print(f"{SEALED_ROWS} sealed rows: {took * 1000:.1f} ms")  # noqa: T201 - a figure, shown when the test runs alone
