"""MQTT 3.1.1 packets cut out of a stream of bytes. Pure.

Comes in: bytes as a socket gives them, in any pieces. Goes out: whole packets. Refuses to know: what a packet means.
"""

from __future__ import annotations

from collections.abc import Iterator

_DIGITS = 4
"""A remaining length has at most four bytes (section 2.2.3)."""


class NotMqtt(ValueError):  # noqa: N818 - it names what was found
    """The bytes cannot be MQTT: a remaining length of five bytes."""


class Frames:
    """Keeps what is not a whole packet yet, in the pieces in which it came: a large packet is put together once."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._missing = 0  # bytes without which no further packet can be whole

    def clear(self) -> None:
        """Forget the beginning of a packet whose connection is gone."""
        self._pieces, self._missing = [], 0

    def cut(self, more: bytes) -> Iterator[tuple[int, bytes, int, int]]:
        """Each whole packet: its first byte, then bytes in which what follows the remaining length is [from, to).

        Raises NotMqtt. Consume it to the end: what is left over is kept then.
        """
        if len(more) < self._missing:
            self._pieces.append(more)
            self._missing -= len(more)
            return
        data = b"".join((*self._pieces, more)) if self._pieces else more
        at, size, self._missing = 0, len(data), 0
        while size - at > 1:
            length, body = data[at + 1], at + 2
            if length > 127:  # noqa: PLR2004 - the continuation bit, section 2.2.3
                length, body = _long(data, at + 1)
            if not body:
                break
            if size < body + length:
                self._missing = body + length - size
                break
            yield data[at], data, body, body + length
            at = body + length
        self._pieces = [data[at:]] if at < size else []


def _long(data: bytes, start: int) -> tuple[int, int]:
    """(remaining length, where it ends) of two to four bytes; (0, 0) while they are not all there."""
    length = 0
    for n in range(_DIGITS):
        if start + n == len(data):
            return 0, 0
        byte = data[start + n]
        length |= (byte & 127) << 7 * n
        if byte < 128:  # noqa: PLR2004 - the continuation bit
            return length, start + n + 1
    raise NotMqtt
