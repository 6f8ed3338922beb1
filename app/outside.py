"""What alarms there are outside the ledger: parts of the program, the broker's session, destinations, disk, clock.

Comes in: settings, the status files that parts write. Goes out: ``Alarm``. Refuses to know: the ledger, languages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app import status
from app.clock import is_disciplined
from app.health import has_room
from app.parts import GATEWAY, OFFICE
from app.settings import Settings
from ingest.model import Instant
from registry.alarm import SECOND, Alarm
from registry.alarm_codes import Code


@dataclass(frozen=True, slots=True)
class Outside:
    """Of one installation (``console.office.Outside``)."""

    settings: Settings

    def alarms(self, now: Instant) -> Sequence[Alarm]:
        """Those that hold at ``now``."""
        return [*self._parts(now), *self._broker(now), *self._destinations(now), *self._machine(now)]

    def waits(self) -> Mapping[str, str]:
        """Destinations that take nothing at the moment, with the code of why."""
        said = status.destinations(self.settings.data).items()
        return {name: each.problem for name, each in said if each.is_fresh and each.problem is not None}

    def _parts(self, now: Instant) -> Iterator[Alarm]:
        for part in expected(self.settings):
            said = status.read(self.settings.data, part)
            if said is None or not said.is_fresh:
                yield Alarm(Code.PART_SILENT, part, now if said is None else _instant(said.at), now)
            elif not said.ready and said.connected is not False:
                yield Alarm(Code.PART_PROBLEM, part, _since(said, now), now)

    def _broker(self, now: Instant) -> Iterator[Alarm]:
        said = status.read(self.settings.data, GATEWAY)
        if said is not None and said.is_fresh and said.connected is False:
            yield Alarm(Code.BROKER_AWAY, GATEWAY, _since(said, now), now)

    def _destinations(self, now: Instant) -> Iterator[Alarm]:
        for name, said in status.destinations(self.settings.data).items():
            if said.is_fresh and not said.ready and name in self.settings.destinations:
                yield Alarm(Code.DESTINATION_UNREACHABLE, name, _since(said, now), now)

    def _machine(self, now: Instant) -> Iterator[Alarm]:
        if not has_room(self.settings):
            yield Alarm(Code.LEDGER_DISK_RESERVE, "data", now, now)
        if not is_disciplined(self.settings.clock.disciplined):
            yield Alarm(Code.CLOCK_UNDISCIPLINED, "clock", now, now)


def expected(settings: Settings) -> tuple[str, ...]:
    """The parts that should speak: the office as one process, unless its parts spoke later, each on its own."""
    together = status.read(settings.data, "office")
    alone = [said.at for part in OFFICE if (said := status.read(settings.data, part)) is not None]
    if alone and (together is None or max(alone) > together.at):
        return (GATEWAY, *OFFICE)
    return (GATEWAY, "office")


def _since(said: status.Status, now: Instant) -> Instant:
    return now if said.since is None else _instant(said.since)


def _instant(seconds: float) -> Instant:
    return int(seconds * SECOND)
