"""The JSON of ``/api/v1`` about readings and the ledger, as pydantic models.

Comes in: rows of the registry's read models. Goes out: the models that FastAPI documents. Refuses to know: where
they come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel

from console.api.wire import shown
from console.api.wire_content import ContentOut, parts
from ingest.clock import utc_text
from ingest.ledger.balance import Balance
from ingest.ledger.verify import Verified
from registry.readings import Seen
from registry.trace import Trace
from registry.waiting import Gap, Outstanding


class MeasurementOut(BaseModel):
    """A measured quantity with the digits as sent; ``unusual``: for people to look at, never changed."""

    metric: str
    value: str
    unit: str
    unusual: bool


class InboxOut(BaseModel):
    """How many accepted readings of a device have no patient yet."""

    device: str
    readings: int


class ReadingOut(ContentOut):
    """An accepted reading; ``used_at`` is the time it counts under, ``time_mark`` which clock that stands on.

    ``verdict`` is the present one: stored; pending while its content is waited for; quarantined when that is refused.
    """

    reading: str
    device: str
    stream: str
    seq: int
    kind: str
    taken_at: str
    used_at: str
    time_mark: str
    received_at: str
    flags: list[str]
    patient: str | None
    waits: str | None
    measurements: list[MeasurementOut]
    verdict: str

    @classmethod
    def of(cls, seen: Seen) -> Self:
        """The reading as it stands."""
        measured = [
            MeasurementOut(metric=m.metric, value=m.value, unit=m.unit, unusual=m.unusual) for m in seen.measurements
        ]
        return cls(
            reading=seen.reading, device=seen.device, stream=seen.stream, seq=seen.seq, kind=seen.kind,
            taken_at=seen.taken_at, used_at=utc_text(seen.used_at), time_mark=seen.mark,
            received_at=utc_text(seen.received_at), flags=list(seen.flags), patient=seen.patient, waits=seen.waits,
            measurements=measured, verdict=seen.verdict, **parts(seen.content),
        )  # fmt: skip


class ReadingsOut(BaseModel):
    """A page; ``cursor`` asks for the next one and is absent on the last."""

    items: list[ReadingOut]
    cursor: str | None


class StageOut(BaseModel):
    """A stage; ``at`` is absent where the ledger keeps no time of its own."""

    stage: str
    at: str | None
    outcome: str
    reason: str | None


class TraceOut(BaseModel):
    """The way of one message; ``reading``, ``stream`` and ``seq`` are absent where it gave no number."""

    reading: str | None
    device: str
    stream: str | None
    seq: int | None
    kind: str | None
    stages: list[StageOut]

    @classmethod
    def of(cls, found: Trace) -> Self:
        """The trace as it stands."""
        stages = [StageOut(stage=s.stage, at=shown(s.at), outcome=s.outcome, reason=s.reason) for s in found.stages]
        return cls(
            reading=found.reading, device=found.device, stream=found.stream, seq=found.seq, kind=found.kind,
            stages=stages,
        )  # fmt: skip


class GapOut(BaseModel):
    """Sequence numbers ``first``..``last`` that have not come."""

    device: str
    stream: str
    first: int
    last: int
    first_seen: str
    asked_at: str | None
    closed_at: str | None
    closed_as: str | None

    @classmethod
    def of(cls, gap: Gap) -> Self:
        """The gap as it stands."""
        return cls(
            device=gap.device, stream=gap.stream, first=gap.first, last=gap.last, first_seen=utc_text(gap.first_seen),
            asked_at=shown(gap.asked_at), closed_at=shown(gap.closed_at), closed_as=gap.closed_as,
        )  # fmt: skip


class DeliveryOut(BaseModel):
    """A resource version that a destination has not confirmed.

    ``answer``: the code of its last answer; before its first try, why its destination takes nothing now.
    """

    destination: str
    position: int
    resource: str
    state: str
    tries: int
    due_at: str
    next_try: str
    answer: str | None

    @classmethod
    def of(cls, found: Outstanding, waits: Mapping[str, str]) -> Self:
        """The delivery as it stands; ``waits``: destinations that take nothing, with the code of why."""
        answer = found.answer or (waits.get(found.destination) if found.state == "due" else None)
        return cls(
            destination=found.destination, position=found.position, resource=f"{found.type}/{found.id}",
            state=found.state, tries=found.tries, due_at=utc_text(found.due_at), next_try=utc_text(found.next_try),
            answer=answer,
        )  # fmt: skip


class UnpublishedOut(BaseModel):
    """Readings that were kept and are no deliveries yet: the exporter makes them. ``since``: the oldest of them."""

    readings: int
    since: str | None


class DeliveriesOut(BaseModel):
    """What waits for destinations, and what does not even do so yet."""

    items: list[DeliveryOut]
    unpublished: UnpublishedOut


class BalanceOut(BaseModel):
    """Reading messages by state; ``balanced``: each is in exactly one."""

    received: int
    stored: int
    duplicate: int
    quarantined: int
    dismissed: int
    pending: int
    balanced: bool

    @classmethod
    def of(cls, found: Balance) -> Self:
        """The counts of one snapshot."""
        return cls(
            received=found.received, stored=found.stored, duplicate=found.duplicate, quarantined=found.quarantined,
            dismissed=found.dismissed, pending=found.pending, balanced=found.balanced,
        )  # fmt: skip


class FaultOut(BaseModel):
    """A row that is not as it was written, or has not the rows beside it that belong there."""

    table: str
    position: int | None
    what: str


class VerifiedOut(BaseModel):
    """Rows and blobs whose hash was computed again, and what was wrong; ``head`` names the newest seal."""

    rows: int
    blobs: int
    faults: list[FaultOut]
    head: str | None

    @classmethod
    def of(cls, found: Verified) -> Self:
        """The result as it stands."""
        faults = [FaultOut(table=f.table, position=f.position, what=f.what) for f in found.faults]
        return cls(rows=found.rows, blobs=found.blobs, faults=faults, head=found.head)
