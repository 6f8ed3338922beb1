"""Lines between a device and the gateway: one without a broker, one through each broker, and one that misbehaves."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.memory import MemorySource
from gateway.mqtt import Account, MqttSource
from gateway.source import Source, Taken
from gateway.topics import parse
from ingest.model import RawMessage
from scripts.probes.brokers import Account as DeviceAccount
from scripts.probes.brokers import Client, Site, free_port, until
from tests.support.ledgers import NOW

LOOPBACK = "127.0.0.1"
DEVICE = "bp-0001"
UP = f"constantes/v1/up/{DEVICE}"
PATIENCE_S = 20.0


class Line(Protocol):
    """A device at one end, the gateway's ``Source`` at the other, and something in between that can break."""

    def source(self) -> Source:
        """The gateway's end, connected; called again after ``close`` it is the same session."""

    def send(self, *payloads: bytes, rest: str = "reading") -> None:
        """The device publishes below its own name; returns when the broker has all of them."""

    def received(self) -> list[bytes]:
        """What came down to the device."""

    def cut(self) -> None:
        """The gateway's connection breaks; returns when it is made again."""


class MemoryLine:
    """No broker."""

    def __init__(self) -> None:
        self._source = MemorySource()

    def source(self) -> Source:
        """See ``Line``."""
        self._source.reconnect()
        return self._source

    def send(self, *payloads: bytes, rest: str = "reading") -> None:
        """See ``Line``."""
        at = parse(f"{UP}/{rest}")
        self._source.arrive(*(RawMessage(at.device, at.channel, payload, NOW, at.hub) for payload in payloads))

    def received(self) -> list[bytes]:
        """See ``Line``."""
        return [payload for sender, payload in self._source.sent if sender == DEVICE]

    def cut(self) -> None:
        """See ``Line``."""
        self._source.reconnect()


class BrokerLine:
    """Through a running broker; the gateway reaches it by a relay that can be cut."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._relay = Relay(site.address)
        self._device: Client | None = None
        self._open: list[MqttSource] = []
        self._subscriptions = 0

    def source(self) -> MqttSource:
        """See ``Line``."""
        before = self._subscriptions
        made = MqttSource(account_at(self._site, self._relay.port), self._count)
        self._open.append(made)
        until(lambda: self._subscriptions > before, "the gateway subscribes")
        return made

    def send(self, *payloads: bytes, rest: str = "reading") -> None:
        """See ``Line``."""
        done = self._client().publish_all(f"{UP}/{rest}", list(payloads), PATIENCE_S)
        assert len(done) == len(payloads), "the broker did not take what the device sent"

    def received(self) -> list[bytes]:
        """See ``Line``."""
        return self._client().payloads()

    def cut(self) -> None:
        """See ``Line``."""
        before = self._subscriptions
        self._relay.cut()
        until(lambda: self._subscriptions > before, "the gateway subscribes again", PATIENCE_S)

    def close(self) -> None:
        """End everything but the broker."""
        for source in self._open:
            source.close()
        self._relay.close()

    def _count(self) -> None:
        self._subscriptions += 1

    def _client(self) -> Client:
        if self._device is None:
            account = DeviceAccount(DEVICE)
            self._site.gate.admit([account.user])
            self._device = self._site.device(account)
            assert self._device.connect(self._site.address) == 0
            self._device.subscribe(f"constantes/v1/down/{DEVICE}")
        return self._device


def account_at(site: Site, port: int | None = None) -> Account:
    """The gateway's account at a broker, or at a relay before it."""
    own = site.credentials
    return Account(LOOPBACK, port or site.address[1], own.username, own.secret, own.client_id)


def taken(source: Source, enough: Callable[[Sequence[Taken]], bool], patience_s: float = PATIENCE_S) -> list[Taken]:
    """Take until it is enough."""
    found: list[Taken] = []

    def look() -> bool:
        found.extend(source.take(5000, 0.05))
        return enough(found)

    until(look, f"enough messages; so far {len(found)}", patience_s)
    return found


def take(source: Source, count: int) -> list[Taken]:
    """Take this many messages."""
    found = taken(source, lambda so_far: len(so_far) >= count)
    assert len(found) == count
    return found


class Relay:
    """Passes bytes on between the gateway and a broker, until it is cut; then it takes the next connection."""

    def __init__(self, to: tuple[str, int]) -> None:
        self._to = to
        self._door = socket.create_server((LOOPBACK, 0))
        self.port: int = self._door.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._run, daemon=True).start()

    def cut(self) -> None:
        """Break every connection."""
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def close(self) -> None:
        """Break every connection and take no other."""
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self.cut()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._door.accept()
                pair = near, socket.create_connection(self._to)
                self._pairs.append(pair)
                threading.Thread(target=_pass_on, args=pair, daemon=True).start()


def _pass_on(near: socket.socket, far: socket.socket) -> None:
    ways = {near: far, far: near}
    with near, far, contextlib.suppress(OSError):
        while True:
            for end in select.select(list(ways), [], [])[0]:
                data = end.recv(65536)
                if not data:
                    return
                ways[end].sendall(data)


@dataclass
class ScriptedBroker:
    """A broker that answers what it is told to: for what a real one never, or not on demand, does."""

    connack: int = 0
    suback: int = 1
    packets: Sequence[bytes] = ()
    """Sent after each SUBACK."""
    tries: int = 0
    acked: list[int] = field(default_factory=list)
    """Packet ids that were acknowledged."""
    published: list[bytes] = field(default_factory=list)
    """Payloads that came from the client."""
    _connections: list[socket.socket] = field(default_factory=list)

    def hang_up(self) -> None:
        """Break every connection; the next one is taken."""
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._connections.clear()

    def account(self) -> Account:
        """Whatever account: it asks for none."""
        return Account(LOOPBACK, self._door.getsockname()[1], "gateway", "secret", "gateway-scripted")

    @contextlib.contextmanager
    def running(self) -> Iterator[ScriptedBroker]:
        """Listen on a free port."""
        self._door = socket.create_server((LOOPBACK, 0))
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._door.shutdown(socket.SHUT_RDWR)
            self._door.close()
            self.hang_up()
            thread.join()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._door.accept()
                self._connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, EOFError):
            stream = connection.makefile("rb")
            while True:
                kind, flags, body = _packet(stream.read)
                for answer in self._answers(kind, flags, body):
                    connection.sendall(answer)
                if kind == 1 and self.connack:
                    return

    def _answers(self, kind: int, flags: int, body: bytes) -> Sequence[bytes]:
        if kind == 1:  # CONNECT; packet types: MQTT 3.1.1 section 2.2.1
            self.tries += 1
            return [bytes([0x20, 2, 0, self.connack])]
        if kind == 8:  # SUBSCRIBE
            return [bytes([0x90, 3, *body[:2], self.suback]), *self.packets]
        if kind == 3:  # PUBLISH
            return self._publish(flags >> 1 & 3, body)
        if kind == 4:  # PUBACK
            self.acked.append(int.from_bytes(body[:2]))
        return [b"\xd0\x00"] if kind == 12 else []  # PINGREQ

    def _publish(self, qos: int, body: bytes) -> Sequence[bytes]:
        start = 2 + int.from_bytes(body[:2])
        self.published.append(body[start + 2 if qos else start :])
        return [b"\x40\x02" + body[start : start + 2]] if qos else []


def publish_packet(topic: bytes, payload: bytes, mid: int, *, dup: bool = False, retain: bool = False) -> bytes:
    """A PUBLISH at QoS 1 as it goes over the wire (MQTT 3.1.1 section 3.3); any bytes may stand for the topic."""
    body = len(topic).to_bytes(2) + topic + mid.to_bytes(2) + payload
    head = 0x30 | dup << 3 | 1 << 1 | retain
    assert len(body) < 128, "one byte of length is enough here"
    return bytes([head, len(body)]) + body


def nobody() -> Account:
    """An address at which nobody listens."""
    return Account(LOOPBACK, free_port(), "gateway", "secret", "gateway-alone")


def _packet(read: Callable[[int], bytes]) -> tuple[int, int, bytes]:
    """Type, flags and the rest of a packet."""
    head = read(1)
    if not head:
        raise EOFError
    length = shift = 0
    while True:
        byte = read(1)[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return head[0] >> 4, head[0] & 15, read(length)
