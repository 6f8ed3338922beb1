"""Pulse oximetry: oxygen saturation, mostly with the pulse it was read from (device contract, section 4)."""

from __future__ import annotations

from ingest.kinds.kind import Kind, Sent, Values
from ingest.metrics import OXIMETER_PULSE, SATURATION
from ingest.schema import Maybe


class PulseOximetry(Values):
    """``values`` of the kind: saturation in %, pulse in /min."""

    saturation: Sent
    pulse: Maybe[Sent] = None


KIND = Kind(
    name="pulse_oximetry",
    values=PulseOximetry,
    metrics={"saturation": SATURATION, "pulse": OXIMETER_PULSE},
    context=frozenset({"body_site", "exertion"}),
)
