"""An alarm, and how long things may take before they are one.

Comes in: nothing. Goes out: ``Alarm``, ``Limits``. Refuses to know: where alarms come from.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingest.model import Instant
from registry.alarm_codes import REGISTRY, Code, Severity

SECOND = 1_000_000
"""Of an ``Instant``."""
MOST = 1000
"""Alarms of one code, and cleared ones: more tells nobody more."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """``count``: how many things it is about, or how often it happened. ``cleared_at`` is None while it is open."""

    code: str
    subject: str
    since: Instant
    last_at: Instant
    count: int = 1
    cleared_at: Instant | None = None

    @property
    def severity(self) -> Severity:
        """How bad it is; a code of a newer version counts as bad."""
        return REGISTRY[Code(self.code)].severity if self.code in REGISTRY else Severity.ERROR


@dataclass(frozen=True, slots=True)
class Limits:
    """How long something may take before it is an alarm, in seconds."""

    delivery_s: int = 15 * 60
    gap_s: int = 60 * 60
    inbox_s: int = 24 * 3600
    content_s: int = 24 * 3600
    unheard_s: int = 48 * 3600
