"""Each misbehaviour does what its row says, as often as asked, the same again for a seed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from ingest.judge import judge
from ingest.model import Channel, DeviceStatus, Facts, Outcome, RawMessage
from simulators.devices.clock import text
from simulators.devices.kinds import KINDS
from simulators.devices.messages import encode
from simulators.faults import (
    CLOCK,
    CONTENT,
    LARGE,
    LINE,
    NAMES,
    PARTS,
    STOP,
    Misbehaviour,
    UnknownFaultError,
    parse,
    possible,
)

NOW = datetime.fromisoformat("2026-11-21T08:30:00+04:00")
INSTANT = int(NOW.timestamp() * 1_000_000)


def reading(kind: str) -> dict[str, Any]:
    """A good reading."""
    measured = KINDS[kind].build(0).measure(NOW)
    return {"v": 1, "stream": "ab" * 16, "seq": 5, "kind": kind, "taken_at": text(NOW), **measured}


def misbehaving(*faults: str, seed: int = 0) -> Misbehaviour:
    """A device with these faults."""
    return Misbehaviour(tuple(map(parse, faults)), seed)


VALUE_FAULTS = ("wrong_unit", "no_unit", "impossible", "not_finite")


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in CONTENT for kind in KINDS if name not in VALUE_FAULTS or kind != "retinography"],
)
def test_a_content_fault_ends_in_its_reason(name: str, kind: str) -> None:
    """The gateway's judge quarantines the reading with the very reason in the table."""
    if name not in possible(reading(kind)):
        assert misbehaving(name).made(reading(kind)).keys() == reading(kind).keys()
        return
    payload = encode(misbehaving(name).made(reading(kind)))
    raw = RawMessage("bp-0001", Channel.READING, payload, INSTANT)
    verdict = judge(raw, Facts(INSTANT, DeviceStatus.ACTIVE)).verdict
    assert (verdict.outcome, verdict.reason) == (Outcome.QUARANTINED, CONTENT[name].reason)


@pytest.mark.parametrize("name", VALUE_FAULTS)
def test_a_picture_has_no_values_to_get_wrong(name: str) -> None:
    """A fault of a value leaves a picture as it is."""
    assert misbehaving(name).made(reading("retinography")) == reading("retinography")


def test_without_faults_nothing_changes() -> None:
    """Members and bytes pass as they are, and the clock is right."""
    good = misbehaving()
    assert good.made(reading("blood_pressure")) == reading("blood_pressure")
    assert good.sent(b"x").payloads == (b"x",)
    assert (good.clock_late(), good.left(), good.fired) == (None, (), {})


def test_line_faults() -> None:
    """drop, repeat, corrupt, conflict, retained, cut: what goes out for one publish."""
    payload = encode(reading("blood_pressure"))
    assert misbehaving("drop").sent(payload).payloads == ()
    assert misbehaving("repeat").sent(payload).payloads == (payload, payload)
    (corrupt,) = misbehaving("corrupt_bytes").sent(payload).payloads
    assert sum(a != b for a, b in zip(corrupt, payload, strict=True)) == 1
    with pytest.raises(UnicodeDecodeError):
        corrupt.decode()
    same, other = misbehaving("conflict").sent(payload).payloads
    assert same == payload
    assert json.loads(other)["seq"] == json.loads(payload)["seq"]
    assert json.loads(other)["values"] != json.loads(payload)["values"]
    assert misbehaving("retained").sent(payload).retain
    cut = misbehaving("cut_network").sent(payload)
    assert (cut.payloads, cut.torn) == ((), payload)


def test_reordered_messages_change_places_and_none_is_lost() -> None:
    """What was held back follows the next one, or goes out when nothing follows."""
    line = misbehaving("reorder:0.4", seed=2)
    sent = [payload for n in range(100) for payload in line.sent(b"%d" % n).payloads] + list(line.left())
    assert sent != sorted(sent, key=int)
    assert sorted(sent, key=int) == [b"%d" % n for n in range(100)]


def test_probability_and_seed() -> None:
    """About as often as asked; one seed repeats, another does not."""
    runs = []
    for seed in (1, 1, 2):
        line = misbehaving("drop:0.25", seed=seed)
        runs.append([line.sent(b"x").payloads for _ in range(1000)])
        assert 200 < line.fired["drop"] < 300
    assert runs[0] == runs[1] != runs[2]


def test_a_skewed_clock_is_late_by_hours() -> None:
    """1 to 12 hours, drawn from the seed."""
    drawn = {misbehaving("skewed_clock", seed=seed).clock_late() for seed in range(20)}
    hours = [late.total_seconds() / 3600 for late in drawn if late]
    assert len(hours) == 20
    assert 1 <= min(hours) < max(hours) <= 12


def test_every_fault_is_named_once() -> None:
    """The tables make up the list that people choose from."""
    assert len(NAMES) == len(CONTENT) + len(LINE) + len(LARGE) + len(PARTS) + 2
    assert {CLOCK, STOP} < set(NAMES)


@pytest.mark.parametrize("written", ["explode", "drop:2", "drop:x", "drop:-1", "drop:nan", ""])
def test_what_cannot_be_read_is_refused_in_words(written: str) -> None:
    """An unknown name lists the known ones; a wrong number says the form."""
    with pytest.raises(UnknownFaultError, match=r"Possible are|PROBABILITY"):
        parse(written)
