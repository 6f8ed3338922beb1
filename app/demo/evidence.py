"""What the devices themselves wrote down: every reading they made, every receipt they got.

Comes in: the folder with their outboxes and receipt logs. Goes out: an ``Account`` a device. Refuses to know: the
ledger and the record, which are held against it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from simulators.devices.contents import Claim, claimed
from simulators.devices.outbox import Kept, issued


@dataclass(frozen=True, slots=True)
class Made:
    """A reading as its device keeps it: ``values`` are numbers with their digits, ``units`` beside them.

    ``content`` is what it says of a file of its own, ``eye`` and ``field`` what it says of a photograph.
    """

    seq: int
    kind: str
    taken_at: datetime
    values: Mapping[str, Decimal]
    units: Mapping[str, str]
    content: Claim | None = None
    eye: str | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """One device's side of the story, by reading id; ``quarantined`` gives the reason."""

    device: str
    made: Mapping[str, Made]
    stored: frozenset[str]
    quarantined: Mapping[str, str]
    in_record: frozenset[str]
    repeated: int

    @property
    def waiting(self) -> frozenset[str]:
        """Readings without a final verdict."""
        return frozenset(self.made) - self.stored - self.quarantined.keys()

    @property
    def last(self) -> Made | None:
        """The newest reading: what its display shows."""
        return max(self.made.values(), key=lambda made: made.seq, default=None)


def reading_id(device: str, stream: str, seq: int) -> str:
    """The reading id of a key (device contract, section 3)."""
    return hashlib.sha256(f"constantes/v1|{device}|{stream}|{seq}".encode()).hexdigest()[:32]


def outbox(folder: Path, device: str) -> Path:
    """Where a device keeps its readings."""
    return folder / f"{device}.outbox"


def receipts(folder: Path, device: str) -> Path:
    """Where a device writes its receipts."""
    return folder / f"{device}.receipts"


def account(folder: Path, device: str) -> Account:
    """What ``device`` has written so far."""
    kept = outbox(folder, device)
    made = dict(map(_made, issued(kept))) if kept.exists() else {}
    heard = list(_heard(receipts(folder, device)))
    finals = {"stored", "quarantined"}
    return Account(
        device=device,
        made=made,
        stored=frozenset(name for name, one in heard if one["verdict"] == "stored"),
        quarantined={name: str(one["reason"]) for name, one in heard if one["verdict"] == "quarantined"},
        in_record=frozenset(name for name, one in heard if one["verdict"] == "in_record"),
        repeated=sum(bool(one["repeat"]) for _, one in heard if one["verdict"] in finals),
    )


def _made(kept: Kept) -> tuple[str, Made]:
    said = json.loads(kept.payload, parse_float=Decimal, parse_int=Decimal)
    values, image = said.get("values") or {}, said.get("image") or {}
    return reading_id(kept.device, kept.stream, kept.seq), Made(
        seq=kept.seq,
        kind=said["kind"],
        taken_at=datetime.fromisoformat(said["taken_at"]),
        values={name: one["value"] for name, one in values.items()},
        units={name: one["unit"] for name, one in values.items()},
        content=claimed(kept.payload),
        eye=image.get("eye"),
        field=image.get("field"),
    )


def _heard(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each receipt with its reading id; a line that is still being written is left for the next time."""
    whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
    for one in map(json.loads, whole.splitlines()):
        if one["stream"] is not None and one["seq"] is not None:
            yield reading_id(one["device"], one["stream"], one["seq"]), one
