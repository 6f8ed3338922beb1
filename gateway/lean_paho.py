"""paho's client with three short cuts for a gateway that takes many small messages.

Comes in: what ``paho.mqtt.client.Client`` takes, and who gets each message. Goes out: the same packets on the wire.
Refuses to know: what is in a message.

It leans on inner names of paho 2 (``tests/gateway/test_lean_paho.py`` fails when one of them changes), because there is
no outer one for any of this:

- it reads 64 KiB ahead, where paho asks the socket for one byte, then one more, then the rest;
- it hands a message over as it is, where paho makes two objects with locks of their own for each;
- it queues the acknowledgements of a batch as one piece, where paho wakes its thread and writes for each.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import MessageType, MQTTErrorCode

from ingest.noun import noun

_CHUNK = 65_536
_PUBACK = struct.Struct("!BBH")  # MQTT 3.1.1 section 3.4


@noun
class Arrival:
    """A message as it came: the topic's bytes, which need not be UTF-8, and the flags of MQTT 3.1.1 section 3.3.1."""

    topic: bytes
    payload: bytes
    mid: int
    qos: int
    retained: bool
    dup: bool


class ReadAhead:
    """A socket that reads in large pieces and gives them out in small ones; everything else is the socket's own."""

    def __init__(self, inner: Any) -> None:  # noqa: ANN401 - plain or TLS socket
        self._inner = inner
        self._ahead = b""
        self._at = 0

    def recv(self, size: int) -> bytes:
        """Up to ``size`` bytes; raises what the socket raises when there are none."""
        if self._at == len(self._ahead):
            self._ahead, self._at = self._inner.recv(max(size, _CHUNK)), 0
        start = self._at
        self._at = min(start + size, len(self._ahead))
        return self._ahead[start : self._at]

    def pending(self) -> int:
        """Bytes that were read and not given out yet: paho asks before it waits."""
        inner: Callable[[], int] = getattr(self._inner, "pending", lambda: 0)
        return len(self._ahead) - self._at + inner()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the socket's own
        return getattr(self._inner, name)


class LeanClient(Client):
    """``arrived`` is called in the network thread for each message; ``on_message`` is not."""

    arrived: Callable[[Arrival], None]

    def ack_many(self, mids: Sequence[int]) -> None:
        """Acknowledge QoS 1 messages, in one piece."""
        acks = b"".join(_PUBACK.pack(MessageType.PUBACK, 2, mid) for mid in mids)
        self._packet_queue(MessageType.PUBACK, acks, 0, 1)

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """See paho; goes on while there is something that was read ahead."""
        code = super().loop_read(max_packets)
        while code == MQTTErrorCode.MQTT_ERR_SUCCESS and isinstance(self._sock, ReadAhead) and self._sock.pending():
            code = super().loop_read(max_packets)
        return code

    def _create_socket(self) -> Any:  # noqa: ANN401 - paho's own type is wider
        return ReadAhead(super()._create_socket())

    def _handle_publish(self) -> MQTTErrorCode:
        header, packet = self._in_packet["command"], self._in_packet["packet"]
        qos = header >> 1 & 3
        start = 2 + int.from_bytes(packet[:2], "big")
        body = start + 2 if qos else start
        if len(packet) < body or qos > 1:  # the gateway subscribes at QoS 1, so a broker never sends QoS 2
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        mid = int.from_bytes(packet[start:body], "big")
        self.arrived(
            Arrival(bytes(packet[2:start]), bytes(packet[body:]), mid, qos, bool(header & 1), bool(header & 8))
        )
        return MQTTErrorCode.MQTT_ERR_SUCCESS
