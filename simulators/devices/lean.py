"""One MQTT connection without a client library: a socket that never blocks, for many devices in one thread.

Comes in: where the broker is, packets to send, readiness of the socket. Goes out: payloads that came down. Refuses to
know: what they say, when to reconnect. Why not paho: see `simulators.load`.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from simulators.devices import packets
from simulators.devices.messages import down, up

if TYPE_CHECKING:
    from simulators.devices.connection import Endpoint

KEEPALIVE_S = 60
_CHUNK = 65_536
_GRANTED = 128  # SUBACK codes below this are granted (3.9.3)


class LineLost(OSError):  # noqa: N818 - a state of the line, which every device expects
    """The broker closed, refused, or cannot be reached; the text says which."""


class LeanLine:
    """CONNECT, SUBSCRIBE, then publishes; `ready` once the subscription was granted."""

    def __init__(self, at: Endpoint, will: bytes) -> None:
        self.ready = False
        self._topic = up(at.device, "reading").encode()
        self._out = bytearray(packets.connect(at.device, at.secret, (up(at.device, "state"), will), KEEPALIVE_S))
        self._in = bytearray()
        self._next_id = 0
        self._device = at.device
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.settimeout(0)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begun = self._socket.connect_ex((at.host, at.port))
        if begun not in (0, errno.EINPROGRESS):
            self.close()
            raise _lost(OSError(begun, ""))

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    @property
    def wants_write(self) -> bool:
        """Whether bytes wait for the socket."""
        return bool(self._out)

    def publish_reading(self, payload: bytes) -> None:
        """Add one reading to what `flush` sends."""
        self._out += packets.publish(self._topic, payload, self._id())

    def publish(self, channel: str, payload: bytes) -> None:
        """Add any other message."""
        self._out += packets.publish(up(self._device, channel).encode(), payload, self._id())

    def ping(self) -> None:
        """Keep the connection alive."""
        self._out += packets.PING

    def flush(self) -> None:
        """Send what the socket takes; raises `LineLost`."""
        try:
            while self._out:
                del self._out[: self._socket.send(self._out)]
        except BlockingIOError:
            return
        except OSError as gone:
            raise _lost(gone) from gone

    def read(self) -> list[bytes]:
        """Payloads that came down since the last call; raises `LineLost`."""
        self._fill()
        payloads: list[bytes] = []
        for kind, flags, body in packets.split(self._in):
            if kind == packets.PUBLISH:
                payload, to_ack = packets.message(flags, body)
                payloads.append(payload)
                if to_ack is not None:
                    self._out += packets.puback(to_ack)
            elif kind == packets.CONNACK:
                self._granted(body[1], 1, "the broker refused the connection")
                self._out += packets.subscribe(down(self._device), 0, self._id())
            elif kind == packets.SUBACK:
                self._granted(body[2], _GRANTED, "the broker refused the subscription")
                self.ready = True
        return payloads

    def close(self, last: bytes | None = None) -> None:
        """End the connection; cleanly, with a last word on `state`, when one is given."""
        try:
            if last is not None and self.ready:
                self.publish("state", last)
                self._out += packets.DISCONNECT
                self._socket.settimeout(1.0)
                self._socket.sendall(self._out)
                self._socket.shutdown(socket.SHUT_WR)
                while self._socket.recv(
                    _CHUNK
                ):  # closed with something unread, the line would be reset, the words lost
                    pass
        except OSError:
            pass  # gone already: the broker publishes the will
        finally:
            self._socket.close()

    def _fill(self) -> None:
        try:
            while chunk := self._socket.recv(_CHUNK):
                self._in += chunk
                if len(chunk) < _CHUNK:
                    return
        except BlockingIOError:
            return
        except OSError as gone:
            raise _lost(gone) from gone
        raise LineLost(errno.ECONNRESET, "the connection was closed by the broker")

    def _granted(self, code: int, refused_from: int, why: str) -> None:
        if code >= refused_from:
            raise LineLost(errno.EACCES, f"{why} (code {code})")

    def _id(self) -> int:
        self._next_id = self._next_id % 65_535 + 1
        return self._next_id


def _lost(gone: OSError) -> LineLost:
    absent = gone.errno in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT)
    return LineLost(gone.errno, "the broker does not answer" if absent else "the connection was closed")
