"""The loop: commit, answer, acknowledge, always in this order, and whatever is sent."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway import consumer as loop
from gateway.rounds import Rounds
from ingest.judge import judge
from ingest.ledger.memory import MemoryLedger
from ingest.ledger.port import Known
from ingest.ledger.relational import RelationalLedger
from ingest.model import Channel, DeviceStatus, Facts, Instant, Judged, RawMessage, TimeMark
from registry import devices
from scripts.probes.brokers import until
from tests.gateway.adapters import FULL, Desk
from tests.support.contents import CAMERA, PHOTOGRAPH, part, parts, photograph
from tests.support.ledgers import IMPLEMENTATIONS, NOW, STREAM, Bench, bench, body, reading

DEVICE = "bp-0001"
HELLO: dict[str, Any] = {"v": 1, "conn": "a1b2c3d4", "stream": STREAM, "next": 0}


@pytest.fixture
def desk(bench: Bench) -> Desk:
    """A consumer over each ledger, with a device that is registered."""
    bench.register(DEVICE)
    return Desk(bench)


def encoded(content: object) -> bytes:
    """JSON, unless it is bytes already."""
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def sent(
    content: object, channel: Channel = Channel.READING, device: str = DEVICE, hub: str | None = None
) -> RawMessage:
    """A message as the broker brings it."""
    return RawMessage(device, channel, encoded(content), NOW, hub)


def sha(content: object) -> str:
    """How a receipt names these bytes."""
    return hashlib.sha256(encoded(content)).hexdigest()[:16]


# ---------------------------------------------------------------- order


def test_every_message_is_kept_then_answered_then_acknowledged(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over many batches, one in flight while the next is judged, the order holds for each message."""
    monkeypatch.setattr(loop, "BATCH", 7)
    bodies = [body(n, 128 if n % 5 else 1280) for n in range(50)]
    desk.source.arrive(*map(sent, bodies))
    desk.work()
    for content in bodies:
        kept = desk.events.index(("kept", encoded(content)))
        acked = desk.events.index(("ack", encoded(content)))
        (answered,) = (
            place
            for place, (what, told) in enumerate(desk.events)
            if what == "answer" and any(receipt["sha"] == sha(content) for receipt in told["receipts"])
        )
        assert kept < answered < acked
    assert len(desk.source.acked) == len(bodies)


def test_a_whole_batch_is_answered_before_any_of_it_is_acknowledged(desk: Desk) -> None:
    """A crash between answers and acknowledgements brings the messages, and so the answers, again."""
    desk.source.arrive(*(sent(body(n)) for n in range(30)))
    desk.work()
    kinds = [what for what, _ in desk.events]
    assert kinds == sorted(kinds, key=["kept", "answer", "ack"].index)


def test_nothing_is_answered_or_acknowledged_before_the_commit_is_done(desk: Desk) -> None:
    """While the disk is slow nothing leaves; when it is done everything does."""
    held: list[Callable[[], None]] = []
    desk.ledger.held = held
    stop = threading.Event()
    thread = threading.Thread(target=desk.consumer.run, args=(stop,), daemon=True)
    thread.start()
    desk.source.arrive(sent(body(0)))
    until(lambda: len(held) == 1, "the first batch waits for the disk")
    desk.source.arrive(sent(body(1)))
    thread.join(0.1)
    assert desk.events == []
    desk.ledger.held = None
    for finish in held:
        finish()
    until(lambda: len(desk.source.acked) == 2, "both are acknowledged")
    stop.set()
    thread.join(5)


# ---------------------------------------------------------------- a ledger that cannot write


@pytest.mark.parametrize("unsure", [False, True], ids=["nothing kept", "kept all the same"])
@pytest.mark.parametrize("away", [False, True], ids=["the future fails", "the call fails"])
def test_what_could_not_be_kept_is_not_answered_and_is_kept_later(desk: Desk, *, unsure: bool, away: bool) -> None:
    """Without a reconnect the same messages are kept, answered and acknowledged once the ledger can write again."""
    desk.ledger.fault, desk.ledger.unsure, desk.ledger.away = FULL, unsure, away
    contents = [body(0), body(1), b"{"]
    desk.source.arrive(*map(sent, contents))
    for _ in range(3):
        with pytest.raises(type(FULL)):
            desk.work()
    assert desk.events == []
    desk.ledger.fault = None
    desk.work()
    assert [raw.payload for raw in desk.source.acked] == [encoded(content) for content in contents]
    assert [(receipt["sha"], receipt["verdict"]) for receipt in desk.receipts()] == [
        (sha(contents[0]), "stored"),
        (sha(contents[1]), "stored"),
        (sha(contents[2]), "quarantined"),
    ]


def test_a_failure_loses_no_message_of_either_batch_in_flight(desk: Desk) -> None:
    """The batch that was on its way when the ledger failed, and the one behind it, are both kept in the end."""
    desk.source.arrive(sent(body(0)))
    desk.consumer.step(0)
    desk.ledger.fault = FULL
    desk.source.arrive(sent(body(1)))
    desk.consumer.step(0)
    desk.source.arrive(sent(body(2)))
    with pytest.raises(type(FULL)):
        desk.work()
    desk.ledger.fault = None
    with suppress(type(FULL)):  # the second of them was handed in while the ledger could not write
        desk.work()
    desk.work()
    assert sorted(raw.payload for raw in desk.source.acked) == sorted(encoded(body(n)) for n in range(3))
    assert [receipt["seq"] for receipt in desk.receipts()] == [0, 1, 2]


def test_the_loop_says_what_keeps_it_and_goes_on_by_itself(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """``run`` tells its problem while the ledger cannot write, recovers, and finishes what it took when stopped."""
    monkeypatch.setattr(loop, "_PAUSE_S", 0.02)
    desk.ledger.fault = FULL
    stop = threading.Event()
    thread = threading.Thread(target=desk.consumer.run, args=(stop,), daemon=True)
    thread.start()
    desk.source.arrive(sent(body(0)))
    until(lambda: desk.consumer.problem == FULL.happened, "the problem is told")
    assert desk.source.acked == []
    desk.ledger.fault = None
    until(lambda: len(desk.source.acked) == 1, "the message is acknowledged")
    until(lambda: desk.consumer.problem is None, "the problem is over")
    desk.source.arrive(sent(body(1)))
    until(lambda: len(desk.ledger.items) == 2, "the second message is taken")
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert len(desk.source.acked) == 2


def test_a_ledger_that_does_not_say_what_it_knows_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway is not well while it asks for what is known of devices and hears nothing."""
    monkeypatch.setattr("ingest.ledger.faults._SILENT_S", 0.0)
    go, stop, known = threading.Event(), threading.Event(), desk.ledger.known

    def waits(devices: Collection[str], now: Instant) -> Mapping[str, Known]:
        assert go.wait(20)
        return known(devices, now)

    monkeypatch.setattr(desk.ledger, "known", waits)
    thread = threading.Thread(target=desk.consumer.run, args=(stop,))
    thread.start()
    try:
        desk.source.arrive(sent(body()))
        until(lambda: "has not answered" in str(desk.consumer.problem), "it is told")
        go.set()
        until(lambda: len(desk.source.acked) == 1, "it goes on")
        until(lambda: desk.consumer.problem is None, "and is well again")
    finally:
        go.set()
        stop.set()
        thread.join(20)


def test_stopping_with_a_ledger_that_cannot_write_leaves_the_messages_to_the_broker(desk: Desk) -> None:
    """``run`` ends, and what was not kept stays unacknowledged."""
    desk.ledger.fault = FULL
    desk.source.arrive(sent(body(0)))
    desk.consumer.step(0)
    stop = threading.Event()
    stop.set()
    desk.consumer.run(stop)
    assert desk.events == []


# ---------------------------------------------------------------- hello, clock


def test_a_hello_is_answered_with_a_welcome(desk: Desk) -> None:
    """After the commit, before the acknowledgement; with what is settled by then."""
    desk.source.arrive(sent(body(0)), sent(HELLO | {"next": 1}, Channel.HELLO))
    desk.work()
    welcome = desk.answers()[-1]
    assert (welcome["command"], welcome["conn"], welcome["settled"]) == ("welcome", "a1b2c3d4", {STREAM: 0})
    assert welcome["ledger"] == desk.ledger.name
    kinds = [what for what, _ in desk.events]
    assert kinds == ["kept", "answer", "answer", "ack", "ack"]
    assert desk.count("told") == 1


def marks(desk: Desk) -> list[TimeMark]:
    """How the times of the readings that were kept are marked."""
    return [item.reading.timing.mark for item in desk.ledger.items if isinstance(item, Judged) and item.reading]


def test_a_clock_is_trusted_from_hello_or_echo_on_within_the_batch(desk: Desk) -> None:
    """Before any hello unverified; after an echo a clock an hour off is corrected, in the same batch and later."""
    echo = {"epoch": 7, "now": "2026-11-18T10:06:40Z", "echo": "2026-11-18T11:06:40Z"}
    unsynced = {"epoch": 7, "now": "2026-11-18T10:06:40Z", "synced": False}
    desk.source.arrive(
        sent(body(0, clock=7)),
        sent(HELLO | {"clock": unsynced}, Channel.HELLO),
        sent(body(1, clock=7)),
        sent({"v": 1, "conn": "a1b2c3d4", "clock": echo}, Channel.STATE),
        sent(body(2, clock=7)),
        sent(body(3, clock=8)),
    )
    desk.work()
    desk.source.arrive(sent(body(4, clock=7)))
    desk.work()
    unverified, corrected = TimeMark.UNVERIFIED, TimeMark.CORRECTED
    assert marks(desk) == [unverified, unverified, corrected, unverified, corrected]


def test_a_batch_with_a_hello_is_kept_before_the_next_is_judged(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a hello says of the clock counts for the batch that follows at once."""
    monkeypatch.setattr(loop, "BATCH", 1)
    desk.source.arrive(
        sent(HELLO | {"clock": {"epoch": 7, "synced": True}}, Channel.HELLO), *(sent(body(n, clock=7)) for n in (0, 1))
    )
    desk.work()
    assert marks(desk) == [TimeMark.DEVICE, TimeMark.DEVICE]


def test_a_gateway_with_an_undisciplined_clock_corrects_nothing(bench: Bench) -> None:
    """The echo measures, and is not used."""
    bench.register(DEVICE)
    desk = Desk(bench, disciplined=False)
    echo = {"epoch": 0, "now": "2026-11-18T10:06:40Z", "echo": "2026-11-18T11:06:40Z"}
    desk.source.arrive(sent({"v": 1, "conn": "a1b2c3d4", "clock": echo}, Channel.STATE), sent(body(0)))
    desk.work()
    assert marks(desk) == [TimeMark.UNVERIFIED]


@pytest.mark.parametrize("channel", [Channel.HELLO, Channel.STATE])
def test_a_hello_or_state_that_cannot_be_read_is_answered_by_its_hash_alone(desk: Desk, channel: Channel) -> None:
    """Set aside like a reading, and counted apart from readings."""
    desk.source.arrive(sent(b"{", channel))
    desk.work()
    assert desk.receipts() == [
        {"sha": sha(b"{"), "verdict": "quarantined", "reason": "json.malformed", "action": "fix"}
    ]
    assert desk.count("messages", channel=str(channel), verdict="quarantined", reason="json.malformed") == 1
    assert len(desk.source.acked) == 1


def test_receipts_keep_the_length_that_hello_names(desk: Desk) -> None:
    """From the batch of the hello on; and 1,024 bytes before."""
    desk.source.arrive(*(sent(body(n)) for n in range(20)))
    desk.work()
    assert 512 < max(len(payload) for _, payload in desk.source.sent) <= 1024
    desk.source.sent.clear()
    desk.source.arrive(sent(HELLO | {"max_down_bytes": 512}, Channel.HELLO), *(sent(body(n)) for n in range(20, 40)))
    desk.work()
    assert max(len(payload) for _, payload in desk.source.sent) <= 512
    assert len(desk.receipts()) == 20


# ---------------------------------------------------------------- who


@pytest.mark.parametrize("standing", ["unknown", "revoked"])
def test_readings_of_a_device_that_is_not_registered_wait_for_an_operator(bench: Bench, standing: str) -> None:
    """They are kept, set aside, and somebody at the site must act."""
    desk = Desk(bench)
    if standing == "revoked":
        bench.register(DEVICE)
        revoke(bench)
    desk.source.arrive(sent(body(0)), sent(HELLO, Channel.HELLO))
    desk.work()
    for receipt in desk.receipts():
        assert (receipt["verdict"], receipt["reason"]) == ("quarantined", f"device.{standing}")
        assert receipt["action"] == "operator"
    assert [receipt.get("seq") for receipt in desk.receipts()] == [0, None]
    assert len(desk.source.acked) == 2


def revoke(bench: Bench) -> None:
    """Revoke the device."""
    if isinstance(bench.ledger, MemoryLedger):
        bench.ledger.statuses[DEVICE] = DeviceStatus.REVOKED
    elif isinstance(bench.ledger, RelationalLedger):
        bench.ledger.file.writer.write(lambda connection: devices.revoke(connection, DEVICE, NOW))


def test_a_hub_is_answered_for_the_device_it_does_not_serve(desk: Desk) -> None:
    """``device.not_served`` goes to the hub, naming the device, in messages as long as the hub takes."""
    desk.bench.register("hub-1")
    desk.source.arrive(sent(HELLO | {"max_down_bytes": 400}, Channel.HELLO, "hub-1"))
    desk.work()
    desk.source.arrive(*(sent(body(n), hub="hub-1") for n in range(3)))
    desk.work()
    told = desk.receipts("hub-1")
    assert [(r["device"], r["seq"], r["reason"], r["action"]) for r in told] == [
        (DEVICE, n, "device.not_served", "operator") for n in range(3)
    ]
    assert desk.receipts(DEVICE) == []
    assert max(len(payload) for _, payload in desk.source.sent) <= 400


@pytest.mark.parametrize(("device", "answers"), [(DEVICE, 1), ("", 0)])
def test_a_message_on_another_topic_is_set_aside(desk: Desk, device: str, answers: int) -> None:
    """``mqtt.topic``, told to whoever the topic names, and acknowledged in any case."""
    desk.source.arrive(sent(body(0), Channel.UNKNOWN, device))
    desk.work()
    assert [receipt["reason"] for receipt in desk.receipts(device)] == ["mqtt.topic"] * answers
    assert len(desk.source.acked) == 1
    assert len(desk.source.sent) == answers


# ---------------------------------------------------------------- repeats


def test_a_repeat_is_answered_with_the_verdict_it_had(desk: Desk) -> None:
    """Same bytes again: same verdict, ``repeat`` true, and counted as what it is."""
    desk.source.arrive(sent(body(0)), sent(body(1, 1280)))
    desk.work()
    first = desk.receipts()
    desk.source.sent.clear()
    desk.source.arrive(sent(body(0)), sent(body(1, 1280)))
    desk.work()
    assert desk.receipts() == [receipt | {"repeat": True} for receipt in first]
    assert desk.count("messages", channel="reading", verdict="duplicate", reason="") == 1


@pytest.mark.parametrize("asks", [True, False])
def test_a_repeat_of_a_confirmed_reading_is_told_in_record_again(desk: Desk, *, asks: bool) -> None:
    """After its receipt, if hello asked for it."""
    item = reading(0)
    assert item.key is not None
    desk.source.arrive(sent(HELLO | ({"receipts": "record"} if asks else {}), Channel.HELLO), sent(item.raw.payload))
    desk.work()
    desk.bench.confirm(item.key)
    desk.source.sent.clear()
    desk.source.arrive(sent(item.raw.payload))
    desk.work()
    verdicts = [(receipt["verdict"], receipt.get("repeat")) for receipt in desk.receipts()]
    assert verdicts == [("stored", True), *([("in_record", None)] if asks else [])]


def test_messages_of_a_broken_connection_are_answered_again_and_acknowledged_once(desk: Desk) -> None:
    """Kept on the old connection, they come again on the new one as repeats."""
    desk.source.arrive(sent(body(0)))
    desk.consumer.step(0)
    desk.source.reconnect()
    desk.work()
    assert [receipt.get("repeat") for receipt in desk.receipts()] == [None, True]
    assert len(desk.source.acked) == 1


def test_an_answer_that_the_broker_does_not_take_is_counted_and_stops_nothing(desk: Desk) -> None:
    """The device asks again by repeating; the message is acknowledged."""
    desk.source.takes = False
    desk.source.arrive(sent(body(0)))
    desk.work()
    assert desk.count("answers_unsent") == 1
    assert len(desk.source.acked) == 1


# ---------------------------------------------------------------- poison


@pytest.mark.parametrize("channel", [Channel.READING, Channel.HELLO, Channel.STATE])
def test_a_message_that_the_ledger_cannot_hold_is_kept_as_bytes(desk: Desk, channel: Channel) -> None:
    """One defect of ours costs one message its reading: it is set aside by hash, and those beside it are kept."""
    state = {"v": 1, "conn": "a1b2c3d4", "state": "offline"}
    content = {Channel.READING: body(1), Channel.HELLO: HELLO, Channel.STATE: state}[channel]
    poison = encoded(content)
    desk.ledger.poison = lambda item: (
        not isinstance(item, Judged) or (item.raw.payload == poison and item.key is not None)
    )
    desk.source.arrive(sent(body(0)), sent(poison, channel), sent(body(2)))
    desk.work()
    assert [(receipt["sha"], receipt["verdict"], receipt.get("reason")) for receipt in desk.receipts()] == [
        (sha(body(0)), "stored", None),
        (sha(poison), "quarantined", "schema.type"),
        (sha(body(2)), "stored", None),
    ]
    assert len(desk.source.acked) == 3
    assert desk.count("surprises") == 1


def test_a_message_that_cannot_be_judged_is_kept_as_bytes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for a defect of the judge."""

    def fails_for_one(raw: RawMessage, facts: Facts) -> Judged:
        if b'"seq": 1' in raw.payload:
            raise RecursionError
        return judge(raw, facts)

    monkeypatch.setattr(loop, "judge", fails_for_one)
    desk.source.arrive(*(sent(body(n)) for n in range(3)))
    desk.work()
    assert [receipt["verdict"] for receipt in desk.receipts()] == ["stored", "quarantined", "stored"]
    assert desk.count("surprises") == 1


def test_a_ledger_that_fails_while_poison_is_sought_loses_nothing(desk: Desk) -> None:
    """The search is taken up again when the ledger can write."""
    desk.ledger.poison = lambda item: isinstance(item, Judged) and item.key is not None and item.key.seq == 1
    desk.source.arrive(*(sent(body(n)) for n in range(3)))
    desk.consumer.step(0)
    desk.ledger.fault = FULL
    with pytest.raises(type(FULL)):
        desk.work()
    assert desk.events == []
    desk.ledger.fault = None
    desk.work()
    assert [receipt["verdict"] for receipt in desk.receipts()] == ["stored", "quarantined", "stored"]
    assert len(desk.source.acked) == 3


@pytest.fixture(name="shared", scope="module", params=IMPLEMENTATIONS)
def shared_desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One desk for all examples of a property."""
    folder: Path = tmp_path_factory.mktemp("ledger")
    with bench(request.param, folder) as made:
        made.register(DEVICE)
        yield Desk(made)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([STREAM, "a1b2c3d4", 2**53 - 1, 2**53, "2026-11-18T11:06:40Z", "mm[Hg]", [[0, 2**53 - 1]]]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["value", "unit", "epoch", "now", "echo"]) | st.text(), inner, max_size=3)
    ),
    max_leaves=8,
)
MEMBERS = st.dictionaries(
    st.sampled_from(
        [*body(), *HELLO, "clock", "context", "flags", "exam", "replaces", "lost", "state", "max_down_bytes"]
    ),
    JSON,
    max_size=3,
)
PAYLOADS = (
    st.binary(max_size=200)
    | MEMBERS.map(lambda more: encoded(body() | more))
    | MEMBERS.map(lambda more: encoded(HELLO | more))
    | MEMBERS.map(encoded)
)
MESSAGES = st.builds(
    RawMessage,
    st.sampled_from([DEVICE, "stranger", ""]),
    st.sampled_from(Channel),
    PAYLOADS,
    st.just(NOW),
    st.sampled_from([None, None, "hub-1"]),
    retained=st.booleans(),
    dup=st.booleans(),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages=st.lists(MESSAGES, max_size=12))
@example(messages=[sent(encoded(HELLO | {"next": 2**53 - 1, "oldest": 2**53 - 1}), Channel.HELLO)] * 2)
@example(messages=[sent(b"[" * 100_000), sent(b"9" * 5_000), sent(b'{"v":1e999999999}')])
def test_no_message_stops_the_loop(shared: Desk, messages: list[RawMessage]) -> None:
    """Any bytes on any channel are kept and acknowledged, and none of them takes the program by surprise."""
    acked, surprises = len(shared.source.acked), shared.count("surprises")
    shared.source.arrive(*messages)
    shared.work()
    assert len(shared.source.acked) - acked == len(messages)
    assert shared.count("surprises") == surprises


# ---------------------------------------------------------------- contents that come apart, hubs


def test_a_photograph_is_asked_for_part_by_part(desk: Desk) -> None:
    """`pending` with what is missing, `kept` for each part, `pending` without a gap, then `stored` from the rounds."""
    desk.bench.register(CAMERA)
    desk.source.arrive(photograph().raw)
    desk.work()
    desk.source.arrive(*(piece.raw for piece in parts()))
    desk.work()
    desk.source.arrive(photograph().raw)
    desk.work()
    desk.bench.look()
    rounds = Rounds(desk.source, desk.ledger, lambda: NOW)
    assert (rounds.tell(), rounds.tell()) == (1, 0)
    first, one, two, again, last = desk.receipts(CAMERA)
    name = photograph().sha.hex()[:16]
    assert (first["verdict"], first["missing"], first["sha"]) == ("pending", [[0, len(PHOTOGRAPH)]], name)
    assert one == {"sha": parts()[0].sha.hex()[:16], "verdict": "kept", "blob": parts()[0].sha256, "offset": 0}
    assert two["offset"] == 262_144
    assert (again["verdict"], again["missing"], again["repeat"]) == ("pending", [], True)
    assert last == {
        "stream": STREAM, "seq": 0, "sha": name, "reading": first["reading"], "verdict": "stored",
    }  # fmt: skip


def test_a_content_that_is_refused_is_told_with_its_reason(desk: Desk) -> None:
    """Reason, pointer and action, as in any quarantine."""
    desk.bench.register(CAMERA)
    desk.source.arrive(photograph().raw, parts()[0].raw, part(PHOTOGRAPH, 262_144, b"x" * 249_856))
    desk.work()
    desk.bench.look()
    Rounds(desk.source, desk.ledger, lambda: NOW).tell()
    told = desk.receipts(CAMERA)[-1]
    assert (told["verdict"], told["reason"], told["action"]) == ("quarantined", "blob.hash_mismatch", "fix")


def test_a_part_of_a_stranger_is_quarantined(desk: Desk) -> None:
    """Who is not registered keeps nothing here."""
    desk.source.arrive(parts()[0].raw)
    desk.work()
    (told,) = desk.receipts(CAMERA)
    assert (told["verdict"], told["reason"]) == ("quarantined", "device.unknown")


def test_a_hub_speaks_for_the_devices_it_serves(desk: Desk) -> None:
    """Readings, parts and hellos through it are the device's own; the hub hears the answers, with the device's name."""
    for each in ("hub-0001", CAMERA):
        desk.bench.register(each)
    desk.bench.serve("hub-0001", DEVICE)
    desk.bench.serve("hub-0001", CAMERA)
    through = [replace_hub(raw, "hub-0001") for raw in (sent(body(0)), photograph().raw, parts()[0].raw)]
    desk.source.arrive(sent(HELLO, Channel.HELLO, hub="hub-0001"), *through)
    desk.work()
    (welcome,) = [answer for answer in desk.answers("hub-0001") if "command" in answer]
    assert (welcome["command"], welcome["device"]) == ("welcome", DEVICE)
    told = desk.receipts("hub-0001")
    assert [(each["device"], each["verdict"]) for each in told] == [
        (DEVICE, "stored"), (CAMERA, "pending"), (CAMERA, "kept"),
    ]  # fmt: skip
    desk.source.arrive(sent(body(0)))
    desk.work()
    (own,) = desk.receipts()
    assert (own["verdict"], own["repeat"]) == ("stored", True)


def test_a_hub_that_is_not_let_serve_a_device_takes_nothing_of_its(desk: Desk) -> None:
    """Its message is set aside, and the device's own takes the key."""
    desk.bench.register("hub-0001")
    desk.source.arrive(sent(body(0), hub="hub-0001"), sent(body(0)))
    desk.work()
    assert [told["reason"] for told in desk.receipts("hub-0001")] == ["device.not_served"]
    assert [told["verdict"] for told in desk.receipts()] == ["stored"]


def replace_hub(raw: RawMessage, hub: str) -> RawMessage:
    """The same message through a hub."""
    return RawMessage(raw.device, raw.channel, raw.payload, raw.received_at, hub, place=raw.place)


def test_a_part_past_the_end_is_answered(desk: Desk) -> None:
    """Set aside in the ledger, and told so like any other message: by its hash."""
    desk.bench.register(CAMERA)
    desk.source.arrive(photograph().raw)
    desk.work()
    long = part(PHOTOGRAPH, 262_144, b"x" * 250_000)
    desk.source.arrive(long)
    desk.work()
    told = desk.receipts(CAMERA)[-1]
    assert (told["verdict"], told["reason"], told["action"]) == ("quarantined", "blob.part", "fix")
    assert told["sha"] == hashlib.sha256(long.payload).hexdigest()[:16]
