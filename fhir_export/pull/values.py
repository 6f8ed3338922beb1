"""Values of search parameters: ids, tokens, references, dates, each a comma-separated list of which one must fit.

Comes in: the text after the equals sign. Goes out: what it names, or ``Unreadable``. Refuses to know: which parameter
it is for. Pure. Rules: hl7.org/fhir/R4/search.html, sections token, reference, date and "escaping".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import tzinfo

from fhir_export.pull.dates import Span, span

FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
_TYPED = re.compile(rf"[A-Z][A-Za-z]{{1,63}}/{FHIR_ID.pattern}", re.ASCII)
_UNESCAPED = r"((?:[^\\%s]|\\[\\,|$])*)"
_ITEM = re.compile(_UNESCAPED % ",")
_TOKEN = re.compile(rf"(?:{_UNESCAPED % '|,'}(\|))?{_UNESCAPED % '|,'}")
_ESCAPE = re.compile(r"\\(.)")


class Unreadable(Exception):  # noqa: N818 - it says what the value is
    """The text is not a value of the kind."""


@dataclass(frozen=True, slots=True)
class Ids:
    """One of these resource ids."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A code in ``system``, in none when that is empty, in any when it is None; ``code`` None: every code of it."""

    system: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class Tokens:
    """One of these codes."""

    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class References:
    """A reference to one of these ids; to none of ours when empty."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Targets:
    """A reference to one of these, written ``Type/id``."""

    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dates:
    """One of these intervals."""

    spans: tuple[Span, ...]


def ids(text: str) -> Ids:
    """Read ``id,id``."""
    found = tuple(text.split(","))
    if not all(FHIR_ID.fullmatch(one) for one in found):
        raise Unreadable
    return Ids(found)


def tokens(text: str) -> Tokens:
    """Read ``code``, ``system|code``, ``|code``, ``system|``, with backslash escapes."""
    return Tokens(tuple(_token(item) for item in _items(text)))


def references(text: str, target: str, base: str) -> References:
    """Read ``id``, ``Type/id``, ``base/Type/id``; one to another type or server is readable and fits nothing."""
    return References(tuple(found for item in text.split(",") if (found := _reference(item, target, base)) is not None))


def targets(text: str, base: str) -> Targets:
    """Read ``Type/id``, ``base/Type/id``: an id alone could be one of any type."""
    found = tuple(item.removeprefix(f"{base}/") for item in text.split(","))
    if not all(_TYPED.fullmatch(one) for one in found):
        raise Unreadable
    return Targets(found)


def dates(text: str, zone: tzinfo) -> Dates:
    """Read dates with prefixes; those without a zone are meant in ``zone``."""
    found = [span(item, zone) for item in text.split(",")]
    if None in found:
        raise Unreadable
    return Dates(tuple(one for one in found if one is not None))


def _items(text: str) -> list[str]:
    """Split at the commas that are not escaped."""
    found, at = [], 0
    while (match := _ITEM.match(text, at)) is not None:
        found.append(match[0])
        at = match.end() + 1
        if match.end() == len(text):
            return found
        if text[match.end()] != ",":
            break
    raise Unreadable


def _token(item: str) -> Token:
    match = _TOKEN.fullmatch(item)
    if match is None:
        raise Unreadable
    system = _ESCAPE.sub(r"\1", match[1]) if match[2] else None
    code = _ESCAPE.sub(r"\1", match[3]) or None
    if not system and code is None:
        raise Unreadable
    return Token(system, code)


def _reference(item: str, target: str, base: str) -> str | None:
    local = item.removeprefix(f"{base}/")
    type_, slash, id_ = local.rpartition("/")
    if not FHIR_ID.fullmatch(id_):
        raise Unreadable
    return id_ if not slash or type_ == target else None
