"""One connection and the voices that share it: it comes, is lost, and comes back; one step at a time.

Comes in: where to connect, one voice (a device) or several (a hub, `simulators.devices.hub`). Goes out: hello of each
voice, their publishes, what came down handed to each. Refuses to know: what is said.

One thread drives it by `step`; nothing else touches it. Section numbers are those of the device contract.
"""

from __future__ import annotations

import random
import secrets
import time
from collections import deque
from collections.abc import Mapping, Sequence

from simulators.devices import messages
from simulators.devices.backoff import RECONNECT_MOST_S, Backoff
from simulators.devices.clock import DeviceClock
from simulators.devices.connection import Connection, Endpoint
from simulators.devices.messages import Identity, Json
from simulators.devices.outbox import Outbox
from simulators.devices.suspects import Suspects
from simulators.devices.tally import Manner, Tally
from simulators.devices.voice import Voice
from simulators.faults import Misbehaviour


class Carrier:
    """A line for one or more voices. Call `step` until there is nothing to do, then `close`."""

    def __init__(self, at: Endpoint, voices: Sequence[Voice], outbox: Outbox, manner: Manner, tally: Tally) -> None:
        self.tally = tally
        self._at, self._outbox, self._manner = at, outbox, manner
        self._voices = {voice.device: voice for voice in voices}
        self._turns = deque(voices)
        chance = random.Random(secrets.token_bytes(8))
        self._backoff = Backoff(manner.reconnect_s, max(RECONNECT_MOST_S, manner.reconnect_s), chance)
        self._line: Connection | None = None
        self._greeted = False
        self._connect_at = 0.0
        self._suspects = Suspects()

    @property
    def waiting(self) -> int:
        """Readings without a final verdict, of all voices."""
        return sum(voice.waiting for voice in self._voices.values())

    @property
    def online(self) -> bool:
        """Whether hello has been said on the present connection."""
        return self._greeted

    def step(self, timeout_s: float) -> None:
        """Connect if need be, publish what is due, and listen for at most `timeout_s`."""
        now = time.monotonic()
        if self._line is None:
            self._connect(now, timeout_s)
            return
        if self._line.ready and not self._greeted:
            self._greet(self._line, now)
        if self._greeted:
            self._publish_due(self._line, now)
        self._line.pump(timeout_s)
        self._suspects.clear(self._line.taken())
        for payload in self._line.heard():
            self._hear(self._line, payload)
        if self._line.gone is not None:
            self._cut_off(self._line)

    def close(self) -> None:
        """Say `offline`, disconnect, and write what the outbox has not written yet."""
        if self._line is not None:
            self._line.close(messages.offline(self._line.conn))
            self._line = None
        self._outbox.flush()

    def _connect(self, now: float, timeout_s: float) -> None:
        if now < self._connect_at:
            time.sleep(min(timeout_s, self._connect_at - now))
            return
        conn = secrets.token_hex(4)
        line = Connection(self._at, conn, messages.offline(conn), down_qos=self._manner.down_qos)
        try:
            line.open()
        except OSError as absent:
            self.tally.problem = f"the broker does not answer ({absent.strerror or type(absent).__name__})"
            self._connect_at = time.monotonic() + self._backoff.next()
            return
        self._line = line

    def _greet(self, line: Connection, now: float) -> None:
        self._greeted = True
        self._backoff.reset()
        self.tally.connects += 1
        for voice in self._voices.values():
            voice.greet(line, now)

    def _publish_due(self, line: Connection, now: float) -> None:
        window = 1 if self._suspects else self._manner.window
        self._turns.rotate(-1)  # each in its turn is the first to find room in the window
        for voice in self._turns:
            if line.gone is None:
                voice.publish_due(line, now, window)

    def _cut_off(self, line: Connection) -> None:
        self.tally.cuts += line.ready
        self.tally.problem = line.gone
        line.drop()
        self._line, self._greeted = None, False
        self._connect_at = time.monotonic() + self._backoff.next()
        for voice in self._voices.values():
            voice.cut()
        for key in self._suspects.after_cut({key for key in line.in_flight.values() if key}):
            self._voices[key[0]].give_up(key)

    def _hear(self, line: Connection, payload: bytes) -> None:
        ledger, items = messages.received(payload)
        if ledger is not None:
            self.tally.ledger = ledger
            for voice in self._voices.values():
                voice.know(ledger)
        for item in items:
            for voice in self._spoken_to(item.device):
                voice.hear(line, item)

    def _spoken_to(self, device: str | None) -> Sequence[Voice]:
        """The voice that is named; on a line with one voice that one; nobody for a device not served."""
        if device is None:
            device = self._at.device
        voice = self._voices.get(device)
        return () if voice is None else (voice,)


class Device(Carrier):
    """One device on a line of its own."""

    def __init__(
        self, at: Endpoint, who: Identity, outbox: Outbox, clock: DeviceClock, faults: Misbehaviour, manner: Manner
    ) -> None:
        tally = Tally()
        self._voice = Voice(who, outbox, clock, faults, manner, tally)
        super().__init__(at, [self._voice], outbox, manner, tally)

    def take(self, members: Mapping[str, Json]) -> None:
        """Keep a new reading: its number and bytes are safe before anything is published (C-RD-3)."""
        self._voice.take(members)
