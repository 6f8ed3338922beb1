"""A patient's trend: the series asked as the devices and times that were his.

Comes in: a snapshot of the ledger, a patient, an interval. Goes out: ``Span`` values for ``ingest.series``. Refuses
to know: which store the series is in.
"""

from __future__ import annotations

from sqlalchemy import Connection

from ingest.model import Instant
from ingest.series.port import Span
from registry import assignments, people


def spans(connection: Connection, patient: str, start: Instant, end: Instant) -> list[Span]:
    """When which device was the patient's, between ``start`` and ``end`` (exclusive); raises Unknown for no patient."""
    people.show(connection, patient)
    held = assignments.listed(connection, patient=patient)
    cut = [Span(a.device, max(a.start, start), end if a.end is None else min(a.end, end)) for a in held]
    return [span for span in cut if span.start < span.end]
