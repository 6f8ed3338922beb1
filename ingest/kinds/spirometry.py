"""Forced spirometry: one-second volume, vital capacity, sometimes the peak flow (device contract, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from ingest.kinds.kind import Kind, Sent, Values
from ingest.metrics import FEV1, FVC, PEF
from ingest.reasons import Reason, Rejected
from ingest.schema import Maybe


class Spirometry(Values):
    """``values`` of the kind: volumes in L, peak flow in L/min."""

    fev1: Sent
    fvc: Sent
    pef: Maybe[Sent] = None


def check(exact: Mapping[str, Decimal]) -> None:
    """What left in the first second is part of the whole; raises ``value.inconsistent``."""
    if exact["fev1"] > exact["fvc"]:
        raise Rejected(Reason.VALUE_INCONSISTENT, "/values/fev1")


KIND = Kind(
    name="spirometry",
    values=Spirometry,
    metrics={"fev1": FEV1, "fvc": FVC, "pef": PEF},
    check=check,
)
