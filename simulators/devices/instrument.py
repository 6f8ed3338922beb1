"""What every simulated instrument gives: the members of a reading that its kind decides.

Comes in: the device's time. Goes out: `values`, `context`, `flags` and the like, ready for JSON. Refuses to know:
stream, seq, clock, the wire.
"""

from __future__ import annotations

import random
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
    """A kind that can be simulated: how an instrument is made, and what hello and registration say of it.

    `build(seed)` measures the person of that seed; `build(seed, body)` the one given, whom other instruments may
    measure too. Beside it goes `unit`, one of `units` (the first is set when it leaves the factory), and what else the
    instrument can be set to. `method` is the registration's word for how it measures; `per_visit` readings are taken
    one after the other when somebody measures; `timespec` is how finely the instrument's clock tells time.
    """

    kind: str
    build: Callable[..., Instrument]
    manufacturer: str
    model: str
    firmware: str
    method: str | None = None
    units: tuple[str, ...] = ()
    per_visit: int = 1
    timespec: str = "seconds"


def error(chance: random.Random, deviation: float, most: float) -> float:
    """A normal error of measurement, never beyond what the class of instrument allows."""
    return min(max(chance.gauss(0, deviation), -most), most)


def exertion(effort: float) -> str:
    """The contract's word for an effort from 0 to 1."""
    return "exercise" if effort > 0.1 else "rest"  # noqa: PLR2004 - less is no exercise to anybody
