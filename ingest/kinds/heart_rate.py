"""Heart rate by a belt, watch or strap, whether optical or electrical (device contract, section 4)."""

from __future__ import annotations

from ingest.kinds.kind import Kind, Sent, Values
from ingest.metrics import HEART_RATE


class HeartRate(Values):
    """``values`` of the kind: rate in /min."""

    rate: Sent


KIND = Kind(
    name="heart_rate",
    values=HeartRate,
    metrics={"rate": HEART_RATE},
    context=frozenset({"exertion", "position"}),
)
