"""``Source`` without a broker: messages from a list, answers into one. Real code, for tests and for trying rules out.

Comes in: messages. Goes out: answers, acknowledgements. Refuses to know: networks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from gateway.source import Taken
from ingest.model import RawMessage


class MemorySource:
    """Delivers each message until it is acknowledged; ``reconnect`` is what a broken line does."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.acked: list[RawMessage] = []
        self._waiting: deque[RawMessage] = deque()
        self._flying: dict[int, RawMessage] = {}
        self._epoch, self._mid = 1, 0

    def arrive(self, *messages: RawMessage) -> None:
        """A device publishes."""
        self._waiting.extend(messages)

    def reconnect(self) -> None:
        """The connection breaks and is made again: what was not acknowledged comes again, with DUP."""
        self._epoch += 1
        self._mid = 0  # packet ids begin anew, as a broker may let them
        again = [_again(raw) for raw in self._flying.values()]
        self._waiting.extendleft(reversed(again))
        self._flying.clear()

    def take(self, most: int, timeout_s: float) -> Sequence[Taken]:  # noqa: ARG002 - nothing to wait for
        """See the port."""
        taken = []
        for _ in range(min(most, len(self._waiting))):
            self._mid += 1
            raw = self._flying[self._mid] = self._waiting.popleft()
            taken.append(Taken(raw, self._epoch, self._mid))
        return taken

    def publish(self, sender: str, payload: bytes, *, lasting: bool = False) -> bool:  # noqa: ARG002 - all of it lasts
        """See the port."""
        self.sent.append((sender, payload))
        return True

    def ack(self, taken: Sequence[Taken]) -> None:
        """See the port."""
        for message in taken:
            if message.epoch == self._epoch and message.mid in self._flying:
                self.acked.append(self._flying.pop(message.mid))

    def connected(self) -> bool:
        """See the port."""
        return True

    def close(self) -> None:
        """See the port."""


def _again(raw: RawMessage) -> RawMessage:
    return RawMessage(
        raw.device, raw.channel, raw.payload, raw.received_at, raw.hub, raw.retained, dup=True, place=raw.place
    )
