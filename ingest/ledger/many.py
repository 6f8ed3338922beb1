"""Many rows in one statement.

Comes in: an INSERT up to VALUES, rows. Goes out: the rows, inserted. Refuses to know: which table.

The driver lets go of the interpreter's lock once a statement. Row by row, the thread that holds the ledger would stand
in line for that lock again after each row, and every other writer would wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection

_TOGETHER = 64  # rows a statement: 64 x 16 columns are far below SQLite's 32,766 parameters


def insert(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run ``statement`` (``INSERT ... VALUES``, without the values) for all rows, inside the caller's transaction."""
    if not rows:
        return
    row = f"({', '.join('?' * len(rows[0]))})"
    whole = len(rows) - len(rows) % _TOGETHER
    for start in range(0, whole, _TOGETHER):
        flat = tuple(chain.from_iterable(rows[start : start + _TOGETHER]))
        connection.exec_driver_sql(f"{statement} {', '.join([row] * _TOGETHER)}", flat)
    if rows[whole:]:
        connection.exec_driver_sql(f"{statement} {row}", list(rows[whole:]))
