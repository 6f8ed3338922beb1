"""Which message cuts the connection: three times alone in flight when the line broke, and it is set aside (C-CON-8).

Comes in: what was in flight at a cut, what the broker took. Goes out: messages to give up. Refuses to know: sockets.
Of several in flight none can be named: so while there are suspects, messages go one at a time. One that the broker
takes is cleared, and a broker that merely dies three times accuses nobody, unless it was the same message each time.
"""

from __future__ import annotations

from collections.abc import Iterable

from simulators.devices.outbox import Key

CUTS = 3
"""So many cuts in a row (C-CON-8)."""


class Suspects:
    """Counts cuts; true while there is any suspect."""

    def __init__(self) -> None:
        self._cuts: dict[Key, int] = {}

    def __bool__(self) -> bool:
        return bool(self._cuts)

    def after_cut(self, in_flight: set[Key]) -> list[Key]:
        """Which messages must be given up now."""
        alone = len(in_flight) == 1
        self._cuts = {key: self._cuts.get(key, 0) + alone for key in in_flight}
        guilty = [key for key, cuts in self._cuts.items() if cuts >= CUTS]
        self.clear(guilty)
        return guilty

    def clear(self, keys: Iterable[Key]) -> None:
        """These are innocent, or gone."""
        for key in keys:
            self._cuts.pop(key, None)
