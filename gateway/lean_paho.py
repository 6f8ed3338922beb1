"""paho's client with a shorter way in for messages, and one acknowledgement for a batch of them.

Comes in: what ``paho.mqtt.client.Client`` takes, and who gets each message. Goes out: the same packets on the wire.
Refuses to know: what is in a message.

It leans on inner names of paho 2 (``tests/gateway/test_lean_paho.py`` fails when one of them changes), because there is
no outer one for any of this:

- it reads 64 KiB at a time and cuts the packets out, where paho asks the socket for one byte, then one more, then the
  rest, and waits in a selector between two packets;
- it hands a message over as it is, where paho makes two objects with locks of their own for each;
- it queues the acknowledgements of a batch as one piece, where paho wakes its thread and writes for each.

Every packet but PUBLISH is paho's own affair: it is handed to paho as if paho had read it.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import MessageType, MQTTErrorCode

from gateway.frames import Frames, NotMqtt

_CHUNK = 262_144
_READS = 8
"""Chunks taken in one turn: a turn of paho's loop costs as much as a chunk."""
_PUBACK = struct.Struct("!BBH")  # MQTT 3.1.1 section 3.4
_GOOD, _LOST = MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_CONN_LOST


class LeanClient(Client):
    """``arrived`` is called in the network thread for each message; ``on_message`` is not.

    Its arguments: topic (bytes, which need not be UTF-8), payload, packet id, QoS, retained, dup.
    """

    arrived: Callable[[bytes, bytes, int, int, bool, bool], None]
    _frames: Frames

    def __init__(self, *words: Any, **named: Any) -> None:  # noqa: ANN401 - paho's own
        super().__init__(*words, **named)
        self._frames = Frames()

    @property
    def unsent(self) -> int:
        """Packets that wait for the socket."""
        return len(self._out_packet)

    def ack_many(self, mids: Sequence[int]) -> None:
        """Acknowledge QoS 1 messages, in one piece."""
        acks = b"".join(_PUBACK.pack(MessageType.PUBACK, 2, mid) for mid in mids)
        self._packet_queue(MessageType.PUBACK, acks, 0, 1)

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:  # noqa: ARG002 - paho's own passes it over as well
        """See paho: take what the socket has, and do what it asks for."""
        for _ in range(_READS):
            if self._sock is None:
                return MQTTErrorCode.MQTT_ERR_NO_CONN
            try:
                data = self._sock_recv(_CHUNK)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            code = self._read(data) if data else _LOST
            if code != _GOOD:
                return self._loop_rc_handle(code)
            if len(data) < _CHUNK // 8:
                break
        return _GOOD

    def _read(self, data: bytes) -> MQTTErrorCode:
        with self._msgtime_mutex:
            self._last_bytes_received = time.monotonic()
        try:
            for first, whole, start, end in self._frames.cut(data):
                if first >> 4 == _PUBLISH:
                    code = self._message(first, whole, start, end)
                else:
                    code = self._other(first, whole[start:end])
                if code != _GOOD:
                    return code
        except NotMqtt:
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        return _GOOD

    def _message(self, first: int, whole: bytes, topic: int, end: int) -> MQTTErrorCode:
        """A PUBLISH whose variable header begins at ``topic`` (MQTT 3.1.1 section 3.3); its payload is copied once."""
        qos = first >> 1 & 3
        topic += 2
        topic_end = topic + int.from_bytes(whole[topic - 2 : min(topic, end)], "big")
        start = topic_end + 2 if qos else topic_end
        if end < start or qos > 1:  # the gateway subscribes at QoS 1, so a broker never sends QoS 2
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        mid = int.from_bytes(whole[topic_end:start], "big")
        self.arrived(whole[topic:topic_end], whole[start:end], mid, qos, bool(first & 1), bool(first & 8))
        return _GOOD

    def _other(self, first: int, body: bytes) -> MQTTErrorCode:
        """Let paho handle a packet as if it had read it itself."""
        idle = self._in_packet
        self._in_packet = idle | {"command": first, "packet": bytearray(body), "remaining_length": len(body), "pos": 0}
        try:
            return self._packet_handle()
        finally:
            self._in_packet = idle

    def _create_socket(self) -> Any:  # noqa: ANN401 - paho's own type is wider
        self._frames.clear()
        return super()._create_socket()


_PUBLISH = MessageType.PUBLISH >> 4
