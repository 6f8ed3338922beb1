"""What the gateway does with a device that floods: refused, acknowledged, not kept, told, and nobody else notices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.events import FLOOD
from gateway.flood import Flood, Limit
from ingest.ledger.balance import balance
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.memory import MemoryLedger
from ingest.ledger.relational import RelationalLedger
from ingest.model import Channel, RawMessage
from tests.gateway.adapters import Desk
from tests.support.ledgers import IMPLEMENTATIONS, NOW, STREAM, bench, body, raw

SECOND = 1_000_000_000
FULL = LedgerUnavailable("Full.", "Safe.", "Make room.")
BURST = 20


@pytest.fixture(name="desk", params=IMPLEMENTATIONS)
def each_desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """A desk over each kind of ledger."""
    with bench(request.param, tmp_path) as made:
        for device in ("bp-0001", "bp-0002", "hub-1"):
            made.register(device)
        yield Desk(made, flood=Flood(Limit(10, BURST)))


def readings(first: int, count: int, device: str = "bp-0001", hub: str | None = None) -> list[RawMessage]:
    """New readings of a device."""
    payloads = [json.dumps(body(seq)).encode() for seq in range(first, first + count)]
    return [RawMessage(device, Channel.READING, payload, NOW, hub) for payload in payloads]


def test_what_is_over_the_limit_is_acknowledged_refused_and_not_kept(desk: Desk) -> None:
    """The burst is stored; the rest is told `refused` by name, counted apart, and is in no ledger."""
    sent = readings(0, 30)
    desk.source.arrive(*sent)
    desk.work()
    told = desk.receipts()
    assert [each["verdict"] for each in told] == ["stored"] * BURST + ["refused"] * 10
    assert told[-1].items() >= {"stream": STREAM, "seq": 29, "reason": "flow.slow_down", "retry_after_s": 1}.items()
    assert [raw.payload for raw in desk.source.acked] == [raw.payload for raw in sent]
    assert len(desk.ledger.items) == BURST
    assert desk.count("refused", reason="flow.slow_down") == 10
    assert desk.count("messages", channel="reading", verdict="stored", reason="") == BURST


def test_the_device_is_asked_to_slow_down_once(desk: Desk) -> None:
    """One command a batch and a waiting time, after the receipts."""
    desk.source.arrive(*readings(0, 40))
    desk.work()
    commands = [answer for answer in desk.answers() if "command" in answer]
    assert commands == [{"v": 1, "command": "slow_down", "retry_after_s": 1}]
    assert desk.answers()[-1] == commands[0]
    desk.source.arrive(*readings(40, 5))
    desk.work()
    assert sum("command" in answer for answer in desk.answers()) == 1


def test_a_refused_reading_is_stored_when_it_comes_again_in_its_time(desk: Desk) -> None:
    """Refusing leaves nothing behind: the same bytes later are a new reading, no repeat."""
    sent = readings(0, 25)
    desk.source.arrive(*sent)
    desk.work()
    desk.tick += SECOND
    desk.source.arrive(*sent[BURST:])
    desk.work()
    assert [each["verdict"] for each in desk.receipts()[-5:]] == ["stored"] * 5
    assert not any(each.get("repeat") for each in desk.receipts())


def test_a_try_that_kept_nothing_is_no_message(desk: Desk) -> None:
    """While the ledger cannot write the same batch is tried again and again; then all of it is stored."""
    desk.ledger.fault, desk.ledger.away, desk.ledger.keeps_no_more = FULL, True, True
    desk.source.arrive(*readings(0, BURST))
    for _ in range(5):
        with pytest.raises(LedgerUnavailable):
            desk.work()
    desk.ledger.fault = None
    desk.work()
    assert [each["verdict"] for each in desk.receipts()] == ["stored"] * BURST


def test_nobody_else_notices(desk: Desk) -> None:
    """Readings of another device between those of the flood are stored."""
    flood, other = readings(0, 60), readings(0, 10, "bp-0002")
    for place, message in enumerate(other):
        flood.insert(6 * place, message)
    desk.source.arrive(*flood)
    desk.work()
    assert [each["verdict"] for each in desk.receipts("bp-0002")] == ["stored"] * 10
    assert not [answer for answer in desk.answers("bp-0002") if "command" in answer]


def test_hello_is_answered_whoever_floods(desk: Desk) -> None:
    """Only readings are refused: what a device says of itself is few, and needed."""
    desk.source.arrive(*readings(0, 30))
    hello = {"v": 1, "conn": "a1b2c3d4", "stream": STREAM, "next": 30}
    desk.source.arrive(raw(json.dumps(hello).encode(), channel=Channel.HELLO))
    desk.work()
    assert [answer["command"] for answer in desk.answers() if "command" in answer] == ["slow_down", "welcome"]


def test_a_hub_is_told_for_each_of_its_devices(desk: Desk) -> None:
    """The limit is the hub's own, whatever devices it names; receipts and commands name the device."""
    desk.bench.serve("hub-1", "bp-0001")
    desk.source.arrive(*readings(0, 15, hub="hub-1"), *readings(0, 15, "bp-0002", hub="hub-1"))
    desk.work()
    refused = [each for each in desk.receipts("hub-1") if each["verdict"] == "refused"]
    assert [each["device"] for each in refused] == ["bp-0002"] * 10
    assert {"v": 1, "command": "slow_down", "retry_after_s": 1, "device": "bp-0002"} in desk.answers("hub-1")
    assert [alarm.subject for alarm in desk.happened.due()] == ["hub-1"]


def test_refused_bytes_without_a_number_are_told_by_their_hash(desk: Desk) -> None:
    """Like any message that cannot be read."""
    desk.source.arrive(*readings(0, BURST), raw(b"\xff"))
    desk.work()
    last = desk.receipts()[-1]
    assert (last["verdict"], "stream" in last, len(last["sha"])) == ("refused", False, 16)


def test_a_batch_of_refusals_alone_is_acknowledged(desk: Desk) -> None:
    """Nothing to keep is no reason to wait."""
    desk.source.arrive(*readings(0, BURST))
    desk.work()
    desk.source.arrive(*readings(BURST, 5))
    desk.work()
    assert len(desk.source.acked) == BURST + 5


def test_people_are_told_of_a_flood(desk: Desk) -> None:
    """Once, with the sender's name."""
    desk.source.arrive(*readings(0, 60))
    desk.work()
    assert [(alarm.code, alarm.subject) for alarm in desk.happened.due()] == [(FLOOD, "bp-0001")]


def test_the_balance_knows_nothing_of_refusals(desk: Desk) -> None:
    """Received is what was kept."""
    desk.source.arrive(*readings(0, 30))
    desk.work()
    ledger = desk.bench.ledger
    if isinstance(ledger, MemoryLedger):
        assert len(ledger.journal) == BURST
    elif isinstance(ledger, RelationalLedger):
        with ledger.file.readers.connect() as connection:
            assert balance(connection).received == BURST
