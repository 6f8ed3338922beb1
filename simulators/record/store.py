"""The file behind the record: every version ever stored, and how often each was sent.

In: checked resources. Out: versions, counts. It knows nothing of HTTP or of faults.

WAL with `synchronous=NORMAL`: what was answered outlives kill -9 of this process, not a power cut. A record's
durability is not ours to promise; this stands in for one, fast enough never to be what limits an exporter.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from simulators.record.resources import Key, Resource, Version, same_content

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS version (
  type TEXT NOT NULL, id TEXT NOT NULL, number INTEGER NOT NULL,
  updated TEXT NOT NULL,
  puts INTEGER NOT NULL, -- how often this content was sent while it was the newest
  body BLOB NOT NULL, -- last, so that counting need not read past it
  PRIMARY KEY (type, id, number)
);
CREATE VIEW IF NOT EXISTS newest AS
  SELECT * FROM version AS v
  WHERE number = (SELECT max(number) FROM version WHERE type = v.type AND id = v.id);
CREATE TABLE IF NOT EXISTS identifier (
  type TEXT NOT NULL, system TEXT NOT NULL, value TEXT NOT NULL, id TEXT NOT NULL,
  PRIMARY KEY (type, value, system, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS identifier_of ON identifier (type, id);
"""
_MATCHING: Final = """
FROM newest WHERE type = :type AND (:value IS NULL OR id IN (
  SELECT id FROM identifier WHERE type = :type AND value = :value AND (:system IS NULL OR system = :system)
))
"""
_PAGE: Final = 200  # rows read at once while streaming, so that no cursor stays open between two writes


class Store:
    """Versions in one SQLite file, or in memory when `file` is None; used from one thread."""

    def __init__(self, file: Path | None) -> None:
        """Open or create the file; raises `sqlite3.Error` when that cannot be done."""
        self._db = sqlite3.connect(file or ":memory:", isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=2000"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All puts inside, or none of them."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield

    @contextmanager
    def part(self) -> Iterator[None]:
        """All puts inside, or none of them, within a transaction that goes on whatever becomes of them."""
        self._db.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK TO part")
            raise
        finally:
            self._db.execute("RELEASE part")

    def put(self, resource: Resource) -> tuple[Version, bool]:
        """Store a resource, inside a transaction. The version it has now, and whether the resource is new.

        The content of the newest version again is counted and makes no version (HAPI answers the same way).
        """
        newest = self.newest(resource.key)
        if newest and same_content(newest.body, resource.body):
            self._db.execute(
                "UPDATE version SET puts = puts + 1 WHERE type = ? AND id = ? AND number = ?",
                (*resource.key, newest.number),
            )
            return newest, False
        version = Version(resource.key, newest.number + 1 if newest else 1, _now(), resource.body)
        self._db.execute(
            "INSERT INTO version (type, id, number, updated, body, puts) VALUES (?, ?, ?, ?, ?, 1)",
            (*resource.key, version.number, version.updated, version.body),
        )
        self._identify(resource, first=newest is None)
        return version, newest is None

    def has(self, key: Key) -> bool:
        """Whether there is such a resource."""
        found = self._db.execute("SELECT 1 FROM version WHERE type = ? AND id = ? AND number = 1", key)
        return found.fetchone() is not None

    def newest(self, key: Key) -> Version | None:
        """The newest version of a resource."""
        row = self._db.execute(
            "SELECT type, id, number, updated, body FROM version"
            " WHERE type = ? AND id = ? ORDER BY number DESC LIMIT 1",
            key,
        ).fetchone()
        return _version(row) if row else None

    def versions(self, key: Key) -> list[Version]:
        """Every version of a resource, newest first."""
        rows = self._db.execute(
            "SELECT type, id, number, updated, body FROM version WHERE type = ? AND id = ? ORDER BY number DESC",
            key,
        )
        return [_version(row) for row in rows]

    def search(self, type_: str, identifier: str | None, *, count: int, offset: int) -> tuple[int, list[Version]]:
        """How many resources match, and one page of them by id; `identifier` is `value` or `system|value`."""
        system, bar, value = (identifier or "").rpartition("|")
        where = {
            "type": type_,
            "value": None if identifier is None else value,
            "system": system if bar else None,
        }
        (total,) = self._db.execute(f"SELECT count(*) {_MATCHING}", where).fetchone()
        rows = self._db.execute(
            f"SELECT type, id, number, updated, body {_MATCHING} ORDER BY id LIMIT :count OFFSET :offset",
            where | {"count": count, "offset": offset},
        )
        return total, [_version(row) for row in rows]

    def bodies(self, type_: str) -> Iterator[bytes]:
        """The newest body of every resource of a type, by id, as it came."""
        after = ""
        while rows := self._db.execute(
            "SELECT id, body FROM newest WHERE type = ? AND id > ? ORDER BY id LIMIT ?", (type_, after, _PAGE)
        ).fetchall():
            yield from (body for _, body in rows)
            after = rows[-1][0]

    def sent(self) -> Iterator[tuple[str, str, int, int]]:
        """For every resource: type, id, how often it was sent, how many versions it has."""
        yield from self._db.execute("SELECT type, id, sum(puts), count(*) FROM version GROUP BY type, id").fetchall()

    def totals(self) -> dict[str, int]:
        """Versions, puts, resources that ever had two contents, identifiers that two resources share."""
        versions, puts, conflicting = self._db.execute(
            "SELECT count(*), coalesce(sum(puts), 0), coalesce(sum(number = 2), 0) FROM version"
        ).fetchone()
        (shared,) = self._db.execute(
            "SELECT count(*) FROM (SELECT 1 FROM identifier GROUP BY type, value, system HAVING count(*) > 1)"
        ).fetchone()
        return {"versions": versions, "puts": puts, "conflicting": conflicting, "shared_identifiers": shared}

    def counts(self) -> dict[str, int]:
        """How many resources there are of each type."""
        return dict(self._db.execute("SELECT type, count(*) FROM version WHERE number = 1 GROUP BY type"))

    def _identify(self, resource: Resource, *, first: bool) -> None:
        if not first:
            self._db.execute("DELETE FROM identifier WHERE type = ? AND id = ?", resource.key)
        type_, id_ = resource.key
        self._db.executemany(
            "INSERT OR IGNORE INTO identifier (type, system, value, id) VALUES (?, ?, ?, ?)",
            [(type_, system, value, id_) for system, value in resource.identifiers],
        )


def _version(row: tuple[str, str, int, str, bytes]) -> Version:
    type_, id_, number, updated, body = row
    return Version((type_, id_), number, updated, body)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
