"""Points of a bucket, gathered: what stores reckon for parts of it is put together here.

Comes in: counts, sums, lowest and highest values. Goes out: buckets. Refuses to know: points, stores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from ingest.model import Instant
from ingest.series.port import Bucket, rounded


@dataclass(slots=True)
class Gathered:
    """Nothing yet, until something is added."""

    count: int = 0
    total: float = 0.0
    low: float = float("inf")
    high: float = float("-inf")


def buckets(found: Mapping[Instant, Gathered]) -> Sequence[Bucket]:
    """In order of time; the keys are the starts.

    A store that reckons count and lowest value one after the other may see an hour's first point between the two: such
    an hour is not there yet, as for whoever had asked a moment before.
    """
    whole = {start: one for start, one in found.items() if one.count and one.low <= one.high}
    values = {value for one in whole.values() for value in (one.low, one.high)}  # few are many times there
    ends = {value: rounded(value) for value in values}
    return [
        Bucket(start, one.count, ends[one.low], rounded(one.total / one.count), ends[one.high])
        for start, one in sorted(whole.items(), key=itemgetter(0))
    ]
