"""What went wrong with a device or the broker, gathered until it is written: once a code, subject and minute.

Comes in: what became of a batch, who floods, a session that the broker has lost. Goes out: ``Alarm``s that are due.
Refuses to know: where they are written, who reads them. Any thread may tell; nothing here waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from ingest.ledger.port import Alarm, Answer, Item, Kept, Known, Told
from ingest.model import Instant, Judged, Outcome
from ingest.reasons import Reason

KEY_CONFLICT, FLOOD = "device.key_conflict", "device.flood"
REPLAYS_OLD, EUI64_CHANGED = "device.replays_old", "device.eui64_changed"
SESSION_LOST, BROKER = "broker.session_lost", "broker"

REPEATS = 1_000
"""Stored readings that a device may repeat in an hour: those whose receipts were lost on their way, and no more."""
MOST = 10_000
"""Alarms that may wait to be written, and devices whose repeats are counted; what is beyond is told when it recurs."""
_MINUTE, _HOUR = 60_000_000, 3_600_000_000  # microseconds
_Name = tuple[str, str]


class Events:
    """What is to be told to people; ``due`` says what may be written now, ``written`` that it was."""

    def __init__(
        self, now: Callable[[], Instant], *, last_kept: Instant | None = None, repeats: int = REPEATS, most: int = MOST
    ) -> None:
        """``last_kept``: when a message was last kept before this start, None for a ledger that is new."""
        self._now, self._last_kept, self._most_repeats, self._most = now, last_kept, repeats, most
        self._guard = threading.Lock()
        self._waiting: dict[_Name, Alarm] = {}
        self._written: dict[_Name, Instant] = {}
        self._repeats: dict[str, int] = {}
        self._hour = 0

    @property
    def remembered(self) -> int:
        """How many names at most stand in a table here."""
        return max(len(self._waiting), len(self._written), len(self._repeats))

    def seen(self, items: Sequence[Item], answers: Sequence[Answer], known: Mapping[str, Known]) -> None:
        """Look for conflicts, repeats of what is stored, and strange hellos in a batch that was kept."""
        for item, answer in zip(items, answers, strict=True):
            if isinstance(answer, Kept):
                if (answer.repeat or answer.reason is Reason.KEY_CONFLICT) and isinstance(item, Judged):
                    self._unusual(item, answer)
            elif isinstance(item, Told) and item.eui64:
                registered = known.get(item.device, Known()).eui64
                if registered is not None and registered != item.eui64:
                    self.tell(EUI64_CHANGED, item.device)

    def session_lost(self, since: Instant | None) -> None:
        """The broker knows no session of the gateway's: what it took since ``since`` may be lost.

        None: this process had none yet, so the window begins with what was kept last; a ledger that is new had none.
        """
        begins = self._last_kept if since is None else since
        if begins is not None:
            self.tell(SESSION_LOST, BROKER, begins)

    def tell(self, code: str, subject: str, since: Instant | None = None) -> None:
        """It happened, now; ``since`` where it has lasted."""
        name = code, subject
        with self._guard:
            before = self._waiting.get(name)
            if before is None and len(self._waiting) >= self._most:
                return
            if before is not None and before.since is not None and since is not None:
                since = min(since, before.since)
            self._waiting[name] = Alarm(code, subject, self._now(), since)

    def due(self) -> Sequence[Alarm]:
        """What waits and was not written within the last minute."""
        with self._guard:
            before = self._now() - _MINUTE
            self._written = {name: at for name, at in self._written.items() if before < at <= before + _MINUTE}
            return [alarm for name, alarm in self._waiting.items() if name not in self._written]

    def written(self, alarms: Sequence[Alarm]) -> None:
        """These are on stable storage; one that has happened again meanwhile waits for its minute."""
        with self._guard:
            for alarm in alarms:
                name = alarm.code, alarm.subject
                self._written[name] = self._now()
                if self._waiting.get(name) is alarm:
                    del self._waiting[name]

    def _unusual(self, judged: Judged, kept: Kept) -> None:
        if not kept.repeat:
            self.tell(KEY_CONFLICT, judged.raw.device)
        elif kept.outcome is Outcome.STORED and not judged.raw.dup:
            self._repeated(judged.raw.device)

    def _repeated(self, device: str) -> None:
        hour = self._now() // _HOUR
        if hour != self._hour or len(self._repeats) >= self._most:
            self._hour = hour
            self._repeats.clear()
        count = self._repeats[device] = self._repeats.get(device, 0) + 1
        if count > self._most_repeats:
            self.tell(REPLAYS_OLD, device)
