"""What a time series is asked, and when it is fed.

Comes in: points. Goes out: points, buckets, last values. Refuses to know: patients, FHIR.
Every implementation passes the suite in ``tests/series/test_series.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from ingest.model import Instant


@dataclass(frozen=True, slots=True)
class Point:
    """One measured value in the metric's own unit; ``position``, its journal row, keeps points of one instant apart."""

    device: str
    metric: str
    at: Instant
    position: int
    value: Decimal


@dataclass(frozen=True, slots=True)
class Span:
    """A device from ``start`` (inclusive) to ``end`` (exclusive)."""

    device: str
    start: Instant
    end: Instant


@dataclass(frozen=True, slots=True)
class Bucket:
    """Points of ``start`` <= at < start + width: their number, and min, mean, max in the metric's unit."""

    start: Instant
    count: int
    low: Decimal
    mean: Decimal
    high: Decimal


def age(point: Point) -> tuple[Instant, int]:
    """What points are ordered by: time, then arrival."""
    return point.at, point.position


def positive(width: int) -> int:
    """The width itself; raises ValueError for a bucket that holds nothing."""
    if width <= 0:
        raise ValueError("a bucket is wider than nothing")
    return width


def rounded(value: float) -> Decimal:
    """A reckoned value to 6 decimals, as buckets hold them."""
    return Decimal(f"{value:.6f}")  # half to even, as `quantize` does, in half the time


@dataclass(frozen=True, slots=True)
class Mark:
    """What a series says of itself: the name of the ledger it was filled from, and up to which position of its feed."""

    ledger: str
    position: int


class Apart(Protocol):
    """A series in a store of its own, which may be emptied, replaced or set back without the ledger's knowing.

    All methods raise LedgerUnavailable when it is away.
    """

    def prepare(self) -> str | None:
        """Make what the store needs to have before points are written; called at the start and after each fault.

        Harmless when repeated. Returns what a person should know although everything works.
        """

    def mark(self) -> Mark | None:
        """Whose points it holds and how many of them; None when nobody has claimed it since it was emptied."""

    def claim(self, ledger: str) -> None:
        """Called when it has been cleared, before the first point: the points of this ledger follow."""

    def note(self, position: int) -> None:
        """Called after ``write``: the points of all positions of the feed up to this one are in it."""


class Series(Protocol):
    """A store of points. All methods raise LedgerUnavailable (or the engine's own kin of it) when it is away."""

    @property
    def apart(self) -> Apart | None:
        """None where the points lie beside the ledger's own rows and can only be lost together with them."""

    @property
    def together(self) -> int:
        """How many readings' points are best written at once."""

    def write(self, points: Sequence[Point]) -> None:
        """Keep points; called by the projector only, in the feed's order. Writing a point again changes nothing.

        When it returns they are on stable storage; when it raises, any of them may be there.
        """

    def remove(self, points: Sequence[Point]) -> None:
        """Forget points, whatever their value: their reading was taken back, or has another time now.

        Called by the projector only. What is not there is forgotten already.
        """

    def range(self, metric: str, spans: Sequence[Span], most: int) -> Sequence[Point]:
        """The first ``most`` points of a metric in these spans, by time, then position."""

    def buckets(self, metric: str, spans: Sequence[Span], width: int) -> Sequence[Bucket]:
        """Points gathered in buckets of ``width`` microseconds from 1970-01-01T00:00:00Z on; empty ones are left out.

        Values are reckoned in binary floating point here (a mean has no exact digits) and rounded to 6 decimals. Raises
        ValueError unless ``width`` is above 0.
        """

    def last(self, spans: Sequence[Span]) -> Sequence[Point]:
        """The newest point of each metric in these spans."""

    def clear(self) -> None:
        """Forget everything: the projector feeds it again from the journal."""
