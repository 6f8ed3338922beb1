"""What a query answers, as tables; pure.

Comes in: CSV without annotations, as InfluxDB writes it. Goes out: tables, or NoAnswer. Refuses to know: what was
asked.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class NoAnswer(Exception):  # noqa: N818 - it says what came instead
    """What came is not all of an answer; ``why`` holds nothing of it."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one kind; they belong to one result of the script."""

    columns: list[str]
    rows: list[list[str]]

    def place(self, column: str) -> int:
        """Where a column stands."""
        return self.columns.index(column)


def tables(body: str) -> Sequence[Table]:
    """The tables that have rows: each begins with its header, behind an empty line or at the start."""
    found: list[Table] = []
    is_open = False
    for row in _rows(body):
        if not row:
            is_open = False
        elif is_open:
            found[-1].rows.append(row)
        elif "error" in row:  # begun, and broken off behind rows that were sent (Flux annotated CSV, errors)
            raise NoAnswer("it broke off in the middle of an answer")
        elif "table" not in row:
            raise NoAnswer("what answers there is no InfluxDB 2")
        else:
            found.append(Table(row, []))
            is_open = True
    return [table for table in found if table.rows]


def _rows(body: str) -> Iterable[list[str]]:
    if '"' in body:
        return csv.reader(io.StringIO(body))
    return [line.split(",") if line else [] for line in body.split("\r\n")]  # half the time, when nothing is quoted
