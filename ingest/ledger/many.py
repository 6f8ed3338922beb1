"""Many rows in one statement.

Comes in: an INSERT up to VALUES, rows. Goes out: the rows, inserted. Refuses to know: what they mean.

The driver lets go of the interpreter's lock once a statement. Row by row, the thread that holds the ledger would stand
in line for that lock again after each row, and every other writer would wait for it. To a server, every statement is a
way there and back besides: there, all rows of a table are one, a list for each column.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql

from ingest.ledger.arrays import array
from ingest.ledger.engine import is_postgres
from ingest.ledger.schema import METADATA

_TOGETHER = 64  # rows a statement: 64 x 16 columns are far below SQLite's 32,766 parameters
_insert_into = re.compile(r"\s*INSERT INTO (\w+) *(?:\(([^)]*)\))? *VALUES\s*").fullmatch


def insert(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]], end: str = "") -> None:
    """Run ``statement`` (``INSERT ... VALUES``, without the values) for all rows, inside the caller's transaction.

    ``end`` follows the values: ``ON CONFLICT ...``.
    """
    if not rows:
        return
    if is_postgres(connection):
        insert_lists(connection, statement, rows, end)
        return
    row = f"({', '.join('?' * len(rows[0]))})"
    whole = len(rows) - len(rows) % _TOGETHER
    for start in range(0, whole, _TOGETHER):
        flat = tuple(chain.from_iterable(rows[start : start + _TOGETHER]))
        connection.exec_driver_sql(f"{statement} {', '.join([row] * _TOGETHER)} {end}", flat)
    if rows[whole:]:
        connection.exec_driver_sql(f"{statement} {row} {end}", list(rows[whole:]))


def insert_lists(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]], end: str = "") -> int:
    """The same on PostgreSQL, in one way there and back; returns how many rows were inserted or updated."""
    head, kinds = _from_lists(statement)
    lists = tuple(map(array, zip(*rows, strict=True), kinds))
    return connection.exec_driver_sql(f"{head} {end}", lists).rowcount


@cache
def _from_lists(statement: str) -> tuple[str, tuple[str, ...]]:
    """``statement`` with a list for each column in place of VALUES, and what each of them holds."""
    found = _insert_into(statement)
    if found is None:
        raise ValueError(f"no INSERT up to VALUES: {statement}")
    table = METADATA.tables[found[1]]
    names = [name.strip(' "') for name in found[2].split(",")] if found[2] else list(table.c.keys())
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    kinds = tuple(table.c[name].type.compile(dialect).partition(" ")[0] for name in names)  # without COLLATE
    lists = ", ".join(f"CAST(? AS {kind}[])" for kind in kinds)
    head = statement[: statement.rindex("VALUES")]
    return f"{head}SELECT * FROM unnest({lists})", kinds  # noqa: S608 - names of the schema
