"""The catalogue of bad input: each row, through the real consumer into a real ledger, ends as it says.

A row is ``bad/<id>.json`` (see ``bad/recipes.py``). After each of its messages comes a good one of another device.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gateway.rounds import Rounds
from gateway.topics import parse
from ingest.clock import utc_text
from ingest.inspection.inspector import Inspector
from ingest.judge import PART_MOST
from ingest.ledger.balance import balance
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.model import Channel, RawMessage
from ingest.reasons import REGISTRY, Reason
from ingest.sandbox import Sandbox
from registry import devices
from tests.cases.bad import recipes
from tests.cases.bad.recipes import Scene, Variant
from tests.gateway.adapters import Desk
from tests.ingest.messages import NOW
from tests.support.ledgers import register, relational

ROOT = Path(__file__).parents[2]
ROWS = recipes.rows()
VARIANTS = [variant for row in ROWS for variant in row.variants]
FAMILIES = {"J": 30, "T": 15, "S": 10, "Z": 11, "V": 13, "P": 6, "I": 8}
"""Rows of each family of the catalogue; family C is what the contract has beside them."""
RETIRED = {"J22", "J27", "J28", "V8", "V9", "P1", "T1", "S7"}
EXCUSED = {"T2", "T14", "P4", "P5", "P6"}
MEMORY = 10_000_000
"""Bytes that one bad message may take beside its own (the catalogue's default)."""
NEXT = "next-0001"
_KEPT_OF_TOO_LARGE, _MOST = 65_536, 1_000_000  # contract, section 3; what the quarantine keeps of a longer message
_ROW = (
    'SELECT payload, size, sha, outcome, reason, pointer, "first" FROM journal WHERE device = :device ORDER BY position'
)
_READING = "SELECT position, taken_at, used_at, mark, flags FROM reading WHERE device = :device ORDER BY position"
_MEASURED = "SELECT metric, value, unusual FROM measurement WHERE position = :position ORDER BY ordinal"
_GAPS = 'SELECT "first", last FROM gap WHERE device = :device AND closed_at IS NULL ORDER BY "first"'


@dataclass
class Place:
    """One installation for all rows; each variant has devices and streams of its own."""

    file: OpenLedger
    desk: Desk
    inspector: Inspector
    rounds: Rounds
    good: int = 0
    """Numbers used by the device that sends the good messages."""
    asked: set[str] = field(default_factory=set)

    def scene(self, variant: Variant) -> Scene:
        """Devices for a variant, registered as their roles want it."""
        name = f"{variant.row.lower()}-{hashlib.sha256(variant.name.encode()).hexdigest()[:8]}"
        names = {role: f"{name}-{role}" for role in ("device", "second", "stranger", "revoked", "hub")}
        for role in ("device", "second", "revoked", "hub"):
            register(self.file, names[role])
        self.file.writer.write(lambda connection: devices.revoke(connection, names["revoked"], NOW))
        return Scene(NOW, hashlib.sha256(name.encode()).hexdigest()[:32], names)

    def rows(self, query: str, **where: object) -> Sequence[Any]:
        """What the ledger holds."""
        with self.file.readers.connect() as connection:
            return connection.execute(text(query), where).all()


@pytest.fixture(name="place", scope="module")
def one_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A ledger, a consumer, and the limited child that looks into files."""
    with open_ledger(tmp_path_factory.mktemp("bad") / "ledger.sqlite") as file, Sandbox() as sandbox:
        desk = Desk(relational(file))
        desk.now = NOW
        register(file, NEXT)
        inspector = Inspector(file, sandbox, lambda: NOW)
        yield Place(file, desk, inspector, Rounds(desk.source, desk.ledger, lambda: NOW))


# ---------------------------------------------------------------- each row


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: f"{variant.row}-{variant.name}")
def test_each_bad_input_has_its_outcome(place: Place, variant: Variant) -> None:
    """Outcome, reason, pointer and receipt are those of the row; the next message is stored; memory is bounded."""
    scene = place.scene(variant)
    for message in variant.messages:
        if "content" in message:
            _content(place, message, scene)
            continue
        raws = [_raw(message, scene, payload) for payload in recipes.payloads(message, scene)]
        _messages(place, raws, message["expect"], variant.told.get("memory", MEMORY))
    if "gaps" in variant.told:
        found = place.rows(_GAPS, device=scene.names["device"])
        assert [list(gap) for gap in found] == variant.told["gaps"]


def _messages(place: Place, raws: Sequence[RawMessage], expected: Mapping[str, Any], memory: int) -> None:
    """Messages with one expectation; most often there is one message."""
    sender = raws[0].sender
    before, acked, counted = len(place.desk.receipts(sender)), len(place.desk.source.acked), _counted(place)
    extra = _sent(place, *raws)
    assert place.desk.receipts(sender)[before:] == [_receipt(raw, expected) for raw in raws if _is_told(expected)]
    assert len(place.desk.source.acked) - acked == 2 * len(raws), "each, and the good one behind it"
    assert place.desk.count("surprises") == 0
    assert extra < memory + sum(len(raw.payload) for raw in raws)
    if expected.get("verdict") != "none":
        rows = place.rows(_ROW, device=raws[0].device)[-len(raws) :]
        for raw, row in zip(raws, rows, strict=True):
            _kept(raw, row, expected)
    if expected.get("verdict") == "stored":
        _reading(place, raws[0], expected)
    after = _counted(place)
    assert after.pop("balanced")
    assert {name: count - counted[name] for name, count in after.items()} == _difference(raws, expected)


def _raw(message: Mapping[str, Any], scene: Scene, payload: bytes) -> RawMessage:
    at = parse(recipes.topic(message, scene))
    marks = {name: bool(message.get(name)) for name in ("retained", "dup")}
    return RawMessage(at.device, at.channel, payload, NOW, at.hub, place=at.place, **marks)


def _sent(place: Place, *raws: RawMessage) -> int:
    """Have messages, and a good one behind each, worked on; the memory that this took at its most, in bytes."""
    for raw in raws:
        good = recipes.written({"reading": "heart_rate", "with": {"/seq": place.good}}, Scene(NOW, "0" * 32, {}))
        place.good += 1
        place.desk.source.arrive(raw, RawMessage(NEXT, Channel.READING, good, NOW))
    tracemalloc.start()
    try:
        place.desk.work()
        extra = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    told = [(each["seq"], each["verdict"], "repeat" in each) for each in place.desk.receipts(NEXT)[-len(raws) :]]
    assert told == [(seq, "stored", False) for seq in range(place.good - len(raws), place.good)]
    return extra


def _is_told(expected: Mapping[str, Any]) -> bool:
    """Whether somebody is answered: not where the topic names nobody, nor for a state or hello that was taken."""
    return bool(expected.get("receipt", True)) and expected.get("verdict") != "none"


def _receipt(raw: RawMessage, expected: Mapping[str, Any]) -> dict[str, Any]:
    """The receipt as the contract's section 8 has it."""
    reason = Reason(expected["reason"]) if "reason" in expected else None
    told: dict[str, Any] = {"device": raw.device} if raw.hub else {}
    key = _key(raw, reason) if expected.get("key", True) else None
    if key is not None:
        told |= {"stream": key[0], "seq": key[1]}
    told["sha"] = hashlib.sha256(raw.payload).hexdigest()[:16]
    if key is not None and reason is not Reason.DEVICE_NOT_SERVED:  # who may not speak takes no number
        words = f"constantes/v1|{raw.device}|{key[0]}|{key[1]}"
        told["reading"] = hashlib.sha256(words.encode()).hexdigest()[:32]
    told["verdict"] = expected.get("verdict", "quarantined")
    if reason is not None:
        told["reason"] = reason.value
        told |= {"pointer": expected["pointer"]} if "pointer" in expected else {}
        told["action"] = REGISTRY[reason].action.value
    return told | ({"repeat": True} if expected.get("repeat") else {})


def _key(raw: RawMessage, reason: Reason | None) -> tuple[str, int] | None:
    """(stream, seq) by another JSON reader than ours, where the message could be read at all."""
    if raw.channel is not Channel.READING or (reason is not None and reason.startswith("json.")):
        return None
    try:
        told = json.loads(raw.payload)
    except ValueError:
        return None
    if not isinstance(told, dict):
        return None
    stream, seq = told.get("stream"), told.get("seq")
    if not isinstance(stream, str) or not re.fullmatch("[0-9a-f]{32}", stream) or isinstance(seq, bool):
        return None
    return (stream, seq) if isinstance(seq, int) and 0 <= seq < 2**53 else None


def _kept(raw: RawMessage, row: Any, expected: Mapping[str, Any]) -> None:  # noqa: ANN401 - a row of the journal
    """The bytes are in the ledger under their verdict; a second copy of them is the first one's."""
    assert (row.size, row.sha) == (len(raw.payload), hashlib.sha256(raw.payload).digest())
    if row.first is None:
        assert row.payload == (raw.payload if row.size <= _MOST else raw.payload[:_KEPT_OF_TOO_LARGE])
    if "reason" in expected and not expected.get("repeat"):
        assert (row.outcome, row.reason, row.pointer) == ("quarantined", expected["reason"], expected.get("pointer"))


def _reading(place: Place, raw: RawMessage, expected: Mapping[str, Any]) -> None:
    row = place.rows(_READING, device=raw.device)[-1]
    measured = place.rows(_MEASURED, position=row.position)
    found: dict[str, Any] = {
        "taken_at": row.taken_at,
        "used": utc_text(row.used_at),
        "mark": row.mark,
        "flags": json.loads(row.flags) if row.flags else [],
        "values": {each.metric: each.value for each in measured},
        "unusual": [each.metric for each in measured if each.unusual],
    }
    for name in found.keys() & expected.keys():
        part = found[name]
        wanted = expected[name]
        assert (part | wanted if isinstance(wanted, dict) else part) == (part if isinstance(wanted, dict) else wanted)


def _counted(place: Place) -> dict[str, Any]:
    with place.file.readers.connect() as connection:
        found = balance(connection)
    names = ("received", "stored", "duplicate", "quarantined", "pending")
    return {name: getattr(found, name) for name in names} | {"balanced": found.balanced}


def _difference(raws: Sequence[RawMessage], expected: Mapping[str, Any]) -> dict[str, int]:
    """What messages and the good ones behind them add to the balance."""
    added = dict.fromkeys(("received", "stored", "duplicate", "quarantined", "pending"), 0)
    state = "duplicate" if expected.get("repeat") else str(expected.get("verdict", "quarantined"))
    for each in ["stored"] * len(raws) + [state for raw in raws if raw.channel is Channel.READING]:
        added["received"] += 1
        added[each] += 1
    return added


def _content(place: Place, message: Mapping[str, Any], scene: Scene) -> None:
    """A reading whose file comes apart: announced, sent part by part, looked at, and told."""
    whole = recipes.written(message["content"], scene)
    sent = recipes.written(message["sends"], scene) if "sends" in message else whole
    sha = hashlib.sha256(whole).hexdigest()
    blob = {"sha256": sha, "bytes": len(whole), "content_type": message["content_type"]}
    at = "/recording" if message["kind"] == "ecg" else "/image/blob"
    put = {at: {"blob": blob} if message["kind"] == "ecg" else blob}
    payload = recipes.written({"reading": message["kind"], "with": put}, scene)
    device = scene.names["device"]
    _sent(place, RawMessage(device, Channel.READING, payload, NOW))
    told = place.desk.receipts(device)
    if told[-1]["verdict"] == "pending":
        for start in range(0, len(sent), PART_MOST):
            part = sent[start : start + PART_MOST]
            extra = _sent(place, RawMessage(device, Channel.BLOB, part, NOW, place=(sha, start)))
            assert extra < MEMORY + len(part)
        while place.inspector.step():
            pass
        place.rounds.tell()
        told = place.desk.receipts(device)
    assert told[-1] == _receipt(RawMessage(device, Channel.READING, payload, NOW), message["expect"])
    assert _counted(place)["balanced"]


# ---------------------------------------------------------------- the table


def test_no_row_of_the_catalogue_is_missing() -> None:
    """Each of the 93 rows is run here, shown elsewhere, retired or excused; and no other is."""
    expected = {f"{family}{number}" for family, count in FAMILIES.items() for number in range(1, count + 1)}
    found = [row.id for row in ROWS if row.id[0] != "C"]
    assert sorted(found) == sorted(expected)
    assert {row.id for row in ROWS if row.retired} == RETIRED
    assert {row.id for row in ROWS if row.excused} == EXCUSED
    for row in ROWS:
        assert row.variants or row.elsewhere or row.retired or row.excused, row.id
        assert not (row.variants and (row.retired or row.excused)), row.id
        names = [variant.name for variant in row.variants]
        assert len(names) == len(set(names)), row.id


@pytest.mark.parametrize("named", sorted({named for row in ROWS for named in row.elsewhere}))
def test_what_is_shown_elsewhere_is_there(named: str) -> None:
    """The file has a test of that name."""
    path, _, name = named.partition("::")
    tree = ast.parse(ROOT.joinpath(path).read_text("utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
