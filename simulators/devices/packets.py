"""The few MQTT 3.1.1 packets a device needs, as bytes. Pure.

Comes in: topics, payloads, bytes from a socket. Goes out: packets as bytes, and packets found. Refuses to know:
sockets, what a payload says. Section numbers are those of the OASIS standard.
"""

from __future__ import annotations

from collections.abc import Iterator

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 2, 3, 4, 9, 13
PING, DISCONNECT = b"\xc0\x00", b"\xe0\x00"
_CLEAN, _WILL_QOS1, _USER = 0x02, 0x0C, 0xC0  # 3.1.2.3


def connect(device: str, secret: str, will: tuple[str, bytes], keepalive_s: int) -> bytes:
    """CONNECT (3.1): clean session, user name = client id = device, a will at QoS 1."""
    topic, last_words = will
    flags = _CLEAN | _WILL_QOS1 | _USER
    head = _field(b"MQTT") + bytes((4, flags)) + keepalive_s.to_bytes(2, "big")
    fields = (device.encode(), topic.encode(), last_words, device.encode(), secret.encode())
    return _packet(0x10, head + b"".join(map(_field, fields)))


def subscribe(topic: str, qos: int, packet_id: int) -> bytes:
    """SUBSCRIBE (3.8) to one topic."""
    return _packet(0x82, packet_id.to_bytes(2, "big") + _field(topic.encode()) + bytes((qos,)))


def publish(topic: bytes, payload: bytes, packet_id: int) -> bytes:
    """PUBLISH (3.3) at QoS 1, not retained."""
    return _packet(0x32, _field(topic) + packet_id.to_bytes(2, "big") + payload)


def puback(packet_id: int) -> bytes:
    """PUBACK (3.4)."""
    return b"\x40\x02" + packet_id.to_bytes(2, "big")


def split(buffer: bytearray) -> Iterator[tuple[int, int, bytes]]:
    """Take whole packets off the front of a buffer: (type, flags, everything after the remaining length)."""
    while len(buffer) > 1:
        length, at = _remaining(buffer)
        if at == 0 or len(buffer) < at + length:
            return
        first, body = buffer[0], bytes(buffer[at : at + length])
        del buffer[: at + length]
        yield first >> 4, first & 0x0F, body


def message(flags: int, body: bytes) -> tuple[bytes, int | None]:
    """(payload, packet id to acknowledge) of a PUBLISH that came in; None at QoS 0."""
    at = 2 + int.from_bytes(body[:2], "big")
    if not flags & 0x06:
        return body[at:], None
    return body[at + 2 :], int.from_bytes(body[at : at + 2], "big")


def _remaining(buffer: bytearray) -> tuple[int, int]:
    """(remaining length, where it ends), 2.2.3; (0, 0) while its bytes are not all there."""
    value = 0
    for index in range(1, min(len(buffer), 5)):
        value |= (buffer[index] & 0x7F) << 7 * (index - 1)
        if buffer[index] < 0x80:  # noqa: PLR2004 - the continuation bit
            return value, index + 1
    return 0, 0


def _packet(first: int, body: bytes) -> bytes:
    length, digits = len(body), bytearray()
    while True:
        length, digit = length >> 7, length & 0x7F
        digits.append(digit | (0x80 if length else 0))
        if not length:
            return bytes((first,)) + bytes(digits) + body


def _field(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text
