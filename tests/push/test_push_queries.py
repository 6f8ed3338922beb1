"""No query of the delivery grows with the number of rows that wait."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, event

from fhir_export.push import outcomes, rows
from fhir_export.push.port import Outgoing
from tests.push.shelf import HERE, Shelf

_SEARCH = re.compile(r"(SEARCH|SCAN) delivery(?:.*\((.*)\))?")


def test_every_look_at_the_delivery_table_is_by_more_than_its_destination(shelf: Shelf) -> None:
    """SQLite finds rows by position, by state and time, or by identity; it never reads all that a destination has."""
    shelf.readings(3)
    some = [rows.Due(n, 0, 1, 1, None, None, Outgoing("Observation", f"o{n}", b"{}")) for n in range(1, 4)]
    ways = shelf.file.writer.write(lambda connection: _ways(connection, some))
    assert len(ways) >= 7
    assert [way for way in ways if way.strip() in ("", "destination=?")] == []


def _ways(connection: Connection, some: list[rows.Due]) -> list[str]:
    """How each statement reaches the delivery table: the columns it searches by."""
    found: list[str] = []

    def explain(_: object, __: object, statement: str, parameters: Any, ___: object, many: bool) -> None:  # noqa: ANN401, FBT001 - SQLAlchemy calls it so
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT")):
            plan = raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters[0] if many else parameters)
            found.extend(match[2] or "" for row in plan if (match := _SEARCH.match(row[-1])))

    driver = connection.connection.driver_connection
    assert driver is not None
    raw: Any = driver
    event.listen(connection, "before_cursor_execute", explain)
    rows.due(connection, HERE, 10)
    rows.unconfirmed(connection, HERE, [("Observation", f"o{n}") for n in range(500)])
    outcomes.settle(connection, HERE, [outcomes.Delivered(due, "1") for due in some], 10, confirms=True)
    outcomes.settle(connection, HERE, [outcomes.Again(some[0], "record.failed", 10)], 10, confirms=True)
    outcomes.defer(connection, HERE, {1: 10})
    return found
