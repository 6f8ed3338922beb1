"""Glucose by meter (capillary blood) or sensor (interstitial fluid): ``sample`` tells (device contract, section 4)."""

from __future__ import annotations

from ingest.kinds.kind import Kind, Sent, Values
from ingest.metrics import BLOOD_GLUCOSE


class BloodGlucose(Values):
    """``values`` of the kind: glucose in mg/dL or mmol/L."""

    glucose: Sent


KIND = Kind(
    name="blood_glucose",
    values=BloodGlucose,
    metrics={"glucose": BLOOD_GLUCOSE},
    context=frozenset({"moment", "sample"}),
)
