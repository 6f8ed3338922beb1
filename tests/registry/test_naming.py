"""A message is traced by any name that people have: its number on the device, and the hash in a receipt."""

from __future__ import annotations

import hashlib
import json

import pytest

from ingest.ledger.files import OpenLedger
from ingest.ledger.relational import RelationalLedger
from ingest.model import Key
from registry import naming
from registry.faults import Conflict, Unfit, Unknown
from registry.trace import Trace, trace
from tests.support.ledgers import NOW, STREAM, body, judged, reading, register

OTHER = "ab" * 16
STORED, CONFLICT, KEYLESS = json.dumps(body(0)).encode(), json.dumps(body(0, 129)).encode(), b"{"


@pytest.fixture
def kept(file: OpenLedger) -> OpenLedger:
    """A reading and its repeat, another content under its number, something unreadable, one of another stream."""
    register(file, "bp-0001")
    items = [judged(STORED), judged(CONFLICT), judged(KEYLESS), reading(7), reading(7, stream=OTHER), judged(STORED)]
    RelationalLedger(file).commit(items, NOW).result()
    return file


def traced(file: OpenLedger, text: str, device: str | None = None) -> Trace:
    """The trace of what ``text`` names."""
    with file.readers.connect() as connection:
        return trace(connection, text, device)


def sha(payload: bytes, digits: int = 64) -> str:
    """As in a receipt, or whole."""
    return hashlib.sha256(payload).hexdigest()[:digits]


def test_a_number_names_a_reading_where_one_stream_has_it(kept: OpenLedger) -> None:
    """The stream is left out, as on a device's screen."""
    found = traced(kept, "bp-0001:0")
    assert (found.reading, found.stream, found.seq) == (Key("bp-0001", STREAM, 0).reading, STREAM, 0)


def test_a_number_that_two_streams_have_says_which(kept: OpenLedger) -> None:
    """With the names that can be given instead."""
    with pytest.raises(Conflict, match="2 streams") as refused:
        traced(kept, "bp-0001:7")
    for stream in (STREAM, OTHER):
        assert f"bp-0001:{stream}:7" in str(refused.value)
        assert traced(kept, f"bp-0001:{stream}:7").stream == stream


@pytest.mark.parametrize("digits", [16, 64])
@pytest.mark.parametrize("device", [None, "bp-0001"])
def test_a_hash_names_a_message(kept: OpenLedger, digits: int, device: str | None) -> None:
    """Whole or as in receipts, with or without its device; that it came again is told too, where all is looked at."""
    found = traced(kept, sha(STORED, digits), device)
    assert (found.reading, found.kind) == (Key("bp-0001", STREAM, 0).reading, "blood_pressure")
    again = [stage.outcome for stage in found.stages if stage.stage == "received"]
    assert again == (["received", "duplicate"] if device is None else ["received"])


@pytest.mark.parametrize("device", [None, "bp-0001"])
def test_a_message_without_a_key_is_traced_by_its_hash(kept: OpenLedger, device: str | None) -> None:
    """It has no reading, no stream and no number; why it was set aside stands there."""
    found = traced(kept, sha(KEYLESS, 16), device)
    assert (found.reading, found.device, found.stream, found.seq, found.kind) == (None, "bp-0001", None, None, None)
    assert ("judged", "quarantined", "json.malformed") in [(s.stage, s.outcome, s.reason) for s in found.stages]


def test_a_number_that_another_has_gives_no_reading(kept: OpenLedger) -> None:
    """The reading id of a conflict is that of the reading it is in conflict with."""
    found = traced(kept, sha(CONFLICT))
    assert (found.reading, found.stream, found.seq) == (None, STREAM, 0)
    assert ("judged", "quarantined", "key.conflict") in [
        (s.stage, s.outcome, (s.reason or "").split(" ")[0]) for s in found.stages
    ]


@pytest.mark.parametrize(
    ("text", "device"), [("0" * 16, None), ("f" * 64, None), ("bp-0001:5", None), ("bp-0009:0", None)]
)
def test_what_never_came_is_unknown(kept: OpenLedger, text: str, device: str | None) -> None:
    """By number or hash."""
    with pytest.raises(Unknown):
        traced(kept, text, device)


def test_a_hash_is_looked_for_within_its_device(kept: OpenLedger) -> None:
    """The same bytes of another device are another message."""
    with pytest.raises(Unknown):
        traced(kept, sha(STORED), "bp-0002")


def test_only_so_many_messages_are_looked_through(kept: OpenLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stride by stride from the newest; an older one is found by its device."""
    monkeypatch.setattr(naming, "_STRIDE", 2)
    seven = next(item.raw.payload for item in [reading(7)])
    assert traced(kept, sha(seven)).seq == 7
    monkeypatch.setattr(naming, "SCANNED", 2)
    with pytest.raises(Unknown, match="newest 2 messages"):
        traced(kept, sha(seven))
    assert traced(kept, sha(seven), "bp-0001").seq == 7


@pytest.mark.parametrize("text", ["bp-0001:", "bp-0001:01", "a" * 15, "a" * 17, "A" * 16, "a" * 63])
def test_half_a_name_is_unfit(kept: OpenLedger, text: str) -> None:
    """Nothing is looked for."""
    with pytest.raises(Unfit):
        traced(kept, text)
