"""What a look found: a code of the table, the facts beside it, and how it is told to a person.

Comes in: codes and facts (numbers, names of settings, files and destinations). Goes out: sentences in the
installation's language. Refuses to know: how anything is found. Values of readings, identities and secrets are never
facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

from registry.words import Words

Language: TypeAlias = Literal["fr", "en"]


class Severity(StrEnum):
    """How bad it is, worst first."""

    ERROR = "error"
    """Acknowledged readings would be lost, or none can be taken."""
    WARNING = "warning"
    """Somebody should act while nothing is lost yet."""
    NOTE = "note"
    """Good to know; nothing has to be done at once."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the table of findings."""

    severity: Severity
    fr: Words
    en: Words

    def words(self, language: Language) -> Words:
        """In the language of the installation."""
        return self.fr if language == "fr" else self.en


@dataclass(frozen=True, slots=True)
class Finding:
    """A code of the table and its facts, in the order of their names.

    ``measured``: facts that come out a little different each time; two findings that differ in nothing else are one.
    """

    code: str
    facts: tuple[tuple[str, str], ...] = ()
    measured: tuple[tuple[str, str], ...] = field(default=(), compare=False)


def found(code: str, measured: Mapping[str, object] | None = None, /, **facts: object) -> Finding:
    """A finding; facts are told as they are written."""
    return Finding(code, _written(facts), _written(measured or {}))


def _written(facts: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, str(value)) for name, value in facts.items()))


def told(finding: Finding, entry: Entry, language: Language) -> Words:
    """Its sentences with the facts in them; raises KeyError for a fact that the sentences need and nobody gave."""
    facts: Mapping[str, str] = dict(finding.facts + finding.measured)
    words = entry.words(language)
    return Words(*(text.format_map(facts) for text in (words.happened, words.safe, words.remedy)))
