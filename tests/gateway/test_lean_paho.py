"""The short cuts around paho: the inner names they lean on are there, and do what they are taken to do."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTErrorCode

from gateway.frames import Frames, NotMqtt
from gateway.lean_paho import LeanClient
from gateway.mqtt import MqttSource
from scripts.probes.brokers import until
from tests.support.brokers import UP, ScriptedBroker, publish_packet, take


@pytest.mark.parametrize(
    "name", ["_packet_queue", "_create_socket", "_packet_handle", "_sock_recv", "_loop_rc_handle", "loop_read"]
)
def test_the_inner_names_are_still_there(name: str) -> None:
    """A paho without one of them would silently run without the short cut, or not at all."""
    assert callable(getattr(Client, name))


def client() -> LeanClient:
    """A client that is connected to nobody."""
    made = LeanClient(CallbackAPIVersion.VERSION2, "gateway-lean", manual_ack=True)
    assert {"command", "packet", "remaining_length", "pos"} <= set(made._in_packet)  # noqa: SLF001 - what it leans on
    assert all(hasattr(made, name) for name in ("_sock", "_msgtime_mutex", "_last_bytes_received"))
    return made


Arrival = tuple[bytes, bytes, int, int, bool, bool]


def handed_over(command: int, packet: bytes) -> tuple[MQTTErrorCode, list[Arrival]]:
    """What becomes of a PUBLISH of these bytes."""
    made, found = client(), list[Arrival]()
    made.arrived = lambda *arrival: found.append(arrival)
    length = bytearray()
    rest = len(packet)
    while True:
        rest, digit = rest >> 7, rest & 127
        length.append(digit | (128 if rest else 0))
        if not rest:
            break
    return made._read(bytes([command]) + bytes(length) + packet), found  # noqa: SLF001 - as loop_read calls it


@given(
    st.binary(max_size=40),
    st.binary(max_size=200),
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
    assert found == [(topic, payload, mid if qos else 0, qos, retained, dup)]


@given(st.binary(max_size=8), st.integers(0, 15))
@example(b"\0\1a\0\1x", 2 << 1)
def test_any_packet_is_a_message_or_an_error_of_the_protocol(packet: bytes, flags: int) -> None:
    """A packet that is too short, or of QoS 2 or 3, hands nothing over and raises nothing."""
    code, found = handed_over(MessageType.PUBLISH | flags, packet)
    qos = flags >> 1 & 3
    whole = len(packet) >= 2 + int.from_bytes(packet[:2]) + 2 * (qos > 0)
    assert len(found) == (whole and qos < 2)
    assert code == (MQTTErrorCode.MQTT_ERR_SUCCESS if found else MQTTErrorCode.MQTT_ERR_PROTOCOL)


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=6), st.data())
def test_packets_are_cut_out_however_their_bytes_come(packets: list[tuple[int, bytes]], data: st.DataObject) -> None:
    """Split at any places, the stream gives the same packets, and nothing is left over."""
    stream = b"".join(bytes([first]) + _length(len(body)) + body for first, body in packets)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    frames, found = Frames(), list[tuple[int, bytes]]()
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += whole(frames, stream[start:end])
    assert found == packets
    assert whole(frames, b"") == []


def whole(frames: Frames, more: bytes) -> list[tuple[int, bytes]]:
    """The packets that ``more`` completes."""
    return [(first, data[start:end]) for first, data, start, end in frames.cut(more)]


def _length(size: int) -> bytes:
    """A remaining length, MQTT 3.1.1 section 2.2.3."""
    return bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])


def test_a_length_of_five_bytes_is_no_mqtt() -> None:
    """Four bytes are the most."""
    with pytest.raises(NotMqtt):
        list(Frames().cut(b"\x30\xff\xff\xff\xff\x01"))


def test_a_new_connection_begins_with_a_new_packet() -> None:
    """Half a packet of the old connection is forgotten."""
    frames = Frames()
    assert whole(frames, b"\x30\x05ab") == []
    frames.clear()
    assert whole(frames, b"\xd0\x00") == [(0xD0, b"")]


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
