"""Routes about readings: newest first, one, and the way of one.

Comes in: requests whose form is right. Goes out: read models of the registry. Refuses to know: rules, tables.
"""

from __future__ import annotations

import base64
import binascii

from fastapi import APIRouter

from console.api.access import Who, audited
from console.api.wire import Limit, instant
from console.api.wire_ledger import ReadingOut, ReadingsOut, TraceOut
from console.office import Office
from registry import readings
from registry.faults import Unfit
from registry.readings import Wanted
from registry.trace import trace

_LARGEST = 2**63 - 1


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
        wanted = Wanted(device, patient, instant(since), None if cursor is None else _position(cursor))
        with office.snapshot() as connection:
            found = readings.newest(connection, wanted, limit + 1)
        page = found[:limit]
        audited(office, who, "Observation", len(page), patient if page and patient else None)
        following = _cursor(page[-1].position) if len(found) > limit else None
        return ReadingsOut(items=[ReadingOut.of(seen) for seen in page], cursor=following)

    @router.get("/readings/{reading}", tags=["readings"])
    def show_reading(reading: str, who: Who) -> ReadingOut:
        """One accepted reading."""
        with office.snapshot() as connection:
            seen = readings.one(connection, reading)
        audited(office, who, "Observation", 1, seen.patient)
        return ReadingOut.of(seen)

    @router.get("/readings/{reading}/trace", tags=["readings"])
    def trace_reading(reading: str) -> TraceOut:
        """Every stage of one reading: a reading id, a FHIR id that begins with one, or ``device:stream:seq``."""
        with office.snapshot() as connection:
            return TraceOut.of(trace(connection, reading))


def _cursor(position: int) -> str:
    return base64.urlsafe_b64encode(f"1.{position}".encode()).decode().rstrip("=")


def _position(cursor: str) -> int:
    """The position that a cursor of ours stands for; raises Unfit."""
    try:
        word = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        version, _, position = word.partition(".")
        if version == "1" and 0 < int(position) <= _LARGEST and _cursor(int(position)) == cursor:
            return int(position)
    except (ValueError, binascii.Error):
        pass
    raise Unfit("cursor", "The cursor was not given out by this installation.", "Start again without one.")
