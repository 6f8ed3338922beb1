"""One MQTT connection of a device, from CONNECT to its end: never reused, so that nothing of it outlives a cut.

Comes in: where the broker is, the will, what to publish. Goes out: what came down, which publishes the broker took, and
that the line is gone. Refuses to know: what a message says.

No thread: `pump` does all reading and writing. Events wait in plain lists until the device looks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self
from urllib.parse import urlsplit

from simulators.devices import packets
from simulators.devices.messages import down, up
from simulators.devices.outbox import Key

if TYPE_CHECKING:
    from paho.mqtt.client import Client

KEEPALIVE_S = 30
_ANSWER_S = 5.0
"""A broker that does not answer CONNECT within this is taken for absent."""
_MQTT_PORT = 1883
_REFUSED = 128
"""SUBACK codes from here on are failures (MQTT 3.1.1, section 3.9.3)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect, and as whom: client id = user name = device id (C-CON-2)."""

    host: str
    port: int
    device: str
    secret: str = field(repr=False)

    @classmethod
    def of(cls, url: str, device: str, secret: str) -> Self:
        """From `mqtt://host:port`; `ValueError` for any other scheme."""
        parts = urlsplit(url)
        if parts.scheme != "mqtt" or not parts.hostname:
            raise ValueError("The simulators take mqtt://HOST:PORT: name a broker's plain listener.")
        return cls(parts.hostname, parts.port or _MQTT_PORT, device, secret)


class Line(Protocol):
    """What a voice needs of a line: `conn` names it, `gone` says why it ended, `in_flight` what the broker has not."""

    conn: str
    gone: str | None
    in_flight: dict[int, Key | None]

    def publish(self, channel: str, payload: bytes, key: Key | None = None, *, retain: bool = False) -> None:
        """Hand one message over."""

    def tear(self, channel: str, payload: bytes) -> None:
        """Send half of one, then break."""


class Connection:
    """A line to the broker; `ready` once the subscription was granted, `gone` says why it ended."""

    def __init__(self, at: Endpoint, conn: str, will: bytes, *, down_qos: int = 1) -> None:
        self.conn = conn
        self.ready = False
        self.gone: str | None = None
        self._arrived: list[bytes] = []
        self._taken: list[Key] = []
        self.in_flight: dict[int, Key | None] = {}
        self._at = at
        self._down_qos = down_qos
        self._client = self._made(will)

    def open(self) -> None:
        """Reach the broker and send CONNECT; raises OSError when nobody listens."""
        self._client.connect(self._at.host, self._at.port, KEEPALIVE_S)

    def pump(self, timeout_s: float) -> None:
        """Wait at most so long for the network, then read and write what is there."""
        if self.gone is None and self._client.loop(timeout_s):
            self._on_disconnect("by the broker")

    def publish(self, channel: str, payload: bytes, key: Key | None = None, *, retain: bool = False) -> None:
        """Hand one message over at QoS 1; `key` comes back in `in_flight` until the broker took it."""
        sent = self._client.publish(up(self._at.device, channel), payload, qos=1, retain=retain)
        self.in_flight[sent.mid] = key

    def close(self, last: bytes, timeout_s: float = 2.0) -> None:
        """Say the last word on `state`, wait until the broker took everything, and disconnect (C-CON-4)."""
        if self.ready and self.gone is None:
            self.publish("state", last)
            for _ in range(int(timeout_s / 0.02)):
                if not self.in_flight or self.gone is not None:
                    break
                self.pump(0.02)
        self._client.disconnect()
        self.gone = self.gone or "closed"

    def tear(self, channel: str, payload: bytes) -> None:
        """Send half a publish, then break the line, as when the network goes."""
        line = self._client.socket()
        if line is not None:
            whole = packets.publish(up(self._at.device, channel).encode(), payload, 1)
            line.send(whole[: max(len(whole) // 2, 2)])
            line.close()
        self.gone = "the line was cut"

    def drop(self) -> None:
        """Let go of a line that is gone or useless."""
        self._client.disconnect()

    def heard(self) -> list[bytes]:
        """What came down since the last call."""
        arrived, self._arrived = self._arrived, []
        return arrived

    def taken(self) -> list[Key]:
        """Readings that the broker acknowledged since the last call: that it has them, no more (C-CON-3)."""
        taken, self._taken = self._taken, []
        return taken

    def _made(self, will: bytes) -> Client:
        from paho.mqtt.client import Client, MQTTv311
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(CallbackAPIVersion.VERSION2, self._at.device, clean_session=True, protocol=MQTTv311)
        client.username_pw_set(self._at.device, self._at.secret)
        client.will_set(up(self._at.device, "state"), will, qos=1)
        client.connect_timeout = _ANSWER_S
        client.max_inflight_messages_set(0)  # the device counts its own window
        client.on_connect = lambda *words: self._on_connect(refused=words[3])
        client.on_subscribe = lambda *words: self._on_subscribe([code.value for code in words[3]])
        client.on_publish = lambda *words: self._on_puback(words[2])
        client.on_message = lambda *words: self._arrived.append(words[2].payload)
        client.on_disconnect = lambda *words: self._on_disconnect(str(words[3]))
        return client

    def _on_connect(self, refused: object) -> None:
        if getattr(refused, "is_failure", False):
            self.gone = f"the broker refused the connection: {refused}"
            return
        self._client.subscribe(down(self._at.device), qos=self._down_qos)

    def _on_puback(self, mid: int) -> None:
        key = self.in_flight.pop(mid, None)
        if key is not None:
            self._taken.append(key)

    def _on_subscribe(self, codes: list[int]) -> None:
        """C-CON-6: read SUBACK before hello."""
        if any(code >= _REFUSED for code in codes):
            self.gone = "the broker refused the subscription"
            return
        self.ready = True

    def _on_disconnect(self, why: str) -> None:
        self.gone = self.gone or f"the connection was closed ({why})"
