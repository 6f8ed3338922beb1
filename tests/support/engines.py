"""Where a test's ledger lies: a new one for each test, in a file or in a database of its own.

A suite whose statements have to run on both engines has a fixture `place` with `params=ENGINES` that yields from
`fresh`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfile

import pytest

from ingest.ledger.belonging import FOLDER
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.ledger.schema import META, METADATA
from tests.support.servers import PostgresServer

ENGINES = ("sqlite", pytest.param("postgres", marks=pytest.mark.services))
in_a_file = pytest.mark.parametrize("place", ENGINES[:1], indirect=True)
"""For a test that ends before its first statement, or says nothing of statements: a file alone will do."""
in_a_database = pytest.mark.parametrize("place", ENGINES[1:], indirect=True)
"""For a test of several writers at once, which a file never has."""


@dataclass(frozen=True)
class Place:
    """A ledger that nobody has opened yet; any number may, as several processes do."""

    where: Path | str
    blobs: Path
    password: str | None = field(default=None, repr=False)
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    """The settings of an installation that has its ledger here."""

    @property
    def is_file(self) -> bool:
        """Whether it is SQLite's."""
        return isinstance(self.where, Path)

    def open(self) -> OpenLedger:
        """Open it."""
        return open_ledger(self.where, blobs=self.blobs, password=self.password)

    def cut(self) -> bool:
        """Cut every line to a database, as the death of all its clients does."""
        return self._does(_CUT)

    def clear(self) -> bool:
        """Let a database be as it was made: with nobody in it, no row but its name, every count at its beginning.

        False when it cannot be: a test took a table away.
        """
        return self._does(_CUT, *_FORGET, _COUNT_FROM_ONE)

    def vacuum(self) -> bool:
        """Give back the pages of rows that are gone, which PostgreSQL's planner counts."""
        return self._does("VACUUM")

    def _does(self, *statements: str) -> bool:
        import psycopg

        line = str(self.where).replace("+psycopg", "")
        try:
            with psycopg.connect(
                line, password=self.password, options="-c lock_timeout=2s", autocommit=True
            ) as connection:
                connection.execute("; ".join(statements))
        except psycopg.Error:
            return False
        return True


_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()
"""
_FORGET = (
    *(f'DELETE FROM "{name}"' for name in METADATA.tables if name != META.name),  # noqa: S608 - the schema's names
    "DELETE FROM meta WHERE name != 'ledger'",
)
_COUNT_FROM_ONE = "SELECT setval(format('%I', sequencename)::regclass, 1, false) FROM pg_sequences"


def fresh(request: pytest.FixtureRequest, folder: Path) -> Iterator[Place]:
    """An empty ledger, on the engine that the fixture is asked for."""
    with place(request, request.param, folder) as made:
        yield made


@contextmanager
def place(request: pytest.FixtureRequest, engine: str, folder: Path) -> Iterator[Place]:
    """An empty ledger of one of ``ENGINES``; ``folder`` holds the file, and in any case the blobs."""
    if engine == "sqlite":
        yield Place(copyfile(_template(request), folder / "ledger.sqlite"), folder / "blobs")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    empty = request.config.stash.setdefault(_EMPTY, [])
    url = empty.pop() if empty else _migrated_database(request)
    made = Place(url, folder / "blobs", server.password, server.environment | {"CONSTANTES_LEDGER__URL": url})
    try:
        yield made
    finally:
        if made.clear():
            empty.append(url)


_TEMPLATE: pytest.StashKey[Path] = pytest.StashKey()
_EMPTY: pytest.StashKey[list[str]] = pytest.StashKey()
"""Databases with no row in them: to empty one takes a tenth of the time of making one."""


def _template(request: pytest.FixtureRequest) -> Path:
    """A new ledger's file, made once in a run: migrating takes longer than most tests."""
    stash = request.config.stash
    if _TEMPLATE not in stash:
        stash[_TEMPLATE] = _migrated_file(request)
    return stash[_TEMPLATE]


def _migrated_file(request: pytest.FixtureRequest) -> Path:
    factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    path = factory.mktemp("empty") / "ledger.sqlite"
    _make(path, path.with_name("blobs"))
    return path


def _migrated_database(request: pytest.FixtureRequest) -> str:
    factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.database()
    _make(url, factory.mktemp("empty") / "blobs", server.password)
    return url


def _make(where: Path | str, blobs: Path, password: str | None = None) -> None:
    """Make a ledger that belongs to no folder yet: each test has one of its own."""
    with open_ledger(where, blobs=blobs, password=password) as file:
        file.writer.write(lambda connection: connection.execute(META.delete().where(META.c.name == FOLDER)))
