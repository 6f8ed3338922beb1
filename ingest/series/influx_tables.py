"""What a query answers, as tables; pure.

Comes in: CSV without annotations, as InfluxDB writes it. Goes out: tables, or NoAnswer. Refuses to know: what was
asked.

Cells are kept as they come, one row after the other: to take a column of ten thousand rows from them is one slice.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
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
    cells: list[str]

    @property
    def rows(self) -> Iterator[tuple[str, ...]]:
        """One after the other."""
        return zip(*[iter(self.cells)] * len(self.columns), strict=True)

    def place(self, column: str) -> int:
        """Where a column stands."""
        return self.columns.index(column)

    def column(self, name: str) -> list[str]:
        """What stands in it, in the order of the rows."""
        return self.cells[self.place(name) :: len(self.columns)]


def tables(body: str) -> Sequence[Table]:
    """The tables that have rows: each begins with its header, behind an empty line or at the start."""
    found = [_whole(table) for table in (_quoted(body) if '"' in body else _unquoted(body))]
    return [table for table in found if table.cells]


def _whole(table: Table) -> Table:
    if "error" in table.columns:  # begun, and broken off behind rows that were sent (Flux annotated CSV, errors)
        raise NoAnswer(_BROKEN)
    if "table" not in table.columns:
        raise NoAnswer("what answers there is no InfluxDB 2")
    if len(table.cells) % len(table.columns):
        raise NoAnswer(_BROKEN)
    return table


def _quoted(body: str) -> Iterator[Table]:
    table: Table | None = None
    for row in csv.reader(io.StringIO(body)):
        if row and table is not None:
            table.cells.extend(row)
            continue
        if table is not None:
            yield table
        table = Table(row, []) if row else None
    if table is not None:
        yield table


def _unquoted(body: str) -> Iterator[Table]:
    """The same, cut at once instead of row by row: two thirds of the time."""
    for block in body.split(_END * 2):
        header, _, rows = block.strip(_END).partition(_END)
        if header:
            yield Table(header.split(","), rows.replace(_END, ",").split(",") if rows else [])


_END = "\r\n"
_BROKEN = "it broke off in the middle of an answer"
