"""Receipts as the contract's section 8 has them, and how they are packed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from gateway import receipts
from ingest.ledger.port import Confirmation, Kept, PieceKept
from ingest.model import Channel, Judged, Key, Outcome, RawMessage, Verdict
from ingest.reasons import REGISTRY, Reason
from tests.support.contents import parts, photograph
from tests.support.ledgers import NOW, STREAM, reading

ITEM = reading(1234)
SHA = hashlib.sha256(ITEM.raw.payload).hexdigest()[:16]
STORED = Kept(Outcome.STORED, reading="9b1d" * 8)


def told(judged: Judged, kept: Kept) -> dict[str, Any]:
    """A receipt, read again."""
    found: dict[str, Any] = json.loads(receipts.receipt(judged, kept))
    return found


def by_hub(judged: Judged) -> Judged:
    """The same message as a hub would have sent it."""
    return replace(judged, raw=replace(judged.raw, hub="hub-1"))


def test_a_stored_reading_is_told_as_in_the_contract() -> None:
    """A receipt names stream, seq, the hash of the bytes, the reading and the verdict; nothing else."""
    assert told(ITEM, STORED) == {
        "stream": STREAM,
        "seq": 1234,
        "sha": SHA,
        "reading": "9b1d" * 8,
        "verdict": "stored",
    }


def test_a_quarantine_is_told_with_reason_pointer_and_action() -> None:
    """The device learns what was wrong, where, and who has to act."""
    kept = Kept(Outcome.QUARANTINED, Reason.UNIT_NOT_ALLOWED, "/values/systolic/unit", reading="0c11" * 8)
    found = told(ITEM, kept)
    assert (found["verdict"], found["reason"]) == ("quarantined", "unit.not_allowed")
    assert (found["pointer"], found["action"]) == ("/values/systolic/unit", "fix")
    assert "repeat" not in found


def test_every_reason_is_told_with_its_action() -> None:
    """The action is the registry's."""
    for reason, entry in REGISTRY.items():
        assert told(ITEM, Kept(Outcome.QUARANTINED, reason))["action"] == entry.action


def test_a_message_without_a_key_is_told_by_its_hash_alone() -> None:
    """What could not be read has no stream, seq or reading."""
    raw = RawMessage("bp-0001", Channel.HELLO, b"{", NOW)
    judged = Judged(raw, hashlib.sha256(b"{").digest(), Verdict(Outcome.QUARANTINED, Reason.JSON_MALFORMED))
    assert told(judged, Kept(Outcome.QUARANTINED, Reason.JSON_MALFORMED)) == {
        "sha": hashlib.sha256(b"{").hexdigest()[:16],
        "verdict": "quarantined",
        "reason": "json.malformed",
        "action": "fix",
    }


def test_a_repeat_says_so() -> None:
    """``repeat`` is true for a repeat and absent otherwise."""
    assert told(ITEM, replace(STORED, repeat=True))["repeat"] is True
    assert "repeat" not in told(ITEM, STORED)


def test_a_hub_is_told_which_device_is_meant() -> None:
    """Only a receipt to a hub names the device."""
    assert told(by_hub(ITEM), STORED)["device"] == "bp-0001"
    assert "device" not in told(ITEM, STORED)


def test_a_confirmed_repeat_is_told_in_record_again() -> None:
    """After a repeat of a reading that the record has, and after nothing else."""
    again = replace(STORED, repeat=True, confirmed=True)
    text = receipts.confirmed_again(ITEM, again)
    assert text is not None
    assert json.loads(text) == {
        "stream": STREAM,
        "seq": 1234,
        "sha": SHA,
        "reading": "9b1d" * 8,
        "verdict": "in_record",
    }
    hubs = receipts.confirmed_again(by_hub(ITEM), again)
    assert hubs is not None
    assert json.loads(hubs)["device"] == "bp-0001"
    assert receipts.confirmed_again(ITEM, replace(again, confirmed=False)) is None
    assert receipts.confirmed_again(ITEM, replace(again, repeat=False)) is None
    assert receipts.confirmed_again(ITEM, replace(again, outcome=Outcome.QUARANTINED)) is None


def test_a_confirmation_names_the_device_to_a_hub_only() -> None:
    """``in_record`` goes out like any receipt."""
    confirmation = Confirmation(1, "bp-0001", None, STREAM, 7, ITEM.sha, "9b1d" * 8)
    assert "device" not in json.loads(receipts.confirmed(confirmation))
    assert json.loads(receipts.confirmed(replace(confirmation, hub="hub-1")))["device"] == "bp-0001"


TEXTS = st.lists(st.integers(2, 400).map(lambda size: json.dumps("x" * (size - 2))), max_size=40)


@given(TEXTS, st.integers(64, 1500))
def test_packing_keeps_the_limit_and_every_receipt_in_order(texts: list[str], most: int) -> None:
    """No message is longer than allowed unless one receipt is; none is lost, none is empty, none could be spared."""
    packed = list(receipts.messages("3fa9c1d2", texts, most))
    read = [json.loads(payload) for payload in packed]
    assert [text for message in read for text in message["receipts"]] == [json.loads(text) for text in texts]
    assert all((message["v"], message["ledger"]) == (1, "3fa9c1d2") for message in read)
    for payload, message in zip(packed, read, strict=True):
        assert len(payload) <= most or len(message["receipts"]) == 1
    for payload, after in zip(packed, read[1:], strict=False):
        assert len(payload) + 1 + len(json.dumps(after["receipts"][0])) > most


def test_a_receipt_that_is_too_long_by_itself_goes_alone() -> None:
    """It is sent all the same: a device that never hears of a reading keeps it for ever."""
    long = json.dumps("x" * 300)
    counts = [len(json.loads(m)["receipts"]) for m in receipts.messages("3fa9c1d2", ['"a"', long, '"b"', '"c"'], 256)]
    assert counts == [1, 1, 2]


def test_nothing_to_tell_is_no_message() -> None:
    """An empty list makes no payload."""
    assert list(receipts.messages("3fa9c1d2", [])) == []


POINTERS = st.lists(st.from_regex(r"\A[A-Za-z0-9_.-]{1,64}\Z"), max_size=200).map(lambda parts: "/" + "/".join(parts))


@given(st.sampled_from(sorted(REGISTRY)), POINTERS, st.booleans())
@example(Reason.NUMBER_OUT_OF_RANGE, "/" + "/".join(["n" * 64] * 200), True)  # noqa: FBT003 - as drawn
def test_any_receipt_fits_into_the_smallest_message(reason: Reason, pointer: str, repeat: bool) -> None:  # noqa: FBT001 - drawn
    """However deep the fault lies, the receipt fits into the 1,024 bytes of a device that named no other length."""
    key = Key("d" * 63, STREAM, 2**53 - 1)
    raw = RawMessage("d" * 63, Channel.READING, b"", NOW, hub="h" * 63)
    judged = Judged(raw, bytes(32), Verdict(Outcome.QUARANTINED, reason, pointer), key)
    text = receipts.receipt(judged, Kept(Outcome.QUARANTINED, reason, pointer, repeat, key.reading))
    (payload,) = receipts.messages("3fa9c1d2", [text])
    assert len(payload) <= receipts.MOST_BYTES
    named = json.loads(text)["pointer"]
    assert pointer == named or pointer.startswith(named + "/")


def test_a_part_is_answered_by_its_hash_and_place() -> None:
    """Kept, or refused with a reason and a time: never with a stream and seq (contract, section 8)."""
    piece = parts()[1]
    told = {"sha": piece.sha.hex()[:16], "verdict": "kept", "blob": piece.sha256, "offset": 262_144}
    assert json.loads(receipts.part(piece, PieceKept())) == told
    refused = json.loads(receipts.part(piece, PieceKept(refused=True)))
    assert refused == told | {"verdict": "refused", "reason": Reason.BLOB_QUOTA, "retry_after_s": 60}


def test_ranges_that_do_not_fit_are_told_another_time() -> None:
    """However many holes a blob has, its receipt fits into the shortest message."""
    item = photograph()
    holes = tuple((at * 65_536, at * 65_536 + 1) for at in range(8000))
    text = receipts.receipt(item, Kept(Outcome.PENDING, reading="0" * 32, missing=holes))
    assert json.loads(text)["missing"][0] == [0, 1]
    assert len(next(iter(receipts.messages("3fa9c1d2", [text])))) <= receipts.MOST_BYTES
