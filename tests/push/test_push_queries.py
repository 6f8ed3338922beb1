"""No query of the delivery grows with the number of rows that wait."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, event

from fhir_export.push import outcomes, rows
from fhir_export.push.port import Outgoing
from tests.push.shelf import HERE, Shelf
from tests.support.engines import Place

_SEARCH = re.compile(r"(SEARCH|SCAN) delivery(?:.*\((.*)\))?")
_SCAN = re.compile(r"(Seq|Index|Index Only|Bitmap Index) Scan .*\b(delivery|(?:pk|ix)_delivery\w*)\b")
_COLUMN = re.compile(r'\(?"?(\w+)"? (?:=|<=)')


def test_every_look_at_the_delivery_table_is_by_more_than_its_destination(shelf: Shelf, place: Place) -> None:
    """Rows are found by position, by state and time, or by identity; what a destination has is never read whole."""
    assert place.is_file or place.vacuum()
    shelf.readings(500)  # so many that an index pays
    some = [rows.Due(n, 0, 1, 1, None, None, Outgoing("Observation", f"o{n}", b"{}")) for n in range(1, 4)]
    ways = shelf.file.writer.write(lambda connection: _ways(connection, some))
    assert len(ways) >= 6
    assert [way for way in ways if way.strip() in ("", "destination=?")] == []


def _ways(connection: Connection, some: list[rows.Due]) -> list[str]:
    """How each statement reaches the delivery table: the columns it searches by."""
    found: list[str] = []
    explained = {"sqlite": _in_sqlite, "postgresql": _in_postgresql}[connection.dialect.name]
    driver = connection.connection.driver_connection
    assert driver is not None
    raw: Any = driver
    connection.exec_driver_sql("ANALYZE")

    def explain(_: object, __: object, statement: str, parameters: Any, ___: object, many: bool) -> None:  # noqa: ANN401, FBT001 - SQLAlchemy calls it so
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT")):
            found.extend(explained(raw.execute, statement, parameters[0] if many else parameters))

    event.listen(connection, "before_cursor_execute", explain)
    rows.due(connection, HERE, 10)
    many = 500 if explained is _in_sqlite else 3  # 500 would be a third of all that waits
    rows.unconfirmed(connection, HERE, [("Observation", f"o{n}") for n in range(many)])
    outcomes.settle(connection, HERE, [outcomes.Delivered(due, "1") for due in some], 10, confirms=True)
    outcomes.settle(connection, HERE, [outcomes.Again(some[0], "record.failed", 10)], 10, confirms=True)
    outcomes.defer(connection, HERE, {1: 10})
    return found


def _in_sqlite(execute: Callable[..., Any], statement: str, parameters: object) -> Iterator[str]:
    for row in execute(f"EXPLAIN QUERY PLAN {statement}", parameters):
        if match := _SEARCH.match(row[-1]):
            yield match[2] or ""


def _in_postgresql(execute: Callable[..., Any], statement: str, parameters: object) -> Iterator[str]:
    execute("SET LOCAL enable_seqscan = off")  # for a table that is small it would be the quickest way
    marked = statement if "%(" in statement else statement.replace("?", "%s")
    plan = [row[0] for row in execute(f"EXPLAIN {marked}", parameters)]
    for line, following in zip(plan, [*plan[1:], ""], strict=True):
        if _SCAN.search(line) and "Bitmap Heap" not in line:
            columns = _COLUMN.findall(following) if "Index Cond" in following else []
            yield " AND ".join(f"{column}=?" for column in columns)
