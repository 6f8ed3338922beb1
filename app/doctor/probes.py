"""What is tried at a broker, one probe after the other.

Comes in: a place, two guests. Goes out: findings; raises Broken when the broker does not play along, as when its
accounts are written anew meanwhile. Refuses to know: how guests are let in.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

from app.doctor.finding import Finding, found
from app.doctor.guests import Login, Pair
from app.doctor.place import Place
from app.doctor.visitor import Broken, Deadline, Visitor

QUEUED = 1200
"""Messages for a reader that is away: Mosquitto's default keeps 1,000 of them."""
BATCH = 1000
"""The gateway's commit batch: it acknowledges after the commit, so a smaller window never fills one."""
LARGEST = 1_000_000
"""Bytes: the longest message of the device contract."""
_CLEAN_S = 4.0
_QUIET_S = 0.6
"""Nothing came for so long: nothing more will."""


class Probes:
    """The probes of one look. ``is_ours``: the embedded broker, whose weak sides are known and met elsewhere."""

    def __init__(self, place: Place, pair: Pair, deadline: Deadline, *, is_ours: bool) -> None:
        self._place, self._pair, self._deadline, self._is_ours = place, pair, deadline, is_ours
        self._open: list[Visitor] = []

    def run(self) -> Iterator[Finding]:
        """All of them; raises Broken."""
        reader = self._connected(self._pair.reader, "r", clean=False)
        reader.subscribe(f"{self._pair.topic}/+")
        if not self._arrives(reader, b"echo"):
            raise Broken
        if not self._arrives(reader, b"0" * LARGEST):
            yield found("broker.too_small", bytes=LARGEST)
        yield from self._denied(reader)
        reader.leave()
        yield from self._queue()
        yield from self._takeover()
        yield from self._retained()

    def clean(self) -> None:
        """Leave nothing at the broker: no session, no retained message."""
        for visitor in self._open:
            visitor.leave()
        self._deadline = Deadline(time.monotonic() + _CLEAN_S)
        for login, end in ((self._pair.reader, "r"), (self._pair.writer, "w")):
            with suppress(Broken):
                self._connected(login, end).leave()

    def _arrives(self, reader: Visitor, payload: bytes) -> bool:
        """Whether what the writer publishes comes to the reader."""
        before = len(reader.messages)
        writer = self._writer()
        writer.publish(f"{self._pair.topic}/echo", [payload])
        came = self._deadline.wait(
            lambda: any(bytes(message.payload) == payload for message in reader.messages[before:])
        )
        writer.leave()
        return came

    def _denied(self, reader: Visitor) -> Iterator[Finding]:
        """F7: the reader publishes where it may not."""
        if not self._pair.has_accounts:
            return
        before = len(reader.messages)
        acknowledged = reader.publish(f"{self._pair.topic}/denied", [b"denied"])
        if self._deadline.wait(lambda: len(reader.messages) > before, _QUIET_S):
            yield found("broker.rights_open")
        elif acknowledged:
            yield found("broker.denied_acknowledged")

    def _queue(self) -> Iterator[Finding]:
        """F1, F6, F9: the reader is away meanwhile, and then acknowledges nothing until nothing more comes."""
        writer = self._writer()
        count = writer.publish(f"{self._pair.topic}/queue", (f"{number}".encode() for number in range(QUEUED)))
        writer.leave()
        if count < QUEUED:
            raise Broken
        reader = self._connected(self._pair.reader, "r", clean=False, acks=False)
        if not reader.had_session:
            yield found("broker.session_lost")
            return
        window = reader.settle(count, _QUIET_S)
        done, here = 0, window
        while here > done:
            reader.acknowledge(done)
            done, here = here, reader.settle(count, _QUIET_S)
        kept = len({bytes(message.payload) for message in reader.messages})
        if window < min(BATCH, kept):
            yield found("broker.window_small", window=window, batch=BATCH)
        if kept < count:
            yield found("broker.queue_short", kept=kept, sent=count)
        reader.leave()

    def _takeover(self) -> Iterator[Finding]:
        """F8: the writer connects under the reader's client id."""
        if not self._pair.has_accounts:
            return
        reader = self._connected(self._pair.reader, "taken")
        other = self._connected(self._pair.writer, "taken")
        if self._deadline.wait(lambda: reader.cut, _QUIET_S):
            yield found("broker.takeover_ours" if self._is_ours else "broker.takeover")
        other.leave()
        reader.leave()

    def _retained(self) -> Iterator[Finding]:
        topic = f"{self._pair.topic}/kept"
        writer = self._writer()
        if not writer.publish(topic, [b"kept"], retain=True):
            return  # it cut the line, which says no
        reader = self._connected(self._pair.reader, "r")
        reader.subscribe(f"{self._pair.topic}/+")
        if self._deadline.wait(lambda: any(message.retain for message in reader.messages), _QUIET_S):
            yield found("broker.retains_ours" if self._is_ours else "broker.retains")
        writer.publish(topic, [b""], retain=True)
        reader.leave()

    def _writer(self) -> Visitor:
        """One at a time: a broker that makes the name the client id lets no second one beside it."""
        return self._connected(self._pair.writer, "w")

    def _connected(self, login: Login, end: str, *, clean: bool = True, acks: bool = True) -> Visitor:
        """A connection; raises Broken.

        It is tried twice: nats-server keeps a client id out for a second that was taken over just now, or whose last
        connection it has not seen end.
        """
        client_id = f"doctor-{self._pair.key}-{end}"
        for is_last in (False, True):
            made = Visitor(self._place, login, client_id, self._deadline, clean=clean, acks=acks)
            self._open.append(made)
            try:
                made.connect()
            except Broken:
                made.leave()
                if is_last:
                    raise
            else:
                break
        return made
