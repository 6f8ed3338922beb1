"""What is wrong with a setting, in words for the person who wrote it.

Comes in: the setting's name, what pydantic found, the names there are. Goes out: a clause that follows the name.
Refuses to know: values (they may be secrets), where settings come from.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

_NUMBERS = {"PORT": "from 1 to 65535", "OLDEST_DAYS": "from 1 to 3650"}
_OF_NUMBERS = frozenset({"int_parsing", "int_type", "int_from_float", "greater_than_equal", "less_than_equal"})
_WORDS = {
    "bool_parsing": "must be yes or no",
    "bool_type": "must be yes or no",
    "string_too_short": "must not be empty",
    "string_too_long": "is too long",
    "string_pattern_mismatch": "does not have the form of the example in .env.example",
}
_NEAR = 0.8  # difflib's likeness from which a name is proposed: one slip of the fingers, not another word


def problem(name: str, kind: str, message: str, names: Sequence[str]) -> str:
    """What pydantic's ``kind`` and ``message`` mean for the setting ``name``."""
    if kind == "extra_forbidden":
        return unknown(name, names)
    if kind in _OF_NUMBERS:
        return " ".join(filter(None, ("must be a whole number", _NUMBERS.get(name.rsplit("__", maxsplit=1)[-1]))))
    said = message.removeprefix("Value error, ").rstrip(".")
    return _WORDS.get(kind, said.replace("Input should be", "must be"))


def unknown(name: str, names: Sequence[str]) -> str:
    """That there is no such setting, and which one may have been meant; ``{NAME}`` stands for any name."""
    parts = name.split("__")
    free = parts[1] if len(parts) > 1 else ""
    near = difflib.get_close_matches(name, [known.replace("{NAME}", free) for known in names], 1, _NEAR)
    return f"is not a setting of this version: {near[0]} is" if near else "is not a setting of this version"
