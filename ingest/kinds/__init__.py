"""The table of device kinds. A new kind is one file beside these and one row here."""

from __future__ import annotations

from ingest.kinds import blood_pressure, ecg
from ingest.kinds.kind import Kind

KINDS: dict[str, Kind] = {kind.name: kind for kind in (blood_pressure.KIND, ecg.KIND)}
