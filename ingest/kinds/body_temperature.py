"""Body temperature by a thermometer (device contract, section 4)."""

from __future__ import annotations

from ingest.kinds.kind import Kind, Sent, Values
from ingest.metrics import BODY_TEMPERATURE


class BodyTemperature(Values):
    """``values`` of the kind: temperature in Cel or [degF]."""

    temperature: Sent


KIND = Kind(
    name="body_temperature",
    values=BodyTemperature,
    metrics={"temperature": BODY_TEMPERATURE},
    context=frozenset({"body_site"}),
)
