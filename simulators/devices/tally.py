"""How a device is to behave, and the account of all that it did and saw.

Comes in: nothing. Goes out: two nouns, and the log of receipts. Refuses to know: how anything is done.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from simulators.devices.backoff import RECONNECT_S, REPEAT_S
from simulators.devices.messages import Receipt
from simulators.devices.parcels import ASK_S, PART_MOST, UNANSWERED


@dataclass(frozen=True, slots=True)
class Manner:
    """How a device behaves; delays in seconds. `window` is how many publishes may wait for the broker at a time."""

    window: int = 4
    part: int = PART_MOST
    """Bytes of a part of a large content."""
    unanswered: int = UNANSWERED
    ask_s: float = ASK_S
    repeat_s: float = REPEAT_S
    reconnect_s: float = RECONNECT_S
    down_qos: int = 1
    receipts_log: Path | None = None
    """Where each receipt is appended as a line of JSON."""


@dataclass(slots=True)
class Tally:
    """All that a device did and saw."""

    made: int = 0
    published: int = 0
    repeated: int = 0
    connects: int = 0
    cuts: int = 0
    welcomes: int = 0
    settled: int | None = None
    """The contiguous mark of the last welcome."""
    ledger: str | None = None
    resends: int = 0
    slow_downs: int = 0
    parts: int = 0
    """Parts of large contents published, and their bytes."""
    part_bytes: int = 0
    lost: int = 0
    unmatched: int = 0
    """Final verdicts on bytes that the device does not hold: repeats, conflicts, corrupted copies."""
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    stored: set[str] = field(default_factory=set)
    """Reading ids with a `stored` receipt."""
    in_record: set[str] = field(default_factory=set)
    """Reading ids that the record has confirmed."""
    problem: str | None = None
    """Why the last connection ended or was refused."""

    def note(self, receipt: Receipt) -> None:
        """Count one verdict."""
        self.verdicts[receipt.verdict] += 1
        if receipt.reason:
            self.reasons[receipt.reason] += 1
        if receipt.action:
            self.actions[receipt.action] += 1
        if receipt.reading and receipt.verdict == "stored":
            self.stored.add(receipt.reading)
        if receipt.reading and receipt.verdict == "in_record":
            self.in_record.add(receipt.reading)


def log(path: Path, device: str, receipt: Receipt) -> None:
    """Append one receipt as a line of JSON: device, stream, seq, verdict, reading, reason, sha, repeat."""
    names = ("stream", "seq", "verdict", "reading", "reason", "sha", "repeat")
    with path.open("a") as lines:
        lines.write(json.dumps({"device": device} | {name: getattr(receipt, name) for name in names}) + "\n")
