"""What every simulated instrument gives: the members of a reading that its kind decides.

Comes in: the device's time. Goes out: `values`, `context`, `flags` and the like, ready for JSON. Refuses to know:
stream, seq, clock, the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from simulators.devices.messages import Json


class Instrument(Protocol):
    """One apparatus on one patient."""

    def measure(self, at: datetime) -> Mapping[str, Json]:
        """The members of a reading taken at `at`, local time; called in the order of measurement."""
        ...


@dataclass(frozen=True, slots=True)
class Make:
    """A row of the table of kinds: how an instrument is made from a seed, and what hello says of it.

    `per_visit` readings are taken one after the other when somebody measures; `timespec` is how finely the
    instrument's clock tells time.
    """

    build: Callable[[int], Instrument]
    manufacturer: str
    model: str
    firmware: str
    per_visit: int = 1
    timespec: str = "seconds"
