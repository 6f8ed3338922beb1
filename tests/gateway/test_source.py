"""What every source promises the consumer: one suite for all of them."""

from __future__ import annotations

import pytest

from gateway.source import Source
from ingest.model import Channel
from scripts.probes.brokers import until
from tests.support.brokers import DEVICE, Line, take, taken

MANY = 1500
"""More than a commit batch."""


def pass_on(line: Line, source: Source) -> None:
    """Wait until the broker has every acknowledgement: what is sent after them has come down to the device."""
    before = len(line.received())
    source.publish(DEVICE, b"after the acknowledgements")
    until(lambda: len(line.received()) > before, "the broker has the acknowledgements")


def test_messages_come_in_order_with_what_their_topic_says(line: Line) -> None:
    """A source delivers in order, and names device, channel and hub."""
    source = line.source()
    line.send(b"1", b"2", b"3")
    line.send(b"4", rest="hello")
    line.send(b"5", rest="for/scale-77/reading")
    line.send(b"6", rest="elsewhere/deep")
    found = [message.raw for message in take(source, 6)]
    assert [raw.payload for raw in found] == [b"1", b"2", b"3", b"4", b"5", b"6"]
    assert [(raw.device, raw.channel, raw.hub) for raw in found[2:]] == [
        (DEVICE, Channel.READING, None),
        (DEVICE, Channel.HELLO, None),
        ("scale-77", Channel.READING, DEVICE),
        (DEVICE, Channel.UNKNOWN, None),
    ]
    assert not any(raw.dup or raw.retained for raw in found)


def test_only_what_was_not_acknowledged_comes_again_after_a_reconnect(line: Line) -> None:
    """After a broken connection the unacknowledged messages come again, marked as such, and no others."""
    source = line.source()
    line.send(b"acknowledged", b"not", b"neither")
    first = take(source, 3)
    source.ack(first[:1])
    pass_on(line, source)
    line.cut()
    again = taken(source, lambda found: {b"not", b"neither"} <= {message.raw.payload for message in found})
    assert {message.raw.payload for message in again} == {b"not", b"neither"}
    assert all(message.raw.dup for message in again)
    assert all(message.epoch > first[0].epoch for message in again)


def test_an_acknowledgement_of_an_older_connection_acknowledges_nothing(line: Line) -> None:
    """Packet ids are reused: what was taken before a reconnect can only be acknowledged as it came after it."""
    source = line.source()
    line.send(b"first")
    old = take(source, 1)
    line.cut()
    taken(source, lambda found: len(found) > 0)
    source.ack(old)
    pass_on(line, source)
    line.cut()
    again = taken(source, lambda found: len(found) > 0)
    assert again[0].raw.payload == b"first"
    source.ack(again)
    line.send(b"second")
    assert taken(source, lambda found: found[-1:] != [] and found[-1].raw.payload == b"second")


def test_what_is_published_while_the_gateway_is_away_arrives(line: Line) -> None:
    """The session outlives the gateway: messages wait for it, and unacknowledged ones come again."""
    source = line.source()
    line.send(b"unacknowledged")
    take(source, 1)
    source.close()
    waiting = {b"%d" % n for n in range(50)}
    line.send(*waiting)
    source = line.source()
    found = taken(source, lambda so_far: {m.raw.payload for m in so_far} >= waiting | {b"unacknowledged"})
    assert {message.raw.payload for message in found} == waiting | {b"unacknowledged"}


def test_more_than_a_batch_may_be_unacknowledged(line: Line) -> None:
    """The window is larger than a commit batch: otherwise a batch would never fill."""
    source = line.source()
    line.send(*(b"%d" % n for n in range(MANY)))
    found = taken(source, lambda so_far: len({message.mid for message in so_far}) == MANY)
    source.ack(found)


@pytest.mark.parametrize("payload", [b"", b"\x00", b"\xff\xfe", "🩺".encode(), b"x" * 1_200_000], ids=len)
def test_any_payload_passes_unchanged(line: Line, payload: bytes) -> None:
    """Empty, binary, or longer than the contract allows: the bytes arrive, and the source goes on."""
    source = line.source()
    line.send(payload, b"next")
    assert [message.raw.payload for message in take(source, 2)] == [payload, b"next"]


def test_an_answer_reaches_the_device(line: Line) -> None:
    """What is published to a sender comes down to it."""
    source = line.source()
    line.send(b"question")
    take(source, 1)
    assert source.publish(DEVICE, b"answer")
    until(lambda: line.received() == [b"answer"], "the answer reaches the device")


def test_take_does_not_wait_longer_than_told(line: Line) -> None:
    """With nothing there, ``take`` comes back empty."""
    source = line.source()
    assert source.connected()
    assert source.take(10, 0) == []
    assert source.take(10, 0.01) == []
