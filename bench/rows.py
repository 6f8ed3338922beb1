"""One line of the table of figures.

Comes in: what was measured. Goes out: ``Row``. Refuses to know: how it is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure; ``ratio`` and ``must`` are None where there is nothing to hold it against."""

    workload: str
    what: str
    value: str
    ratio: float | None = None
    must: str | None = None
    met: bool | None = None
    facts: dict[str, Any] = field(default_factory=dict)
