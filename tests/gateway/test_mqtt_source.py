"""What only a broken or hostile broker shows of the MQTT source."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from gateway import mqtt
from gateway.mqtt import Account, MqttSource
from ingest.model import Channel
from scripts.probes.brokers import until
from tests.support.brokers import UP, ScriptedBroker, nobody, publish_packet, take

READING = f"{UP}/reading".encode()


@contextmanager
def source_of(account: Account, on_subscribed: Callable[[], None] = lambda: None) -> Iterator[MqttSource]:
    """A source that is closed at the end."""
    source = MqttSource(account, on_subscribed)
    try:
        yield source
    finally:
        source.close()


def test_marks_of_the_broker_are_passed_on() -> None:
    """DUP and RETAIN stand in the raw message."""
    packets = [
        publish_packet(READING, b"plain", 1),
        publish_packet(READING, b"dup", 2, dup=True),
        publish_packet(READING, b"retained", 3, retain=True),
    ]
    with ScriptedBroker(packets=packets).running() as broker, source_of(broker.account()) as source:
        found = take(source, 3)
    assert [(m.raw.payload, m.raw.dup, m.raw.retained) for m in found] == [
        (b"plain", False, False),
        (b"dup", True, False),
        (b"retained", False, True),
    ]


@pytest.mark.parametrize("topic", [b"constantes/v1/up/\xff/reading", b"\xed\xa0\x80", b"", b"\x00", b"a/b"])
def test_a_topic_that_is_no_text_does_not_end_the_network_thread(topic: bytes) -> None:
    """A topic that MQTT forbids comes as nobody's message, is acknowledged, and the next one arrives."""
    packets = [publish_packet(topic, b"strange", 1), publish_packet(READING, b"next", 2)]
    with ScriptedBroker(packets=packets).running() as broker, source_of(broker.account()) as source:
        found = take(source, 2)
        assert (found[0].raw.device, found[0].raw.channel) == ("", Channel.UNKNOWN)
        assert [message.raw.payload for message in found] == [b"strange", b"next"]
        source.ack(found)
        until(lambda: broker.acked == [1, 2], "both are acknowledged")
        assert source.stalled(0) is None


def test_a_broker_that_is_away_is_told_after_the_patience() -> None:
    """``stalled`` is silent within the patience, then says that nobody can be reached."""
    with source_of(nobody()) as source:
        assert source.stalled(60) is None
        until(lambda: source.problem is not None, "the first try fails")
        assert source.stalled(0) == "the broker cannot be reached"
        assert not source.connected()


def test_a_broker_that_refuses_the_account_is_told_however_often_it_is_asked() -> None:
    """Each refused try ends with a disconnect; patience still counts from the first."""
    with ScriptedBroker(connack=5).running() as broker, source_of(broker.account()) as source:
        until(lambda: broker.tries == 2 and source.problem is not None, "the second try, a second later")
        assert "refuses the gateway" in str(source.stalled(0.9))


def test_a_refused_subscription_is_told() -> None:
    """SUBACK 0x80 is no subscription, although the connection stands."""
    subscribed = threading.Event()
    with (
        ScriptedBroker(suback=0x80).running() as broker,
        source_of(broker.account(), subscribed.set) as source,
    ):
        until(lambda: source.problem is not None, "SUBACK")
        assert source.stalled(0) == "the broker refuses the gateway's subscription"
        assert not source.connected()
        assert not subscribed.is_set()


def test_a_lost_connection_is_told_only_after_the_patience() -> None:
    """The moment the connection is lost starts the patience, not the start of the process."""
    with ScriptedBroker().running() as broker, source_of(broker.account()) as source:
        until(source.connected, "the subscription")
        assert source.stalled(0) is None
        broker.connack = 5
        broker.hang_up()
        until(lambda: not source.connected(), "the connection is lost")
        assert source.stalled(60) is None
        until(lambda: source.problem is not None, "the next try")
        assert "refuses the gateway" in str(source.stalled(0))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_source_whose_network_thread_has_ended_is_stalled() -> None:
    """A thread that died is told at once."""

    def fails() -> None:
        raise SystemExit  # ends a thread without a word, as paho ends after an exception in a callback

    with ScriptedBroker().running() as broker, source_of(broker.account(), fails) as source:
        until(lambda: source.stalled(60) is not None, "the thread ends")
        assert source.stalled(60) == "the network thread has ended"


def test_messages_of_a_lost_connection_are_forgotten() -> None:
    """What was not taken before the connection broke comes once, on the new one."""
    with (
        ScriptedBroker(packets=[publish_packet(READING, b"again", 1)]).running() as broker,
        source_of(broker.account()) as source,
    ):
        until(source.connected, "the subscription")
        broker.hang_up()
        until(lambda: broker.tries == 2, "the second connection")
        (message,) = take(source, 1)
        until(source.connected, "the second subscription")
        assert source.take(10, 0) == []
        source.ack([message])
        until(lambda: broker.acked == [1], "it is acknowledged")


def test_only_a_lasting_answer_waits_for_the_connection() -> None:
    """Without a connection a receipt is not taken for sending, a lasting answer is, and goes out on the next one."""
    with ScriptedBroker().running() as broker, source_of(broker.account()) as source:
        until(source.connected, "the subscription")
        assert source.publish("bp-0001", b"at once")
        until(lambda: broker.published == [b"at once"], "it arrives")
        broker.connack = 5
        broker.hang_up()
        until(lambda: source.problem is not None, "the next try, refused")
        assert not source.publish("bp-0001", b"receipt")
        assert source.publish("bp-0001", b"lasting", lasting=True)
        broker.connack = 0
        until(lambda: len(broker.published) == 2, "the connection after it")
        assert broker.published == [b"at once", b"lasting"]


def test_answers_leave_before_the_acknowledgements_that_follow_them() -> None:
    """A device may be told twice, but a message is not gone from the broker before its receipt is on its way."""
    packets = [publish_packet(READING, b"1", 1)]
    with ScriptedBroker(packets=packets).running() as broker, source_of(broker.account()) as source:
        found = take(source, 1)
        source.publish("bp-0001", b"receipt")
        source.ack(found)
        until(lambda: broker.acked == [1], "the acknowledgement")
        assert broker.published == [b"receipt"]


def test_closing_while_the_broker_is_away_takes_no_time() -> None:
    """``close`` does not wait for a broker, and ends the thread."""
    with source_of(nobody()) as source:
        until(lambda: source.problem is not None, "the first try fails")
    assert source.stalled(0) == "the network thread has ended"
    source.close()


def test_an_account_shows_no_secret() -> None:
    """The text of an account, as a log or a traceback shows it, has neither its secret nor its client id."""
    shown = repr(Account("localhost", 1883, "gateway", "s3cr3t", "gateway-1d"))
    assert "s3cr3t" not in shown
    assert "gateway-1d" not in shown


def test_a_session_that_the_broker_does_not_know_is_told_with_its_beginning() -> None:
    """At the first connection without one, since nobody knows when; later since the last one ended."""
    told: list[int | None] = []
    with ScriptedBroker().running() as broker:
        source = MqttSource(broker.account(), on_session_lost=told.append)
        try:
            until(source.connected, "the subscription")
            before = time.time_ns() // 1000
            broker.hang_up()
            until(lambda: broker.tries == 2 and source.connected(), "the second connection", 20)
            after = time.time_ns() // 1000
        finally:
            source.close()
    first, second = told
    assert first is None
    assert second is not None
    assert before <= second <= after


class Deaf(ScriptedBroker):
    """A broker that stops reading at the first message."""

    hears = threading.Event()

    def _publish(self, qos: int, body: bytes) -> list[bytes]:
        del qos, body
        self.hears.wait(20)
        return []


def test_answers_that_the_broker_does_not_read_pile_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then ``publish`` says no, and goes on when it reads again: the device's repeat brings the answer."""
    monkeypatch.setattr(mqtt, "_UNSENT", 50)
    deaf = Deaf()
    with deaf.running(), source_of(deaf.account()) as source:
        until(source.connected, "the subscription")
        answer = bytes(100_000)
        taken = 0
        while source.publish("bp-0001", answer):
            taken += 1
            assert taken < 1_000, "there is no bound"
        deaf.hears.set()
        until(lambda: source.publish("bp-0001", answer), "the broker reads again")
