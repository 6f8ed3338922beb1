"""The short cuts around paho: the inner names they lean on are there, and do what they are taken to do."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTErrorCode

from gateway.lean_paho import Arrival, LeanClient, ReadAhead
from gateway.mqtt import MqttSource
from scripts.probes.brokers import until
from tests.support.brokers import UP, ScriptedBroker, publish_packet, take


@pytest.mark.parametrize("name", ["_packet_queue", "_create_socket", "_handle_publish", "_packet_read"])
def test_the_inner_names_are_still_there(name: str) -> None:
    """A paho without one of them would silently run without the short cut, or not at all."""
    assert callable(getattr(Client, name))


def client() -> LeanClient:
    """A client that is connected to nobody."""
    made = LeanClient(CallbackAPIVersion.VERSION2, "gateway-lean", manual_ack=True)
    assert {"command", "packet"} <= set(made._in_packet)  # noqa: SLF001 - the name that _handle_publish leans on
    assert hasattr(made, "_sock")
    return made


def handed_over(command: int, packet: bytes) -> tuple[MQTTErrorCode, list[Arrival]]:
    """What becomes of a PUBLISH of these bytes."""
    made, found = client(), list[Arrival]()
    made.arrived = found.append
    made._in_packet |= {"command": command, "packet": bytearray(packet)}  # noqa: SLF001 - as paho fills it
    return made._handle_publish(), found  # noqa: SLF001 - as paho calls it


@given(
    st.binary(max_size=40),
    st.binary(max_size=40),
    st.integers(0, 65535),
    st.integers(0, 1),
    st.booleans(),
    st.booleans(),
)
def test_every_publish_is_handed_over_as_it_was_sent(
    topic: bytes,
    payload: bytes,
    mid: int,
    qos: int,
    retained: bool,  # noqa: FBT001 - drawn
    dup: bool,  # noqa: FBT001 - drawn
) -> None:
    """Topic, payload, packet id and flags of MQTT 3.1.1 section 3.3."""
    command = MessageType.PUBLISH | dup << 3 | qos << 1 | retained
    packet = len(topic).to_bytes(2) + topic + (mid.to_bytes(2) if qos else b"") + payload
    code, found = handed_over(command, packet)
    assert code == MQTTErrorCode.MQTT_ERR_SUCCESS
    assert found == [Arrival(topic, payload, mid if qos else 0, qos, retained, dup)]


@given(st.binary(max_size=8), st.integers(0, 15))
@example(b"\0\1a\0\1x", 2 << 1)
def test_any_packet_is_a_message_or_an_error_of_the_protocol(packet: bytes, flags: int) -> None:
    """A packet that is too short, or of QoS 2 or 3, hands nothing over and raises nothing."""
    code, found = handed_over(MessageType.PUBLISH | flags, packet)
    qos = flags >> 1 & 3
    whole = len(packet) >= 2 + int.from_bytes(packet[:2]) + 2 * (qos > 0)
    assert len(found) == (whole and qos < 2)
    assert code == (MQTTErrorCode.MQTT_ERR_SUCCESS if found else MQTTErrorCode.MQTT_ERR_PROTOCOL)


class Pieces:
    """A socket whose bytes come in pieces, and then not yet."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def recv(self, size: int) -> bytes:
        """The next piece."""
        piece = next(self._pieces, None)
        if piece is None:
            raise BlockingIOError
        assert len(piece) <= size
        return piece

    def fileno(self) -> int:
        """What a selector asks for."""
        return 7


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=8), st.lists(st.integers(1, 12), max_size=60))
def test_reading_ahead_changes_no_byte(pieces: list[bytes], sizes: list[int]) -> None:
    """However the bytes come and are asked for, they come out the same, and ``pending`` counts what is left."""
    ahead, out = ReadAhead(Pieces(iter(pieces))), b""
    assert ahead.fileno() == 7
    for size in sizes:
        left = ahead.pending()
        try:
            got = ahead.recv(size)
        except BlockingIOError:
            assert left == 0
            break
        assert 0 < len(got) <= size
        out += got
    assert b"".join(pieces).startswith(out)
    assert len(out) + ahead.pending() >= min(len(sizes), len(b"".join(pieces)))


def test_the_end_of_a_connection_is_passed_on() -> None:
    """An empty read stays an empty read: paho takes it for the end."""
    near, far = socket.socketpair()
    with near:
        ahead = ReadAhead(near)
        far.sendall(b"last")
        far.close()
        assert (ahead.recv(2), ahead.pending(), ahead.recv(9), ahead.recv(9)) == (b"la", 2, b"st", b"")


def test_what_a_tls_socket_holds_back_is_pending() -> None:
    """Bytes that TLS has decrypted already are no longer seen by a selector."""

    class Tls(Pieces):
        """With three bytes inside."""

        def pending(self) -> int:
            return 3

    assert ReadAhead(Tls(iter([b"12345"]))).pending() == 3
    assert hasattr(ssl.SSLSocket, "pending")


def test_a_batch_is_acknowledged_packet_by_packet_on_the_wire() -> None:
    """One piece in the queue, ordinary PUBACKs to the broker; many messages in one read all arrive."""
    count = 3000
    packets = [b"".join(publish_packet(f"{UP}/reading".encode(), b"%d" % n, n) for n in range(1, count + 1))]
    with ScriptedBroker(packets=packets).running() as broker:
        source = MqttSource(broker.account())
        try:
            found = take(source, count)
            assert [message.raw.payload for message in found] == [b"%d" % n for n in range(1, count + 1)]
            source.ack(found[::2])
            source.ack(found[1::2])
            until(lambda: len(broker.acked) == count, "every acknowledgement")
        finally:
            source.close()
    assert sorted(broker.acked) == list(range(1, count + 1))
