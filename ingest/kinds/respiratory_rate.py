"""Respiratory rate (device contract, section 4)."""

from __future__ import annotations

from ingest.kinds.kind import Kind, Sent, Values
from ingest.metrics import RESPIRATORY_RATE


class RespiratoryRate(Values):
    """``values`` of the kind: rate in /min."""

    rate: Sent


KIND = Kind(
    name="respiratory_rate",
    values=RespiratoryRate,
    metrics={"rate": RESPIRATORY_RATE},
    context=frozenset({"exertion"}),
)
