"""Body height by a stadiometer (device contract, section 4)."""

from __future__ import annotations

from ingest.kinds.kind import Kind, Sent, Values
from ingest.metrics import BODY_HEIGHT


class BodyHeight(Values):
    """``values`` of the kind: height in cm, m or [in_i]."""

    height: Sent


KIND = Kind(
    name="body_height",
    values=BodyHeight,
    metrics={"height": BODY_HEIGHT},
)
