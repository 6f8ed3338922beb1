"""From pydantic's findings to the contract's ``schema.*`` and ``number.*`` reasons, with a JSON pointer.

Comes in: a model and decoded data. Goes out: the model filled, or ``Rejected``. Refuses to know: which model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import BaseModel, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema

from ingest.reasons import Reason, Rejected, first

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

MANY = 100
"""Findings looked at one by one; a message with more is not worth the memory that listing them takes."""


class _NotNull:
    """Optional means that a member may be left out: ``null`` is a value of the wrong type like any other."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        return schema["schema"] if schema["type"] == "nullable" else schema


Maybe: TypeAlias = Annotated[T | None, _NotNull()]
"""A member that may be absent (None here), and is refused when it is ``null`` on the wire."""

_BY_TYPE = {
    "missing": Reason.SCHEMA_MISSING,
    "extra_forbidden": Reason.SCHEMA_NOT_ALLOWED,
    "less_than_equal": Reason.NUMBER_OUT_OF_RANGE,
}


def fits(model: type[M], data: object, at: str = "") -> M:
    """Fill ``model`` strictly from decoded data standing at pointer ``at``.

    Raises Rejected; of several faults the first in the order of the registry, then of the model.
    """
    try:
        # What model_validate calls, without its 0.6 us of keyword arguments: a tenth of judging a reading.
        filled: M = model.__pydantic_validator__.validate_python(data)
    except ValidationError as error:
        if error.error_count() > MANY:
            raise _overfull(model, data, at) from None
        faults = error.errors(include_url=False, include_context=False, include_input=True)
        raise first([_rejected(fault, at) for fault in faults]) from None
    return filled


def _rejected(fault: Mapping[str, Any], at: str) -> Rejected:
    """The reason for pydantic's error type; a word outside a list is ``not_allowed``, a non-word ``type``."""
    kind = fault["type"]
    reason = _BY_TYPE.get(kind, Reason.SCHEMA_TYPE)
    if kind == "literal_error" and isinstance(fault["input"], str):
        reason = Reason.SCHEMA_NOT_ALLOWED
    return Rejected(reason, pointer(at, fault["loc"]))


def _overfull(model: type[BaseModel], data: object, at: str) -> Rejected:
    """Most likely too many names; the first strange one is told where this level is the one that refuses them."""
    names = data if isinstance(data, dict) and model.model_config.get("extra") == "forbid" else {}
    strange = next((name for name in names if name not in model.model_fields), None)
    if strange is None:
        return Rejected(Reason.SCHEMA_TYPE, at)
    return Rejected(Reason.SCHEMA_NOT_ALLOWED, pointer(at, (strange,)))


# Names come from outside: one that is no plain word could carry anything into a log, so the pointer stops before it.
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}").fullmatch
# pydantic adds the branch of a union that failed; none of them is a member of the contract.
_BRANCHES = frozenset({"str", "int", "decimal"})


def pointer(at: str, loc: tuple[int | str, ...]) -> str:
    """A JSON pointer (RFC 6901) from ``at`` along ``loc``, up to the first name that is no plain word."""
    if len(loc) > 1 and loc[-1] in _BRANCHES:
        loc = loc[:-1]
    for part in loc:
        if not _PLAIN(str(part)):
            break
        at += f"/{part}"
    return at
