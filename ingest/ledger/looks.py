"""Each row for itself: its hash computed again from what is there.

Comes in: a connection, a table, positions. Goes out: rows that are not as they were written. Refuses to know: which
other rows a row needs, what it says.

Three ask: ``verify`` about all rows, a part that starts about those that no seal covers yet, the publisher about the
readings of its round. A row that the engine cannot read at all is named like one that was changed.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Column, ColumnElement, Connection, Table, func, select
from sqlalchemy.exc import DBAPIError

from ingest.ledger.engine import is_postgres, named_faults
from ingest.ledger.faults import LedgerRefused
from ingest.ledger.integrity import row_hash
from ingest.ledger.pruning import buried, bury, tombstones
from ingest.ledger.rows import journal_hash, reading_hash, recording_hash
from ingest.ledger.schema import AUDIT, FEED, JOURNAL, MEASUREMENT, READING, RECORDING, REPLAY
from ingest.ledger.sealing import ends
from ingest.model import Instant
from ingest.wire import FOLDED

if TYPE_CHECKING:  # which opens a writer, which looks at rows in its turn
    from ingest.ledger.files import OpenLedger

PAGE = 500
AT_START = 20_000
"""Rows of a table, the newest, that a part looks at when it starts: less than a second. More than that are unsealed
only where the sealer has not run, as right after an upgrade; it catches up, and ``verify`` looks at all."""
_NAMED = 5
_Row: TypeAlias = Sequence[Any]
_Beside: TypeAlias = Mapping[int, Sequence[_Row]]
"""The measurements of a page's readings, by position."""


@dataclass(frozen=True, slots=True)
class Fault:
    """``what`` is a code (docs/explanations/integrity.md lists them); ``position``: the row's, where one is meant."""

    table: str
    position: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Page:
    """Rows by position, and the positions of those that could not be read."""

    rows: Sequence[_Row]
    unreadable: Sequence[int]

    @property
    def last(self) -> int:
        """The highest position."""
        return max(int(at) for at in (*(row[0] for row in self.rows[-1:]), *self.unreadable[-1:]))


def pages(connection: Connection, table: Table, after: int = 0) -> Iterator[Page]:
    """Every row above ``after`` by position, a page at a time: the driver would hold them all."""
    while True:
        page = _page(connection, table, _number(table) > after)
        if not page.rows and not page.unreadable:
            return
        yield page
        after = page.last


def faults(connection: Connection, table: Table, page: Page) -> list[Fault]:
    """The rows of a page that are not as they were written."""
    look = _LOOKS[table]
    try:
        beside = _measured(connection, page) if table is READING and page.rows else {}
    except DBAPIError:
        return [Fault(table.name, row[0], "unreadable") for row in page.rows]
    pruned = tombstones(connection) if table is JOURNAL else ()
    found = [Fault(table.name, at, "unreadable") for at in page.unreadable]
    for row in page.rows:
        told = _looked(look, row, beside)
        if told and table is JOURNAL and _is_pruned(row, pruned):
            continue
        found += [Fault(table.name, row[0], what) for what in told]
    return found


def unsealed_faults(connection: Connection) -> list[Fault]:
    """What is wrong with the rows that no seal covers: looked at before a part takes or gives anything."""
    found: list[Fault] = []
    sealed = ends(connection)
    for table in HASHED:
        last = connection.execute(select(func.coalesce(func.max(_number(table)), 0))).scalar_one()
        beside = sealed.get(table.name, sealed["journal"] if table is RECORDING else 0)
        for page in pages(connection, table, max(beside, last - AT_START)):
            found += faults(connection, table, page)
    return found


def refuse_changed(file: OpenLedger) -> None:
    """Raise LedgerRefused where a row that no seal covers is not as it was written, and no person knows of it yet."""
    with named_faults(), file.readers.connect() as connection:
        found = _unknown(connection, unsealed_faults(connection))
    if found:
        named = ", ".join(f"{fault.table} {fault.position}" for fault in found[:_NAMED])
        raise LedgerRefused(
            f"{len(found)} rows of the ledger are not as they were written: {named}.",
            "Nothing was started, so nothing of them can leave; devices keep what was not answered.",
            "Look at the disk, then `constantes ledger verify`. Restore the newest backup (`ledger restore`), or say "
            "that you know of these rows (`constantes ledger known`): they stay as they are and are never exported.",
        )


def note_known(connection: Connection, who: str, now: Instant) -> list[Fault]:
    """A person knows of the rows that ``refuse_changed`` names: the ledger may be used without them."""
    found = _unknown(connection, unsealed_faults(connection))
    for fault in found:
        bury(connection, fault.table, fault.position or 0, who, now)
    return found


def _unknown(connection: Connection, found: Sequence[Fault]) -> list[Fault]:
    known = buried(connection) if found else set()
    return [fault for fault in found if (fault.table, fault.position) not in known]


def damaged(connection: Connection, positions: Collection[int]) -> set[int]:
    """Those of these readings whose journal row, reading, measurements or samples are not as they were written."""
    found: set[int] = set()
    if positions:
        for table in (JOURNAL, READING, RECORDING):
            page = _page(connection, table, table.c.position.in_(positions), len(positions))
            found |= {fault.position for fault in faults(connection, table, page) if fault.position is not None}
    return found


def _page(connection: Connection, table: Table, which: ColumnElement[bool], most: int = PAGE) -> Page:
    number = _number(table)
    wanted = select(table).where(which).order_by(number).limit(most)
    try:
        return Page([tuple(row) for row in connection.execute(wanted)], ())
    except DBAPIError:
        if is_postgres(connection):
            raise
    places = connection.execute(select(number).where(which).order_by(number).limit(most))
    rows, unreadable = [], []
    for at in places.scalars().all():
        try:
            rows.append(tuple(connection.execute(select(table).where(number == at)).one()))
        except DBAPIError:
            unreadable.append(at)
    return Page(rows, unreadable)


def _number(table: Table) -> Column[Any]:
    """The column by which a table's rows are numbered."""
    return next(iter(table.primary_key))


def _measured(connection: Connection, page: Page) -> _Beside:
    at = MEASUREMENT.c.position
    found: dict[int, list[_Row]] = defaultdict(list)
    where = at.in_([row[0] for row in page.rows])  # which may lie years apart
    for row in connection.execute(select(MEASUREMENT).where(where).order_by(at, MEASUREMENT.c.ordinal)):
        found[row.position].append(tuple(row))
    return found


def _looked(look: Callable[[_Row, _Beside], Iterator[str]], row: _Row, beside: _Beside) -> list[str]:
    """What a look finds; a value of a type that was never written is a changed row too."""
    try:
        return list(look(row, beside))
    except (TypeError, ValueError, OverflowError):
        return ["row_hash"]


def _is_pruned(row: _Row, pruned: Sequence[tuple[int, int]]) -> bool:
    """Whether all that a journal row lacks is the payload that a tombstone tells of."""
    payload = row[8]
    if not isinstance(payload, bytes) or not payload.startswith(FOLDED):
        return False
    within = any(first <= row[0] <= last for first, last in pruned)
    before, after = row[:8], row[9:15]
    return within and row_hash((before, row[6], after)) == row[-1]


def _journal(row: _Row, _beside: _Beside) -> Iterator[str]:
    sha, size, payload = row[6:9]
    if journal_hash(row[:-1]) != row[-1]:
        yield "row_hash"
    # A message that was too large keeps its beginning only: there is nothing to hold its hash against.
    if payload is not None and len(payload) == size and hashlib.sha256(payload).digest() != sha:
        yield "payload"


def _reading(row: _Row, beside: _Beside) -> Iterator[str]:
    if reading_hash(row[:-1], beside.get(row[0], ())) != row[-1]:
        yield "row_hash"


def _recording(row: _Row, _beside: _Beside) -> Iterator[str]:
    if recording_hash(row[:-1]) != row[-1]:
        yield "row_hash"


def _feed(row: _Row, _beside: _Beside) -> Iterator[str]:
    if row_hash((*row[:8], hashlib.sha256(row[8]).digest())) != row[-1]:
        yield "row_hash"


def _plain(row: _Row, _beside: _Beside) -> Iterator[str]:
    if row_hash(row[:-1]) != row[-1]:
        yield "row_hash"


_LOOKS: dict[Table, Callable[[_Row, _Beside], Iterator[str]]] = {
    JOURNAL: _journal,
    READING: _reading,
    RECORDING: _recording,
    FEED: _feed,
    AUDIT: _plain,
    REPLAY: _plain,
}
HASHED = tuple(_LOOKS)
"""Tables whose rows carry a hash and are numbered."""
