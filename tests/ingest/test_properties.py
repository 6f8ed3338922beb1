"""What holds for any bytes, and for any message that was right once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.topics import address_of
from ingest.judge import against, judge
from ingest.ledger.files import open_ledger
from ingest.model import Channel, ClockFacts, DeviceStatus, Facts, Judged, Key, Outcome, RawMessage
from ingest.wire import MAX_SEQ, key_of, read, same_content
from tests.gateway.adapters import Desk
from tests.ingest.messages import ECG, FACTS, MESSAGE, NOW, READING, STREAM, judged, payload
from tests.support.ledgers import register, relational

CASES = Path(__file__).parents[1] / "cases"
DEVICES = st.sampled_from(["bp7-0001", "", "x" * 63])
FACTS_ANY = st.builds(
    Facts,
    now=st.integers(0, 2**52),
    status=st.sampled_from(DeviceStatus),
    clocks=st.dictionaries(
        st.integers(0, 9),
        st.builds(ClockFacts, st.none() | st.booleans(), st.none() | st.integers(-(2**51), 2**51), st.just(1)),
        max_size=3,
    ),
    served=st.booleans(),
    disciplined=st.booleans(),
    oldest=st.integers(0, 2**50),
)
RAW = st.builds(
    RawMessage,
    device=DEVICES,
    channel=st.sampled_from(Channel),
    payload=st.binary(max_size=200),
    received_at=st.integers(0, 2**52),
    hub=st.none() | DEVICES,
    retained=st.booleans(),
    dup=st.booleans(),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([STREAM, "kPa", 2**53, -1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _holds(found: Judged, body: bytes) -> None:
    """A reading or one reason, never both, never neither; the sha is of the bytes, the key of the message."""
    verdict = found.verdict
    assert verdict.outcome in {Outcome.STORED, Outcome.QUARANTINED}
    assert (verdict.outcome is Outcome.STORED) == (verdict.reason is None) == (found.reading is not None)
    assert found.sha == hashlib.sha256(body).digest()
    assert verdict.pointer is None or len(verdict.pointer) < 400
    if found.reading is not None:
        assert found.reading.key == found.key


@given(RAW, FACTS_ANY)
def test_any_bytes_from_anywhere_are_judged(raw: RawMessage, facts: Facts) -> None:
    """Whatever arrives ends as a reading or with one reason."""
    _holds(judge(raw, facts), raw.payload)


LEVELS = st.sampled_from(
    ["constantes", "v1", "up", "down", "bp7-0001", "stranger", "hub-0001", "for", "hello", "reading", "state", "blob",
     "0" * 64, "0", "65536", "", "+", "#", "*", ">", "$SYS", "..", "%2f", "é", "\n"]
)  # fmt: skip
TOPICS = (
    st.lists(LEVELS, max_size=9).map(lambda levels: "/".join(levels).encode())
    | st.lists(LEVELS, max_size=5).map(lambda levels: "/".join(["constantes/v1/up/bp7-0001", *levels]).encode())
    | st.sampled_from([b"constantes/v1/up/bp7-0001/" + name for name in (b"reading", b"hello", b"state")])
    | st.binary(max_size=40)
)


@pytest.fixture(name="desk", scope="module")
def one_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A consumer over a real ledger for all examples."""
    with open_ledger(tmp_path_factory.mktemp("any") / "ledger.sqlite") as file:
        for device in ("bp7-0001", "hub-0001"):
            register(file, device)
        yield Desk(relational(file))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_bytes_on_any_topic_are_kept_and_answered_once(desk: Desk, data: st.DataObject) -> None:
    """Through the consumer too: measurements or one named rejection, one acknowledgement, and no surprise."""
    topic, retained, dup = data.draw(TOPICS), data.draw(st.booleans()), data.draw(st.booleans())
    body = data.draw(st.binary(max_size=200) | mutated())
    at = address_of(topic)
    raw = RawMessage(at.device, at.channel, body, NOW, at.hub, retained, dup, at.place)
    acked, items, told = len(desk.source.acked), len(desk.ledger.items), len(desk.source.sent)
    desk.source.arrive(raw)
    desk.work()
    assert [message.payload for message in desk.source.acked[acked:]] == [body]
    (item,) = desk.ledger.items[items:]
    if isinstance(item, Judged):
        assert (item.verdict.outcome is Outcome.QUARANTINED) == (item.verdict.reason is not None)
        assert (item.reading is None) == (item.verdict.reason is not None)
        answered = [json.loads(payload)["receipts"] for to, payload in desk.source.sent[told:] if to == raw.sender]
        assert [len(receipts) for receipts in answered] == ([1] if raw.sender else [])
    assert desk.count("surprises") == 0


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good message with some members replaced, removed, added, or nested anew."""
    message: dict[str, Any] = json.loads(json.dumps(draw(st.sampled_from([MESSAGE, ECG]))))
    for _ in range(draw(st.integers(1, 3))):
        here: Any = message
        while isinstance(here, dict) and here:
            name = draw(st.sampled_from(sorted(here)))
            what = draw(st.sampled_from(["in", "in", "put", "cut", "add"]))
            if what == "in" and isinstance(here[name], dict) and here[name]:
                here = here[name]
                continue
            if what == "cut":
                del here[name]
            else:
                here[name if what != "add" else draw(st.text(max_size=8))] = draw(JSON)
            break
    return json.dumps(message, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


@given(mutated(), FACTS_ANY)
def test_a_changed_message_is_judged(body: bytes, facts: Facts) -> None:
    """Any JSON in any place."""
    _holds(judge(RawMessage("bp7-0001", Channel.READING, body, NOW), facts), body)
    _holds(judged(body), body)


@given(st.data())
def test_a_message_with_a_damaged_byte_is_judged(data: st.DataObject) -> None:
    """One byte flipped, cut out, or put in."""
    body = bytearray(payload())
    at, byte = data.draw(st.integers(0, len(body) - 1)), data.draw(st.integers(0, 255))
    body[at : at + data.draw(st.integers(0, 2))] = [byte] * data.draw(st.integers(0, 2))
    _holds(judged(bytes(body)), bytes(body))


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8).filter(lambda name: name not in {*MESSAGE, "replaces"}), JSON, max_size=4
    ),
    st.data(),
)
def test_unknown_names_change_nothing(names: dict[str, Any], data: st.DataObject) -> None:
    """At the top level they are ignored in the reading and in comparing two messages."""
    members = list({**MESSAGE, **names}.items())
    shuffled = dict(data.draw(st.permutations(members)))
    body = json.dumps(shuffled, ensure_ascii=True).encode()
    found = judged(body)
    if found.reading is not None:
        assert found.reading == judged(payload()).reading
    assert found.verdict.reason is None or b"NaN" in body or b"Infinity" in body or b"\\ud" in body
    if found.key is not None and not {"recording", "image", "part"} & set(names):
        assert same_content(body, payload())
        assert against(found, payload()) is None


@given(st.text(alphabet="0123456789abcdef", min_size=32, max_size=32), st.integers(0, MAX_SEQ))
def test_the_same_key_has_the_same_id_in_every_message(stream: str, seq: int) -> None:
    """Stream and seq are read back as sent, and the id is the hash of the three."""
    expected = hashlib.sha256(f"constantes/v1|bp7-0001|{stream}|{seq}".encode()).hexdigest()[:32]
    for body in (payload(stream=stream, seq=seq), payload(v=2, stream=stream, seq=seq, kind=None)):
        assert key_of(read(body)) == (stream, seq)
        key = judged(body).key
        assert key is not None
        assert key.reading == expected


# From the golden examples: device, stream, seq, reading id.
GOLDEN = [
    ("bp7-0001", STREAM, 1234, READING),
    ("bp7-0001", STREAM, 1235, "d1ba92e6c067defdb21422d630095eb3"),
    ("ecg-cart-0001", "50ad8ff3378b2438bebe5a9dc70ee4f6", 17, "11835192bfef243b6a6dbdc566e658d2"),
    ("therm-0001", "c4b5797b844c91afcc9fe5c9f79655e1", 41, "6a657cfb34243f466dc06898266db164"),
    ("belt-no-eui", "59de0f5ed1569ee6eede721a16d2e441", 5, "ea0d86413042477dfec64d539265c5ff"),
]


@pytest.mark.parametrize(("device", "stream", "seq", "reading"), GOLDEN)
def test_ids_are_those_of_the_published_examples(device: str, stream: str, seq: int, reading: str) -> None:
    """They name the reading everywhere, so they never change."""
    assert Key(device, stream, seq).reading == reading


@pytest.mark.parametrize(
    "path", sorted(CASES.glob("*/*/message.json")), ids=lambda path: f"{path.parts[-3]}-{path.parts[-2]}"
)
def test_no_prefix_of_a_case_is_a_reading(path: Path) -> None:
    """A message cut at any byte is set aside."""
    body = path.read_bytes().rstrip()
    step = max(1, len(body) // 200)
    assert all(judged(body[:cut], FACTS).reading is None for cut in range(0, len(body), step))
