"""What a search asks for.

Comes in: names and values of a query. Goes out: ``Query``, or ``Refused``. Refuses to know: tables and SQL, HTTP, who
asks. Pure.

A value that cannot be read, a modifier or a chain on a known parameter is always refused: to leave it out would answer
with more patients than were asked for. A parameter that is unknown for the type, or asks the answer to be shaped in a
way we do not have, is left out and not repeated in the links; under ``Prefer: handling=strict`` it is refused too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

from fhir_export.pull.outcome import Problem, Refused
from fhir_export.pull.served import TYPES, Parameter, Where
from fhir_export.pull.values import (
    Dates,
    Ids,
    References,
    Targets,
    Tokens,
    Unreadable,
    dates,
    ids,
    references,
    targets,
    tokens,
)

MOST_PARAMETERS = 64
MOST_VALUES = 200
MOST_RESOURCES = 1_000
"""Resources in one page at most."""
DEFAULT_RESOURCES = 100
_COUNT_DIGITS = 6
"""R4 lets a server give fewer than asked for; a number nobody means is refused all the same."""

Criterion = Ids | Tokens | References | Targets | Dates


SHAPES: dict[str, tuple[str, ...] | None] = {
    "_count": None,
    "_cursor": None,
    "_format": None,
    "_pretty": ("true", "false"),
    "_sort": ("_lastUpdated",),
    "_summary": ("count", "false"),
    "_total": ("none", "estimate", "accurate"),
}
"""Parameters that shape the answer, with the values that are understood; None: read elsewhere."""

_REPEATED = ("_sort", "_summary", "_total")


@dataclass(frozen=True, slots=True)
class Asked:
    """How a request is to be read: strictly or not, dates without zone in ``zone``, references below ``base``."""

    strict: bool
    zone: tzinfo
    base: str


@dataclass(frozen=True, slots=True)
class Query:
    """A search that was understood.

    ``criteria`` all hold together; ``used`` is what the links repeat. No more than ``count`` resources; ``bare``: the
    total and no resources; ``total``: both.
    """

    type: str
    criteria: tuple[tuple[Parameter, Criterion], ...] = ()
    used: tuple[tuple[str, str], ...] = ()
    count: int = DEFAULT_RESOURCES
    total: bool = False
    cursor: str | None = None
    purpose: tuple[str, ...] = field(default=())
    """The criteria as text, in an order of their own: what a cursor is bound to."""

    @property
    def bare(self) -> bool:
        """Only the number of resources is wanted."""
        return self.count == 0


def read(type_: str, given: Sequence[tuple[str, str]], asked: Asked) -> Query:
    """Read a search of a type in ``TYPES``; raises Refused."""
    if len(given) > MOST_PARAMETERS or sum(value.count(",") + 1 for _, value in given) > MOST_VALUES:
        raise Refused(Problem.TOO_MANY)
    known = {parameter.name: parameter for parameter in TYPES[type_]}
    shapes: dict[str, str] = {}
    criteria: list[tuple[Parameter, Criterion]] = []
    used: list[tuple[str, str]] = []
    times = Counter(name for name, _ in given)
    for name, value in given:
        stem = name.partition(":")[0].partition(".")[0]
        if name in SHAPES:
            if times[name] > 1:
                raise Refused(Problem.REPEATED, name)
            if _understood(name, value, strict=asked.strict):
                shapes[name] = value
        elif stem in known:
            criteria.append((known[stem], _criterion(known[stem], name, value, asked)))
            used.append((name, value))
        elif asked.strict:
            raise Refused(Problem.UNKNOWN_PARAMETER)
    return _query(type_, criteria, used, shapes)


def _understood(name: str, value: str, *, strict: bool) -> bool:
    values = SHAPES[name]
    if values is None or value in values:
        return True
    if strict:
        raise Refused(Problem.VALUE_NOT_SUPPORTED, name)
    return False


def _criterion(parameter: Parameter, name: str, value: str, asked: Asked) -> Criterion:
    modifier = name.removeprefix(parameter.name)
    if modifier not in {"", f":{parameter.target}"}:
        raise Refused(Problem.UNKNOWN_MODIFIER, parameter.name)
    try:
        if parameter.target is not None:
            return references(value, parameter.target, asked.base)
        if parameter.where is Where.TARGET:
            return targets(value, asked.base)
        if parameter.type == "date":
            return dates(value, asked.zone)
        if parameter.where is Where.ID:
            return ids(value)
        found = tokens(value)
    except Unreadable:
        raise Refused(Problem.VALUE, parameter.name) from None
    if parameter.where is Where.IDENTIFIER and any(token.code is None for token in found.tokens):
        raise Refused(Problem.VALUE_NOT_SUPPORTED, parameter.name)
    return found


def _query(
    type_: str, criteria: list[tuple[Parameter, Criterion]], used: list[tuple[str, str]], shapes: dict[str, str]
) -> Query:
    count = _count(shapes.get("_count"))
    kept: dict[str, str] = {name: shapes[name] for name in _REPEATED if name in shapes}
    if "_count" in shapes:
        kept["_count"] = str(count)
    return Query(
        type=type_,
        criteria=tuple(criteria),
        used=(*used, *kept.items()),
        count=0 if shapes.get("_summary") == "count" else count,
        total=shapes.get("_total", "none") != "none",
        cursor=shapes.get("_cursor"),
        purpose=(type_, *(f"{name}={value}" for name, value in sorted(used))),
    )


def _count(text: str | None) -> int:
    if text is None:
        return DEFAULT_RESOURCES
    if not (text.isascii() and text.isdigit() and len(text) <= _COUNT_DIGITS):
        raise Refused(Problem.VALUE, "_count")
    return min(int(text), MOST_RESOURCES)
