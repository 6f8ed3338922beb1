"""Whether a text column holds a text, letter by letter: each engine has its own word for it.

Comes in: a column, a text. Goes out: a condition. Refuses to know: what the texts mean.

``LIKE`` will not do: SQLite's takes ``A`` and ``a`` for one letter.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_WORDS = {"postgresql": "strpos"}


class _Place(FunctionElement[int]):
    """Where a text begins in another one, from 1 on; 0 when it is not there."""

    type = Integer()
    inherit_cache = True


@compiles(_Place)
def _word(place: _Place, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ANN401 - as SQLAlchemy calls it
    return f"{_WORDS.get(compiler.dialect.name, 'instr')}({compiler.process(place.clauses, **kw)})"


def holds(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Whether ``column`` holds ``text``; unknown where it is NULL."""
    return _Place(column, text) > 0
