"""What is told to a person of something that is not well: what happened, what is safe, what to do.

Comes in: sentences. Goes out: ``Words``. Refuses to know: languages, what it is about.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence or two each; ``{fact}`` where a fact stands."""

    happened: str
    safe: str
    remedy: str
