"""A ledger of every released schema, opened by today's program: the same rows, and nothing wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from ingest.ledger import belonging, files
from ingest.ledger.files import HEAD, open_ledger, revision
from ingest.ledger.reaching import Address
from ingest.ledger.reaching import writing_engine as line_to
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.schema import METADATA
from ingest.ledger.sealing import HOUR, Sealer
from ingest.ledger.sqlite import writing_engine
from ingest.ledger.verify import verify
from registry import audit
from tests.support.engines import ENGINES
from tests.support.ledgers import NOW, judged, reading, register
from tests.support.servers import PostgresServer

MIGRATIONS = Path(files.__file__).with_name("migrations")
RELEASED = sorted(each.revision for each in ScriptDirectory(str(MIGRATIONS)).walk_revisions() if each.revision != HEAD)

Rows: TypeAlias = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Empty:
    """A place where nothing is yet, and a line to it."""

    where: Path | str
    engine: Engine
    password: str | None = None


@pytest.fixture(params=ENGINES)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Empty]:
    """On each engine."""
    if request.param == "sqlite":
        path = tmp_path / "ledger.sqlite"
        found = Empty(path, writing_engine(path))
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.database()
        found = Empty(url, line_to(Address(url, server.password)), server.password)
    yield found
    found.engine.dispose()


def real_rows(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows as a gateway, an office and a reader of the record make them, by table."""
    with open_ledger(folder / "source" / "ledger.sqlite") as file:
        register(file, "bp-0001")
        again = [reading(3), reading(4, systolic=140), judged(b"{}"), judged(b"not json")]
        RelationalLedger(file).commit([*(reading(seq) for seq in range(20)), *again], NOW).result(10)
        audit.note(file.writer, audit.Access(NOW, "soft", audit.Action.READ, "Patient", "p", 1))
        with file.readers.connect() as connection:
            return {
                name: [dict(row._mapping) for row in connection.execute(table.select())]  # noqa: SLF001 - SQLAlchemy's name
                for name, table in METADATA.tables.items()
            }


def made_by(
    connection: Connection, old: str, rows: dict[str, list[dict[str, Any]]]
) -> dict[str, list[tuple[Any, ...]]]:
    """Make a ledger of an old schema with these rows; returns what it holds, of the tables it has."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, old)
    tables = set(inspect(connection).get_table_names())
    for name in tables & set(rows):
        if name != "meta" and rows[name]:
            connection.execute(METADATA.tables[name].insert(), rows[name])
    connection.execute(METADATA.tables["meta"].insert(), [{"name": belonging.NAME, "value": "0badcafe"}])
    return held(connection, tables & set(METADATA.tables))


def held(connection: Connection, tables: set[str]) -> Rows:
    """Every row of these tables, but for what belongs to a folder."""
    return {
        name: sorted(
            tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)
            for row in connection.execute(text(f'SELECT * FROM "{name}"'))  # noqa: S608 - the schema's names
            if row[0] != belonging.FOLDER
        )
        for name in tables
    }


@pytest.mark.parametrize("old", RELEASED)
def test_a_released_ledger_opens_with_all_its_rows(empty: Empty, old: str, tmp_path: Path) -> None:
    """It is migrated, keeps its name and every row, verifies clean, and is sealed and written like a new one."""
    with empty.engine.connect() as connection, connection.begin():
        before = made_by(connection, old, real_rows(tmp_path))
        assert revision(connection) == old
    assert len(before["journal"]) == 24
    with open_ledger(empty.where, blobs=tmp_path / "blobs", password=empty.password) as file:
        assert file.name == "0badcafe"
        with file.readers.connect() as connection:
            assert revision(connection) == HEAD
            assert held(connection, set(before)) == before
            assert verify(connection).faults == ()
        (same, new) = RelationalLedger(file).commit([reading(7), reading(20)], NOW + HOUR).result(10)
        assert (same.repeat, new.repeat) == (True, False)  # type: ignore[union-attr]
        assert Sealer(file, lambda: NOW + 2 * HOUR).step() == 3
        with file.readers.connect() as connection:
            assert verify(connection).faults == ()
