"""What a check came to, as a line for a person.

Comes in: what was looked at, and what was wrong with it. Goes out: a line. Refuses to know: checks.
"""

from __future__ import annotations

from dataclasses import dataclass

KEEP = "Keep the folder named above, and run `constantes trace` on an id named here."


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check came to: ``problem`` None when all is as it should be, else what happened."""

    what: str
    problem: str | None = None
    remedy: str = KEEP

    @property
    def line(self) -> str:
        """For a person."""
        return f"ok      {self.what}" if self.problem is None else f"NOT ok  {self.what}: {self.problem}. {self.remedy}"
