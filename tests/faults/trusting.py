"""A device that trusts its broker: it forgets a reading once that is PUBACKed, and listens to no receipt.

Comes in: where the broker is, how many readings. Goes out: `taken`, the readings that the broker acknowledged, which
must all arrive as long as the broker itself is not killed. The contract advises against such devices; they exist.
"""

from __future__ import annotations

import itertools
import secrets
from collections import deque

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from simulators.devices import messages
from simulators.devices.blood_pressure import Cuff
from simulators.devices.clock import DeviceClock, text
from simulators.devices.connection import Endpoint
from simulators.devices.kinds import identity
from simulators.devices.outbox import Kept, kept
from tests.faults.installation import until

_WINDOW = 200  # publishes without PUBACK


class Trusting:
    """One meter on one line that lasts; used by one thread."""

    def __init__(self, url: str, device: str, secret: str) -> None:
        self.taken: list[Kept] = []
        self.made = 0
        self._device, self._stream = device, secrets.token_hex(16)
        self._cuff, self._clock = Cuff(0), DeviceClock()
        self._numbers = itertools.count()
        self._waiting: dict[int, Kept] = {}
        self._acked: deque[int] = deque()
        self._client = Client(CallbackAPIVersion.VERSION2, device, reconnect_on_failure=False)
        self._client.username_pw_set(device, secret)
        self._client.max_inflight_messages_set(_WINDOW)
        self._client.on_publish = lambda *words: self._acked.append(words[2])
        at = Endpoint.of(url, device, secret)
        self._client.connect(at.host, at.port)
        self._client.loop_start()
        until(self._client.is_connected, "the broker lets the device in")
        self._greet()

    def publish(self, count: int) -> None:
        """Measure so many times, and leave the rest to the network thread."""
        for number in itertools.islice(self._numbers, count):
            at = self._clock.now()
            whole: dict[str, messages.Json] = {"v": 1, "stream": self._stream, "seq": number, "clock": 0}
            whole |= {"kind": "blood_pressure", "taken_at": text(at, "milliseconds"), **self._cuff.measure(at)}
            payload = messages.encode(whole)
            sent = self._client.publish(messages.up(self._device, "reading"), payload, qos=1)
            self._waiting[sent.mid] = kept(self._device, self._stream, number, payload)
            self.made += 1

    def settle(self) -> int:
        """Look which readings the broker took meanwhile; return how many it has not taken yet."""
        while self._acked:
            reading = self._waiting.pop(self._acked.popleft(), None)
            if reading is not None:  # hello is no reading
                self.taken.append(reading)
        return len(self._waiting)

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def _greet(self) -> None:
        conn = secrets.token_hex(4)
        clock: dict[str, messages.Json] = {"epoch": 0, "now": text(self._clock.now()), "synced": True}
        hello = messages.hello(identity("blood_pressure", self._device), conn, (self._stream, 0, 0), clock)
        self._client.publish(messages.up(self._device, "hello"), hello, qos=1)
