"""An ECG while it is taken: the same recording in parts, each a reading of its own (device contract, C-ECG-5).

Comes in: an inline recording. Goes out: the members of its parts, in the order they leave the cart. Refuses to know:
the wire, numbers of readings.
"""

from __future__ import annotations

import base64
import random
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from simulators.devices.clock import text
from simulators.devices.messages import Json

LEAST_S, MOST_S = 0.2, 2.0
"""Length of a part (C-ECG-5)."""
_BYTES = 2


def parts(recording: Mapping[str, Any], name: str, part_s: float = 1.0) -> Iterator[dict[str, Any]]:
    """Every part of an inline `recording`, each with the whole header; `name` is 32 hex digits.

    Raises ValueError for a length outside 0.2..2 s. A rest too short to stand alone goes with the part before.
    """
    hertz = float(recording["sampling_hz"])
    if not LEAST_S <= part_s <= MOST_S:
        raise ValueError("A part of a live ECG lasts from 0.2 to 2 seconds.")
    leads = {lead: base64.b64decode(samples) for lead, samples in recording["leads"].items()}
    length = len(next(iter(leads.values()))) // _BYTES
    starts = _starts(length, round(part_s * hertz), hertz)
    for start, end in zip(starts, [*starts[1:], length], strict=True):
        cut = {lead: _base64(samples[start * _BYTES : end * _BYTES]) for lead, samples in leads.items()}
        yield {
            "recording": {**recording, "leads": cut},
            "part": {"recording": name, "from_sample": start, "last": end == length},
        }


class Live:
    """A cart that sends while it measures: each call is the next part; after the last a new recording begins.

    `source` gives a whole ECG for the time it begins; its figures, known only at the end, are left out.

    `lost` parts, by place, are never sent: gaps. `shuffled` parts leave in another order, each with its own place.
    """

    def __init__(
        self, source: Callable[[datetime], Mapping[str, Any]], seed: int = 0, *, part_s: float = 1.0,
        lost: Collection[int] = (), shuffled: bool = False,
    ) -> None:  # fmt: skip
        self._source, self._part_s = source, part_s
        self._lost, self._shuffled = frozenset(lost), shuffled
        self._chance = random.Random(f"live {seed}")  # of the order alone: a recording's name is never given twice
        self._left: list[dict[str, Any]] = []

    def measure(self, at: datetime) -> Mapping[str, Json]:
        """The next part; `taken_at` is when its first sample was."""
        if not self._left:
            self._left = self._begun(at)
        return self._left.pop(0)

    def _begun(self, at: datetime) -> list[dict[str, Any]]:
        members = self._source(at)
        hertz = float(members["recording"]["sampling_hz"])
        beside = {name: said for name, said in members.items() if name not in ("recording", "values")}
        made = list(parts(members["recording"], secrets.token_hex(16), self._part_s))
        for part in made:
            starts = at + timedelta(seconds=part["part"]["from_sample"] / hertz)
            part.update(beside, taken_at=text(starts, "milliseconds"))
        made = [part for place, part in enumerate(made) if place not in self._lost]
        if self._shuffled:
            self._chance.shuffle(made)
        return made


def _starts(length: int, step: int, hertz: float) -> list[int]:
    starts = list(range(0, length, step))
    if len(starts) > 1 and length - starts[-1] < LEAST_S * hertz:
        last = starts.pop()
        if length - starts[-1] > MOST_S * hertz:
            starts.append(last - round(step / 2))
    return starts


def _base64(samples: bytes) -> str:
    return base64.b64encode(samples).decode()
