"""Body weight by scales (device contract, section 4)."""

from __future__ import annotations

from ingest.kinds.kind import Kind, Sent, Values
from ingest.metrics import BODY_WEIGHT


class BodyWeight(Values):
    """``values`` of the kind: weight in kg, g or [lb_av]."""

    weight: Sent


KIND = Kind(
    name="body_weight",
    values=BodyWeight,
    metrics={"weight": BODY_WEIGHT},
)
