"""A message as a person may look at it: its form without its values, or all of it without what upsets a terminal. Pure.

Comes in: the bytes of a message. Goes out: text. Refuses to know: why it was set aside, who looks.

Masked, a message keeps names, places and the few members that say which reading it is; every other value is ``***``.
One that is no JSON keeps its punctuation: letters become x, digits 9.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

MASK = "***"
_SHOWN = frozenset(
    {"v", "stream", "seq", "clock", "kind", "taken_at", "replaces", "unit", "sampling_hz", "content_type"}
)
"""Members whose value says which reading it is and how it is written, never what was measured or of whom."""
_LONGEST = 64  # longer than any value of those members that can be right
_INDENT = "  "
_FORM = 2_000  # characters shown of what is no JSON
_LETTER, _DIGIT = re.compile(r"[^\W\d_]"), re.compile(r"\d")


class _Members(list[tuple[str, Any]]):
    """An object's members as written: a name that is there twice stays there twice."""


class _Number(str):
    """A number as written."""

    __slots__ = ()


def plain(payload: bytes) -> str:
    """All of it; what is no character, or commands a terminal, is written as its escape."""
    return _harmless(payload.decode("utf-8", "backslashreplace"))


def masked(payload: bytes) -> str:
    """Its form: see the module."""
    text = payload.decode("utf-8", "backslashreplace")
    try:
        return _harmless(_written(_parsed(text), "", shown=False))
    except (ValueError, RecursionError):
        if text.count("\\x") > len(payload) // 8:
            return f"{len(payload):,} bytes that are no text"
        form = _DIGIT.sub("9", _LETTER.sub("x", _harmless(text[:_FORM])))
        return form if len(text) <= _FORM else f"{form}... ({len(payload):,} bytes)"


def _parsed(text: str) -> Any:  # noqa: ANN401 - any JSON
    number: Callable[[str], _Number] = _Number
    return json.loads(text, object_pairs_hook=_Members, parse_int=number, parse_float=number, parse_constant=number)


def _written(value: Any, margin: str, *, shown: bool) -> str:  # noqa: ANN401 - any JSON
    """``value`` as indented JSON; ``shown``: as it is, when it is short and plain."""
    inner = margin + _INDENT
    if isinstance(value, _Members):
        members = [f"{_text(name)}: {_written(each, inner, shown=name in _SHOWN)}" for name, each in value]
        return _block("{", members, "}", margin)
    if isinstance(value, list):
        return _block("[", [_written(each, inner, shown=False) for each in value], "]", margin)
    if not shown or len(str(value)) > _LONGEST:
        return MASK
    return str(value) if isinstance(value, _Number) else _text(value)


def _block(opening: str, parts: list[str], closing: str, margin: str) -> str:
    if not parts:
        return opening + closing
    inside = ",\n".join(f"{margin}{_INDENT}{part}" for part in parts)
    return f"{opening}\n{inside}\n{margin}{closing}"


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _harmless(text: str) -> str:
    return "".join(one if one.isprintable() or one in "\n\t" else _escape(one) for one in text)


def _escape(one: str) -> str:
    return one.encode("unicode_escape").decode("ascii")
