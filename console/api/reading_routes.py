"""Routes about readings: newest first, one, and the way of one.

Comes in: requests whose form is right. Goes out: read models of the registry. Refuses to know: rules, tables.
"""

from __future__ import annotations

from fastapi import APIRouter

from console.api.access import Who, audited
from console.api.cursors import cursor_of, position_of
from console.api.wire import Limit, instant
from console.api.wire_ledger import ReadingOut, ReadingsOut, TraceOut
from console.office import Office
from registry import readings
from registry.readings import Wanted
from registry.trace import trace


def add(router: APIRouter, office: Office) -> None:
    """Put the routes on ``router``."""

    @router.get("/readings", tags=["readings"])
    def list_readings(
        who: Who,
        device: str | None = None,
        patient: str | None = None,
        since: str | None = None,
        cursor: str | None = None,
        limit: Limit = 100,
    ) -> ReadingsOut:
        """Accepted readings, newest first by arrival; ``since`` is when they arrived."""
        wanted = Wanted(device, patient, instant(since), None if cursor is None else position_of(cursor))
        with office.snapshot() as connection:
            found = readings.newest(connection, wanted, limit + 1)
        page = found[:limit]
        audited(office, who, "Observation", len(page), patient if page and patient else None)
        following = cursor_of(page[-1].position) if len(found) > limit else None
        return ReadingsOut(items=[ReadingOut.of(seen) for seen in page], cursor=following)

    @router.get("/readings/{reading}", tags=["readings"])
    def show_reading(reading: str, who: Who) -> ReadingOut:
        """One accepted reading."""
        with office.snapshot() as connection:
            seen = readings.one(connection, reading)
        audited(office, who, "Observation", 1, seen.patient)
        return ReadingOut.of(seen)

    @router.get("/readings/{reading}/trace", tags=["readings"])
    def trace_reading(reading: str, device: str | None = None) -> TraceOut:
        """Every stage of one message: by reading id, FHIR id, ``device:seq``, ``device:stream:seq``, or its hash.

        The hash is the SHA-256 of its bytes: 64 hex digits, or 16 as in receipts. ``device`` narrows it: without, it is
        looked for among what is set aside and the newest million messages.
        """
        with office.snapshot() as connection:
            return TraceOut.of(trace(connection, reading, device))
