"""The port through which messages come in and answers go out.

Comes in: nothing. Goes out: messages with what is needed to acknowledge them. Refuses to know: what is in them.
Every implementation passes the suite in ``tests/gateway/test_source.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ingest.model import RawMessage
from ingest.noun import noun


@noun
class Taken:
    """A message that has to be acknowledged.

    ``epoch`` numbers the connection it came on: packet ids are reused, so an acknowledgement of an older connection
    would acknowledge another message. ``qos`` 0 messages are acknowledged by doing nothing.
    """

    raw: RawMessage
    epoch: int
    mid: int
    qos: int = 1


class Source(Protocol):
    """A connection to a broker. ``take`` and ``ack`` are called from one thread, ``publish`` from any."""

    def take(self, most: int, timeout_s: float) -> Sequence[Taken]:
        """Up to ``most`` messages in order of arrival; waits up to ``timeout_s`` for the first, 0 does not wait."""

    def publish(self, sender: str, payload: bytes, *, lasting: bool = False) -> bool:
        """Send an answer to a device or hub; False when it was not accepted for sending.

        Called after the commit that it tells of, before the acknowledgement. What answers a message need not last: when
        it is lost, the device's repeat cures that. What nobody would ask for again is ``lasting``.
        """

    def ack(self, taken: Sequence[Taken]) -> None:
        """Acknowledge; called once for each message, when its rows are on stable storage, and never before.

        Acknowledgements of an older connection are dropped: those messages come again.
        """

    def connected(self) -> bool:
        """Whether the subscription stands now."""

    def close(self) -> None:
        """Leave the broker; messages that were not acknowledged come again."""
