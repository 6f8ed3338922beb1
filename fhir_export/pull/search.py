"""A search as SQL over the newest versions, in feed order.

Comes in: a ``Query`` and where it goes on from. Goes out: a ``Page`` of stored bytes, read in one snapshot. Refuses to
know: HTTP, how a cursor is written, what the bytes hold.

Pages go by feed position. A resource that changes moves to a later position, so whoever goes on from the last position
it was given meets every newer version once, and nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, false, func, literal_column, or_, select, true

from fhir_export.pull.dates import Span, widened
from fhir_export.pull.parameters import Query
from fhir_export.pull.positions import as_positions
from fhir_export.pull.served import Where
from fhir_export.pull.targets import having
from fhir_export.pull.values import Dates, Ids, References, Targets, Token, Tokens
from ingest.ledger.schema import FEED, IDENTIFIER, RESOURCE
from ingest.model import Instant
from registry.holding import holds

_OF_A_PATIENT = ("DiagnosticReport", "DocumentReference", "Media", "Observation")
"""Types whose site says where a patient was seen."""
_MOST_IDENTIFIED = 10_000
"""Resources that share one of the identifiers searched: SQLite takes 32,766 values in a statement."""
Condition = ColumnElement[bool]
Settled: TypeAlias = Ids | Tokens | References | Dates
_SELECTED: Select[Any] = select(
    FEED.c.position, FEED.c.id, FEED.c.version, FEED.c.at, RESOURCE.c.patient, FEED.c.body
).join_from(
    # The sum keeps PostgreSQL from merging two indexes: it would walk through the feed from its beginning to the page.
    RESOURCE,
    FEED,
    FEED.c.position == RESOURCE.c.position + literal_column("0"),
)
Instants = ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Version:
    """A resource version as it was stored; ``patient`` is the person it is about."""

    type: str
    id: str
    version: int
    at: Instant
    patient: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Found versions, in feed order. ``following``: where the next page goes on, None at the end.

    ``reached``: everything up to this position has been given, so a later search may go on from it. ``patient``: the
    one person that the whole page, or the question, is about.
    """

    versions: tuple[Version, ...]
    following: int | None
    reached: int
    total: int | None
    patient: str | None


def page(connection: Connection, query: Query, after: int, sites: Sequence[str], now: Instant) -> Page:
    """Read the page of ``query`` after a feed position; ``sites`` empty: all."""
    head: int = connection.execute(select(func.coalesce(func.max(FEED.c.position), 0))).scalar_one()
    wanted = _conditions(connection, query, sites, now)
    total = _total(connection, wanted) if query.total or query.bare else None
    if query.bare:
        return Page((), None, after, total, _asked_for(connection, query))
    rows = connection.execute(_rows(query, wanted, after)).all()
    versions = tuple(_version(query.type, row) for row in rows[: query.count])
    more = len(rows) > query.count
    reached = rows[query.count - 1].position if more else max(head, after)
    people = {version.patient for version in versions}
    patient = people.pop() if len(people) == 1 else None if people else _asked_for(connection, query)
    return Page(versions, reached if more else None, reached, total, patient)


def newest(connection: Connection, type_: str, id_: str, sites: Sequence[str]) -> Version | None:
    """The newest version of one resource, None when there is none that this client may see."""
    asked = _SELECTED.where(RESOURCE.c.type == type_, RESOURCE.c.id == id_, *_at_sites(type_, sites))
    row = connection.execute(asked).first()
    return None if row is None else _version(type_, row)


def erased(connection: Connection, type_: str, id_: str) -> bool:
    """Whether the feed knows the id while no newest version is kept: its content was erased."""
    known = select(FEED.c.position).where(FEED.c.type == type_, FEED.c.id == id_).limit(1)
    kept = select(RESOURCE.c.position).where(RESOURCE.c.type == type_, RESOURCE.c.id == id_)
    return connection.execute(known).first() is not None and connection.execute(kept).first() is None


def _rows(query: Query, wanted: Sequence[Condition], after: int) -> Select[Any]:
    return _SELECTED.where(*wanted, RESOURCE.c.position > after).order_by(RESOURCE.c.position).limit(query.count + 1)


def _total(connection: Connection, wanted: Sequence[Condition]) -> int:
    counted = select(func.count()).select_from(RESOURCE)
    found: int = connection.execute(counted.where(*wanted)).scalar_one()
    return found


def _conditions(connection: Connection, query: Query, sites: Sequence[str], now: Instant) -> list[Condition]:
    held = [_condition(where, it) for where, it in _settled(connection, query, now)]
    return [RESOURCE.c.type == query.type, *held, *_at_sites(query.type, sites)]


def _at_sites(type_: str, sites: Sequence[str]) -> list[Condition]:
    """What a client of some sites may see: resources of those, and patients who have one there."""
    if not sites:
        return []
    if type_ != "Patient":
        return [RESOURCE.c.site.in_(sites)]
    seen = RESOURCE.alias("seen")
    # Positions begin at 1. Without naming them, and with all types in one question, SQLite takes the primary key and
    # walks through every resource for every patient.
    there = (seen.c.patient == RESOURCE.c.id, seen.c.position > 0, seen.c.site.in_(sites))
    # And without the limit, PostgreSQL first gathers the patients of every resource there, for a page of a hundred.
    seen_as = (select(seen.c.position).where(seen.c.type == one, *there).limit(1).offset(0) for one in _OF_A_PATIENT)
    return [_any(each.exists() for each in seen_as)]


def _settled(connection: Connection, query: Query, now: Instant) -> Iterable[tuple[Where, Settled]]:
    """The criteria, with ``ap`` widened, times of the feed as positions, identifiers and targets as ids."""
    for parameter, criterion in query.criteria:
        match criterion:
            case Dates(spans):
                spans = tuple(widened(one, now) if one.prefix == "ap" else one for one in spans)
                if parameter.where is Where.UPDATED:
                    spans = tuple(as_positions(connection, one) for one in spans)
                yield parameter.where, Dates(spans)
            case Tokens(tokens) if parameter.where is Where.IDENTIFIER:
                found = connection.execute(_identified(query.type, tokens)).scalars()
                yield Where.ID, Ids(tuple(found))
            case Targets(references):
                yield Where.ID, Ids(having(connection, references))
            case _:
                yield parameter.where, criterion


def _condition(where: Where, criterion: Settled) -> Condition:
    match criterion:
        case Ids(ids):
            return _one_of(RESOURCE.c.id, ids)
        case References(ids):
            return _one_of(RESOURCE.c.patient if where is Where.PATIENT else RESOURCE.c.device, ids)
        case Tokens(tokens):
            return _any(_coded(token) for token in tokens)
        case Dates(spans) if where is Where.UPDATED:
            return _any(_POINTS[one.prefix](RESOURCE.c.position, one) for one in spans)
        case Dates(spans):
            return _any(_PERIODS[one.prefix](RESOURCE.c.start, RESOURCE.c.end, one) for one in spans)


def _one_of(column: ColumnElement[str], ids: Sequence[str]) -> Condition:
    """An empty list is a plain ``false``, at which SQLite does not even begin."""
    return column.in_(ids) if ids else false()


def _any(conditions: Iterable[Condition]) -> Condition:
    return or_(*conditions)


def _identified(type_: str, tokens: Iterable[Token]) -> Select[Any]:
    named = _any(
        and_(IDENTIFIER.c.value == token.code, true() if token.system is None else IDENTIFIER.c.system == token.system)
        for token in tokens
    )
    return select(IDENTIFIER.c.id).where(IDENTIFIER.c.type == type_, named).limit(_MOST_IDENTIFIED)


def _coded(token: Token) -> Condition:
    """Look into `` system|code system|code ``: a space can only stand between two of them."""
    if any(part is not None and (" " in part or "|" in part) for part in (token.system, token.code)):
        return false()
    start = "" if token.system is None else f" {token.system}"
    end = "" if token.code is None else f"{token.code} "
    return holds(RESOURCE.c.codes, f"{start}|{end}")


# R4's prefixes (search.html#prefix): the resource covers ``start`` to ``end``, both inclusive, the search ``low`` to
# before ``high``.
_PERIODS: dict[str, Callable[[Instants, Instants, Span], Condition]] = {
    "eq": lambda start, end, it: and_(start >= it.low, end < it.high),
    "ne": lambda start, end, it: or_(start < it.low, end >= it.high),
    "gt": lambda _, end, it: end >= it.high,
    "lt": lambda start, _, it: start < it.low,
    "ge": lambda start, end, it: or_(start >= it.low, end >= it.high),
    "le": lambda start, end, it: or_(start < it.low, end < it.high),
    "sa": lambda start, _, it: start >= it.high,
    "eb": lambda _, end, it: end < it.low,
    "ap": lambda start, end, it: and_(start < it.high, end >= it.low),
}
# The same where start is end, without the `or` that keeps an index from being used.
_POINTS: dict[str, Callable[[Instants, Span], Condition]] = {
    "eq": lambda at, it: and_(at >= it.low, at < it.high),
    "ne": lambda at, it: or_(at < it.low, at >= it.high),
    "gt": lambda at, it: at >= it.high,
    "lt": lambda at, it: at < it.low,
    "ge": lambda at, it: at >= it.low,
    "le": lambda at, it: at < it.high,
    "sa": lambda at, it: at >= it.high,
    "eb": lambda at, it: at < it.low,
    "ap": lambda at, it: and_(at >= it.low, at < it.high),
}


def _asked_for(connection: Connection, query: Query) -> str | None:
    """The one patient of ours that the question names, if it names one: an empty answer about a person is told too."""
    named = {
        criterion.ids
        for parameter, criterion in query.criteria
        if isinstance(criterion, Ids | References)
        and (parameter.where is Where.PATIENT or (parameter.where is Where.ID and query.type == "Patient"))
    }
    if len(named) != 1 or len(ids := named.pop()) != 1:
        return None
    ours = select(RESOURCE.c.id).where(RESOURCE.c.type == "Patient", RESOURCE.c.id == ids[0])
    found: str | None = connection.execute(ours).scalar()
    return found


def _version(type_: str, row: Row[Any]) -> Version:
    patient = row.id if type_ == "Patient" else row.patient
    return Version(type_, row.id, row.version, row.at, patient, row.body)
