"""A device's clock: what it believes the time is, in which epoch, and whether it claims to be synchronised.

Comes in: nothing but the machine's clock, or one given. Goes out: RFC 3339 texts. Refuses to know: the gateway's time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

INDIAN_OCEAN = timezone(timedelta(hours=4))
"""The zone of the simulated sites, and of the contract's own examples."""


def machine_time() -> datetime:
    """This machine's time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class DeviceClock:
    """`ahead` is by how much it is wrong: negative when the clock is late."""

    ahead: timedelta = timedelta()
    epoch: int = 0
    synced: bool = True
    zone: timezone = INDIAN_OCEAN
    true_time: Callable[[], datetime] = machine_time

    def now(self) -> datetime:
        """The time that the device's display would show."""
        return (self.true_time() + self.ahead).astimezone(self.zone)


def text(moment: datetime, timespec: str = "seconds") -> str:
    """RFC 3339 with the offset: `2026-11-21T08:30:00+04:00` (C-RD-5)."""
    return moment.isoformat(timespec=timespec)
