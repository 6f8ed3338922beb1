"""Blood pressure by cuff: two pressures, sometimes a mean and a pulse (device contract, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from ingest.kinds.kind import Kind, Sent, Values
from ingest.metrics import CUFF_PULSE, DIASTOLIC, MEAN_PRESSURE, SYSTOLIC
from ingest.reasons import Reason, Rejected
from ingest.schema import Maybe

MEAN_TOLERANCE = Decimal(2)
"""mm[Hg] by which a mean may lie outside the two pressures (contract, section 4)."""


class BloodPressure(Values):
    """``values`` of the kind; pressures in mm[Hg] or kPa, pulse in /min."""

    systolic: Sent
    diastolic: Sent
    mean: Maybe[Sent] = None
    pulse: Maybe[Sent] = None


def check(exact: Mapping[str, Decimal]) -> None:
    """Diastolic below systolic, the mean between them; raises ``value.inconsistent``."""
    systolic, diastolic, mean = exact["systolic"], exact["diastolic"], exact.get("mean")
    if diastolic >= systolic:
        raise Rejected(Reason.VALUE_INCONSISTENT, "/values/diastolic")
    if mean is not None and not diastolic - MEAN_TOLERANCE <= mean <= systolic + MEAN_TOLERANCE:
        raise Rejected(Reason.VALUE_INCONSISTENT, "/values/mean")


KIND = Kind(
    name="blood_pressure",
    values=BloodPressure,
    metrics={"systolic": SYSTOLIC, "diastolic": DIASTOLIC, "mean": MEAN_PRESSURE, "pulse": CUFF_PULSE},
    check=check,
    context=frozenset({"body_site", "position"}),
)
