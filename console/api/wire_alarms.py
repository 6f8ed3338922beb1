"""The JSON of ``/api/v1/alarms``, as pydantic models.

Comes in: alarms, a language. Goes out: the models that FastAPI documents. Refuses to know: where alarms come from.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from console.api.wire import shown
from ingest.clock import utc_text
from registry.alarm import Alarm
from registry.alarm_codes import words


class AlarmOut(BaseModel):
    """Something a person should know of. ``count``: how many things it is about, or how often it happened.

    ``happened``, ``safe`` and ``remedy`` are texts in the language of the installation; software goes by ``code``.
    """

    code: str
    subject: str
    since: str
    last_at: str
    count: int
    severity: Literal["error", "warning"]
    happened: str
    safe: str
    remedy: str
    cleared_at: str | None

    @classmethod
    def of(cls, alarm: Alarm, language: Literal["fr", "en"]) -> Self:
        """The alarm as it stands."""
        said = words(alarm.code, language, alarm.subject, alarm.count)
        return cls(
            code=alarm.code, subject=alarm.subject, since=utc_text(alarm.since), last_at=utc_text(alarm.last_at),
            count=alarm.count, severity=alarm.severity.value, happened=said.happened, safe=said.safe,
            remedy=said.remedy, cleared_at=shown(alarm.cleared_at),
        )  # fmt: skip


class AlarmIn(BaseModel):
    """An event that a person has seen to."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(max_length=64)
    subject: str = Field(max_length=128)
