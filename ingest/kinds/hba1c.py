"""Glycated haemoglobin (HbA1c) by a point-of-care analyser (device contract, section 4)."""

from __future__ import annotations

from ingest.kinds.kind import Kind, Sent, Values
from ingest.metrics import HBA1C


class GlycatedHaemoglobin(Values):
    """``values`` of the kind: fraction in % (NGSP) or mmol/mol (IFCC)."""

    fraction: Sent


KIND = Kind(
    name="hba1c",
    values=GlycatedHaemoglobin,
    metrics={"fraction": HBA1C},
)
