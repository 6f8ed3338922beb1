"""Routes about what a reading holds besides values: a stretch of a recording, a photograph's thumbnail.

Comes in: requests whose form is right. Goes out: samples, JPEG bytes. Refuses to know: files, tables.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from console.api.access import Who, audited
from console.api.problems import Problem
from console.api.wire_content import StretchOut
from console.office import Office
from registry import readings, recordings

LONGEST_S = 60
"""Longest stretch of a recording in one answer, in seconds."""
_USUAL_S = Decimal(10)
_FARTHEST_S = 10_000_000  # more than any recording has
_PLACES = 6  # to the microsecond, as answers are; and an exponent of millions would take long to compute with
_UNSEEN = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def add(router: APIRouter, office: Office) -> None:
    """Put the routes on ``router``."""

    @router.get("/readings/{reading}/recording", tags=["readings"])
    def show_recording(
        reading: str,
        who: Who,
        response: Response,
        lead: str,
        start: Annotated[Decimal, Query(alias="from", ge=0, le=_FARTHEST_S, decimal_places=_PLACES)] = Decimal(0),
        end: Annotated[Decimal | None, Query(alias="to", ge=0, le=_FARTHEST_S, decimal_places=_PLACES)] = None,
    ) -> StretchOut:
        """Samples of one lead between two times in seconds: 10 s when no end is given, 60 s at most."""
        span = _span(start, end)
        with office.snapshot() as connection:
            seen = readings.one(connection, reading)
            found = recordings.stretch(connection, office.file.blobs, reading, lead, span)
        audited(office, who, "Observation", 1, seen.patient)
        response.headers.update(_UNSEEN)
        return StretchOut.of(found)

    @router.get("/readings/{reading}/thumbnail", tags=["readings"], response_class=_Jpeg)
    def show_thumbnail(reading: str, who: Who) -> Response:
        """A photograph, small: JPEG, 256 pixels at most."""
        with office.snapshot() as connection:
            seen = readings.one(connection, reading)
            found = recordings.thumbnail(connection, office.file.blobs, reading)
        audited(office, who, "Media", 1, seen.patient)
        return _Jpeg(found, headers=_UNSEEN)


class _Jpeg(Response):
    media_type = "image/jpeg"


def _span(start: Decimal, end: Decimal | None) -> tuple[Decimal, Decimal]:
    """The stretch that is asked for; raises Problem 400."""
    until = start + _USUAL_S if end is None else end
    if not start < until <= start + LONGEST_S:
        told = f"Nothing was read. Give `to` after `from`, and at most {LONGEST_S} seconds after it."
        raise Problem(400, "recording.span", told)
    return start, until
