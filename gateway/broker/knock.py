"""Knocks at an MQTT door: one CONNECT, one answer, gone.

In: an address, a name, a secret. Out: the return code of CONNACK, or None when nobody answers.
Refuses to know: sessions, topics, why the code is what it is.

It is fifteen lines of MQTT 3.1.1 on a socket because a client library would retry, start a thread and hide
the code.
"""

import contextlib
import secrets
import socket
import ssl
import time
from collections.abc import Iterator

ACCEPTED = 0  # MQTT 3.1.1 section 3.2.2.3

_CLEAN_SESSION_WITH_NAME_AND_SECRET = 0b1100_0010
_KEEPALIVE_S = 30
_CONNECT = 0x10
_CONNACK = 0x20
_CONNACK_BYTES = 4
_DISCONNECT = b"\xe0\x00"
_PAUSE_S = 0.02
_PAUSE_TLS_S = 0.2  # a handshake costs both sides milliseconds of computing


def knock(
    address: tuple[str, int], name: str, secret: str, timeout_s: float = 2.0, *, tls: ssl.SSLContext | None = None
) -> int | None:
    """Connect once as `name` with a clean session; return CONNACK's return code, None for silence.

    With `tls` the secret leaves only after the broker's certificate was found good for the address's host.
    """
    try:
        with _door(address, timeout_s, tls) as door:
            door.sendall(_connect(name, secret))
            answer = door.recv(_CONNACK_BYTES)
            if len(answer) < _CONNACK_BYTES or answer[0] != _CONNACK:
                return None
            door.sendall(_DISCONNECT)
            return answer[3]
    except OSError:
        return None


def knock_until(
    address: tuple[str, int], name: str, secret: str, deadline_s: float, *, tls: ssl.SSLContext | None = None
) -> bool:
    """Knock until let in; return False when `deadline_s` seconds were not enough."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if knock(address, name, secret, tls=tls) == ACCEPTED:
            return True
        time.sleep(_PAUSE_S if tls is None else _PAUSE_TLS_S)
    return False


@contextlib.contextmanager
def _door(address: tuple[str, int], timeout_s: float, tls: ssl.SSLContext | None) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=timeout_s) as plain:
        if tls is None:
            yield plain
            return
        with tls.wrap_socket(plain, server_hostname=address[0]) as door:
            yield door


def _connect(name: str, secret: str) -> bytes:
    body = _text("MQTT") + bytes([4, _CLEAN_SESSION_WITH_NAME_AND_SECRET]) + _KEEPALIVE_S.to_bytes(2, "big")
    # A random client id disturbs nobody; Mosquitto puts the name in its place.
    body += _text(f"knock-{secrets.token_hex(8)}") + _text(name) + _text(secret)
    # Two bytes of length (section 2.2.3) reach 16,383; names and secrets are far shorter.
    return bytes([_CONNECT, len(body) & 0x7F | 0x80, len(body) >> 7]) + body


def _text(value: str) -> bytes:
    encoded = value.encode()
    return len(encoded).to_bytes(2, "big") + encoded
