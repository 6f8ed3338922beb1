"""The routes of trends: one quantity of one patient over time, as points or in buckets; how far behind they are.

Comes in: requests whose form is right. Goes out: what the series holds. Refuses to know: which store that is.
"""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from console.api.access import Who, audited
from console.api.wire import instant
from console.office import Office
from ingest.clock import utc_text
from ingest.series.lag import ask_rebuild, is_rebuild_asked, lag
from ingest.series.port import Bucket, Point
from registry.faults import Unfit
from registry.trends import spans

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SECOND = 1_000_000
_DEFAULT_REACH = 30 * 86_400 * _SECOND
_MOST = 10_000
_EVERY = re.compile(r"([1-9]\d{0,5})([smhd])")


class BucketOut(BaseModel):
    """Points from ``start`` on; a single point has its own time as ``start`` and one value."""

    start: str
    count: int
    min: float
    mean: float
    max: float


class SeriesOut(BaseModel):
    """A trend in the metric's own unit; ``complete`` is false when there was more than one answer holds."""

    patient: str
    metric: str
    items: list[BucketOut]
    complete: bool


class LagOut(BaseModel):
    """``behind``: readings, at most 100,000 are counted; ``age_s``: how long the oldest of them waits."""

    behind: int
    age_s: float
    late: bool
    rebuilding: bool


def add(router: APIRouter, office: Office) -> None:
    """Put the route on ``router``."""

    @router.get("/series", tags=["readings"])
    def show_series(
        who: Who,
        patient: str,
        metric: str,
        start: Annotated[str | None, Query(alias="from")] = None,
        end: Annotated[str | None, Query(alias="to")] = None,
        every: str | None = None,
    ) -> SeriesOut:
        """One quantity of one patient, the last 30 days when not said; ``every`` (`15m`, `1h`, `1d`) makes buckets."""
        last = instant(end) or office.now()
        first = instant(start) if start is not None else last - _DEFAULT_REACH
        width = None if every is None else _width(every)
        with office.snapshot() as connection:
            held = spans(connection, patient, first or 0, last)
        if width is None:
            items = [_point(point) for point in office.series.range(metric, held, _MOST + 1)]
        else:
            items = [_bucket(bucket) for bucket in office.series.buckets(metric, held, width)]
        audited(office, who, "Observation", len(items[:_MOST]), patient)
        return SeriesOut(patient=patient, metric=metric, items=items[:_MOST], complete=len(items) <= _MOST)

    @router.get("/series/lag", tags=["readings"])
    def show_lag() -> LagOut:
        """How far trends are behind what was published, and whether the series is about to be filled anew."""
        with office.snapshot() as connection:
            found, asked = lag(connection, office.now()), is_rebuild_asked(connection)
        return LagOut(behind=found.readings, age_s=round(found.age_s, 1), late=found.is_late, rebuilding=asked)

    @router.post("/series/rebuild", tags=["readings"], status_code=202)
    def rebuild_series() -> dict[str, bool]:
        """Have the series emptied and filled from the ledger by the projector; new readings go on coming meanwhile."""
        ask_rebuild(office.file)
        return {"asked": True}


def _width(every: str) -> int:
    found = _EVERY.fullmatch(every)
    if found is None:
        raise Unfit("series.every", "The width of a bucket cannot be read.", "Write it as 30s, 15m, 1h or 1d.")
    return int(found[1]) * _UNITS[found[2]] * _SECOND


def _point(point: Point) -> BucketOut:
    value = float(point.value)
    return BucketOut(start=utc_text(point.at), count=1, min=value, mean=value, max=value)


def _bucket(bucket: Bucket) -> BucketOut:
    return BucketOut(
        start=utc_text(bucket.start), count=bucket.count, min=float(bucket.low), mean=float(bucket.mean),
        max=float(bucket.high),
    )  # fmt: skip
