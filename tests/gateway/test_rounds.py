"""What is sent without being asked: resends for gaps, and what the record has confirmed."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from gateway import rounds as module
from gateway.rounds import GRACE, Rounds
from ingest.ledger.port import Told
from ingest.model import Judged
from scripts.probes.brokers import until
from tests.gateway.adapters import FULL, Desk
from tests.support.ledgers import NOW, STREAM, Bench, reading

DEVICE = "bp-0001"


class Turn:
    """A desk whose clock and connection the test sets, and the rounds over it."""

    def __init__(self, bench: Bench) -> None:
        bench.register(DEVICE)
        self.desk = Desk(bench)
        self.rounds = Rounds(self.desk.source, self.desk.ledger, lambda: self.desk.now)

    def commit(self, *items: Judged | Told) -> None:
        """Put items into the ledger without the consumer."""
        self.desk.bench.ledger.commit(items, NOW).result(10)

    def confirm(self, *seqs: int) -> None:
        """The record confirms these readings."""
        for seq in seqs:
            key = reading(seq).key
            assert key is not None
            self.desk.bench.confirm(key)


@pytest.fixture
def turn(bench: Bench) -> Turn:
    """Rounds over each ledger."""
    return Turn(bench)


def hello(at: int = NOW, **more: object) -> Told:
    """A hello of the device."""
    return replace(Told(DEVICE, at, "a1b2c3d4", STREAM, 0), **more)  # type: ignore[arg-type]  # members of Told


def test_a_gap_is_asked_for_once_after_the_grace(turn: Turn) -> None:
    """Reordering gets its time; then one resend, and no other until the device connects anew."""
    turn.commit(hello(), reading(0), reading(5))
    turn.desk.now = NOW + GRACE
    assert turn.rounds.ask_again() == 0
    turn.desk.now = NOW + GRACE + 1
    assert turn.rounds.ask_again() == 1
    assert turn.desk.answers() == [{"v": 1, "command": "resend", "stream": STREAM, "from": 1, "to": 4}]
    turn.desk.now = NOW + 3600 * 1_000_000
    assert turn.rounds.ask_again() == 0
    turn.commit(hello(turn.desk.now))
    turn.desk.now += 1
    assert turn.rounds.ask_again() == 1


def test_what_the_device_no_longer_holds_is_not_asked_for(turn: Turn) -> None:
    """Of a gap only the part from ``oldest`` on."""
    turn.commit(hello(oldest=3), reading(0), reading(5))
    turn.desk.now = NOW + GRACE + 1
    turn.rounds.ask_again()
    assert [(asked["from"], asked["to"]) for asked in turn.desk.answers()] == [(3, 4)]


def test_a_gap_that_could_not_be_asked_for_is_asked_for_later(turn: Turn) -> None:
    """Without a connection, or with a broker that takes nothing more, it is not noted as asked."""
    turn.commit(hello(), reading(0), reading(5))
    turn.desk.now = NOW + GRACE + 1
    turn.desk.source.stands = False
    assert turn.rounds.ask_again() == 0
    assert turn.desk.events == []
    turn.desk.source.stands, turn.desk.source.takes = True, False
    assert turn.rounds.ask_again() == 0
    turn.desk.source.takes = True
    assert turn.rounds.ask_again() == 1


def test_confirmations_are_noted_a_round_after_they_were_sent(turn: Turn) -> None:
    """A crash between sending and noting sends them twice; a crash before sending loses none."""
    turn.commit(hello(wants_record=True), reading(0), reading(1))
    turn.confirm(0, 1)
    assert turn.rounds.confirm() == 2
    assert [(told["verdict"], told["seq"]) for told in turn.desk.receipts()] == [("in_record", 0), ("in_record", 1)]
    assert turn.desk.ledger.told() == 0
    again = Rounds(turn.desk.source, turn.desk.ledger, lambda: NOW)
    assert again.confirm() == 2
    assert again.confirm() == 0
    assert turn.desk.ledger.told() > 0
    assert Rounds(turn.desk.source, turn.desk.ledger, lambda: NOW).confirm() == 0


def test_confirmations_wait_for_the_connection(turn: Turn) -> None:
    """While the broker is away, or takes nothing more, none counts as sent."""
    turn.commit(hello(wants_record=True), reading(0))
    turn.confirm(0)
    turn.desk.source.stands = False
    assert turn.rounds.confirm() == 0
    turn.desk.source.stands, turn.desk.source.takes = True, False
    assert turn.rounds.confirm() == 0
    turn.desk.source.takes = True
    assert turn.rounds.confirm() == 1
    turn.desk.source.stands = False
    turn.rounds.confirm()
    assert turn.desk.ledger.told() == 0, "noted before the broker was seen again"


def test_confirmations_keep_the_length_that_hello_names(turn: Turn) -> None:
    """Unasked messages are no longer than answers."""
    turn.commit(hello(wants_record=True, max_down_bytes=300), *(reading(n) for n in range(9)))
    turn.confirm(*range(9))
    assert turn.rounds.confirm() == 9
    assert max(len(payload) for _, payload in turn.desk.source.sent) <= 300
    assert [told["seq"] for told in turn.desk.receipts()] == list(range(9))


def test_a_hub_is_told_for_its_device(turn: Turn) -> None:
    """Both kinds go to the connection that the device's hello came by, and name the device."""
    turn.commit(hello(wants_record=True, hub="hub-1"), reading(0), reading(5))
    turn.confirm(0)
    turn.desk.now = NOW + GRACE + 1
    turn.rounds.ask_again()
    turn.rounds.confirm()
    asked, told = (json.loads(payload) for sender, payload in turn.desk.source.sent if sender == "hub-1")
    assert (asked["device"], told["receipts"][0]["device"]) == (DEVICE, DEVICE)


def test_what_nobody_would_ask_for_again_is_sent_to_last(turn: Turn) -> None:
    """Unlike a receipt, which the device's repeat brings again, neither kind may be lost on its way."""
    turn.commit(hello(wants_record=True), reading(0), reading(5))
    turn.confirm(0)
    turn.desk.now = NOW + GRACE + 1
    turn.rounds.ask_again()
    turn.rounds.confirm()
    assert turn.desk.source.lasting == [payload for _, payload in turn.desk.source.sent]
    assert len(turn.desk.source.lasting) == 2


def test_the_rounds_go_on_after_a_ledger_that_was_away(turn: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    """``run`` asks again until told to stop."""
    monkeypatch.setattr(module, "_CONFIRM_EVERY_S", 0.01)
    turn.commit(hello(wants_record=True), reading(0), reading(5))
    turn.confirm(0)
    turn.desk.now, turn.desk.ledger.fault = NOW + GRACE + 1, FULL
    stop = threading.Event()
    thread = threading.Thread(target=turn.rounds.run, args=(stop,), daemon=True)
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    turn.desk.ledger.fault = None
    until(lambda: len(turn.desk.answers()) == 2, "the confirmation and the resend")
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
