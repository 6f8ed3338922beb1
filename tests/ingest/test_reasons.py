"""One smallest message for each reason."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.judge import against, judge, judge_part
from ingest.model import Channel, DeviceStatus, Judged, RawMessage
from ingest.reasons import REGISTRY, Action, Reason, Rejected, first
from tests.ingest.messages import (
    ABSENT,
    DEVICE,
    ECG,
    FACTS,
    MESSAGE,
    NOW,
    RECORDING,
    ecg,
    judged,
    laid,
    payload,
    samples,
)
from tests.support.contents import PHOTOGRAPH, part, photograph


def _spelled(number: str) -> bytes:
    """The message with this spelling as its systolic value."""
    return json.dumps(laid(MESSAGE, values__systolic__value=4242)).replace("4242", number).encode()


def _part(payload: bytes) -> Judged:
    found = judge_part(part(PHOTOGRAPH, 0, payload), FACTS)
    assert isinstance(found, Judged)
    return found


def _recording(**changes: object) -> bytes:
    blob = {"sha256": "0" * 64, "bytes": 290078, "content_type": "application/dicom", **changes}
    return ecg(recording={"blob": blob})


RAISED_LATER = {
    Reason.BLOB_QUOTA: "tests/gateway/test_receipts.py",
    Reason.BLOB_HASH_MISMATCH: "tests/inspection/test_blobs_whole_way.py",
    Reason.IMAGE_LATERALITY_CONFLICT: "tests/inspection/test_blobs_whole_way.py",
    Reason.BLOB_UNDECODABLE: "tests/content/test_ecg_hostile.py",
    Reason.IMAGE_UNDECODABLE: "tests/content/test_image_files.py",
    Reason.IMAGE_TOO_LARGE: "tests/content/test_image_files.py",
}
"""What only the second judgement finds, once a content has come, and the tests that bring it about."""

RAISED: dict[Reason, Judged] = {
    Reason.MQTT_TOPIC: judge(RawMessage("", Channel.UNKNOWN, payload(), NOW), FACTS),
    Reason.MQTT_RETAINED: judged(payload(), retained=True),
    Reason.JSON_TOO_LARGE: judged(payload(note="x" * 1_000_000)),
    Reason.JSON_ENCODING: judged(b'{"v":1,"note":"\xff"}'),
    Reason.JSON_TOO_DEEP: judged(b'{"v":1,"note":' + b"[" * 200 + b"]" * 200 + b"}"),
    Reason.JSON_DUPLICATE_KEY: judged(b'{"v":1,"v":1}'),
    Reason.JSON_MALFORMED: judged(b""),
    Reason.SCHEMA_VERSION: judged(payload(v=2)),
    Reason.SCHEMA_MISSING: judged(payload(stream=ABSENT)),
    Reason.SCHEMA_TYPE: judged(payload(seq="1234")),
    Reason.SCHEMA_NOT_ALLOWED: judged(payload(flags=["fine"])),
    Reason.SCHEMA_UNKNOWN_KIND: judged(payload(kind="mood")),
    Reason.DEVICE_UNKNOWN: judged(payload(), replace(FACTS, status=DeviceStatus.UNKNOWN)),
    Reason.DEVICE_REVOKED: judged(payload(), replace(FACTS, status=DeviceStatus.REVOKED)),
    Reason.DEVICE_NOT_SERVED: judged(payload(), replace(FACTS, served=False)),
    Reason.NUMBER_NOT_FINITE: judged(_spelled("NaN")),
    Reason.NUMBER_OUT_OF_RANGE: judged(_spelled("1e400")),
    Reason.UNIT_MISSING: judged(payload(values__pulse__unit=ABSENT)),
    Reason.UNIT_NOT_ALLOWED: judged(payload(values__pulse__unit="bpm")),
    Reason.VALUE_IMPOSSIBLE: judged(payload(values__pulse__value=301)),
    Reason.VALUE_INCONSISTENT: judged(payload(values__diastolic__value=128)),
    Reason.ECG_LEADS: judged(ecg(recording__leads={})),
    Reason.ECG_LENGTH: judged(ecg(recording__leads={"I": samples(49)})),
    Reason.ECG_SAMPLING: judged(ecg(recording__sampling_hz=49)),
    Reason.BLOB_PART: _part(b""),
    Reason.BLOB_CONTENT_TYPE: judged(_recording(content_type="image/jpeg")),
    Reason.BLOB_TOO_LARGE: judged(_recording(bytes=0)),
    Reason.IMAGE_LATERALITY_MISSING: photograph(eye=None),
    Reason.TIME_FORMAT: judged(payload(taken_at="2026-11-21T08:30:00")),
    Reason.TIME_FUTURE: judged(payload(taken_at="2026-11-21T08:37:00+04:00")),
    Reason.TIME_UNSET_CLOCK: judged(payload(taken_at="1970-01-01T00:00:12Z")),
    Reason.TIME_TOO_OLD: judged(payload(taken_at="2026-08-01T08:30:00+04:00")),
    Reason.KEY_CONFLICT: against(judged(payload()), payload(seq=1235)) or judged(payload()),
}


def test_every_listed_reason_is_raised() -> None:
    """A reason that no message can bring about does not stay in the registry."""
    assert set(RAISED) | set(RAISED_LATER) == set(Reason) == set(REGISTRY)
    assert not set(RAISED) & set(RAISED_LATER)
    for reason, where in RAISED_LATER.items():
        assert f"Reason.{reason.name}" in Path(where).read_text("utf-8")


@pytest.mark.parametrize("reason", RAISED)
def test_a_message_is_set_aside_for_the_reason_it_shows(reason: Reason) -> None:
    """Each message above is refused for its own reason, keeps its bytes, and makes no reading."""
    shown = RAISED[reason]
    assert (shown.verdict.outcome, shown.verdict.reason) == ("quarantined", reason)
    assert shown.reading is None
    assert shown.raw.payload or reason in (Reason.JSON_MALFORMED, Reason.BLOB_PART)


def test_the_messages_are_good_but_for_their_fault() -> None:
    """What the table starts from is stored."""
    assert judged(payload()).reading is not None
    assert judged(json.dumps(ECG).encode()).reading is not None
    assert RECORDING["leads"]["I"] == samples(50)


# The contract's section 13: mqtt, then the order that it gives.
FAMILIES = ("mqtt", "json", "schema", "device", "number", "unit", "value", "ecg", "blob", "image", "time", "key")


def test_reasons_stand_in_the_order_of_the_contract() -> None:
    """The registry's order is the order of the families."""
    places = [FAMILIES.index(reason.partition(".")[0]) for reason in Reason]
    assert places == sorted(places)


def test_of_several_faults_the_first_in_order_is_given() -> None:
    """The order of the registry counts before the order of discovery."""
    late, early = Rejected(Reason.VALUE_IMPOSSIBLE, "/a"), Rejected(Reason.UNIT_MISSING, "/b")
    assert first([late, early]) is early
    assert first([late, Rejected(Reason.VALUE_IMPOSSIBLE, "/c")]) is late


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_texts(reason: Reason) -> None:
    """A meaning for engineers, and a French and an English sentence for people."""
    entry = REGISTRY[reason]
    assert all(text.endswith(".") for text in (entry.meaning, entry.fr, entry.en))
    assert entry.fr != entry.en


def test_a_device_is_told_to_mend_only_what_it_can() -> None:
    """Where the site has to act, the device is not asked to."""
    operators = {reason for reason in Reason if REGISTRY[reason].action is Action.OPERATOR}
    assert operators == {
        Reason.DEVICE_UNKNOWN,
        Reason.DEVICE_REVOKED,
        Reason.DEVICE_NOT_SERVED,
        Reason.BLOB_QUOTA,
        Reason.TIME_TOO_OLD,
    }


def test_a_refusal_says_code_and_place_only() -> None:
    """The text of the exception is fit for a log."""
    assert str(Rejected(Reason.UNIT_MISSING, "/values/pulse/unit")) == "unit.missing /values/pulse/unit"
    assert DEVICE not in str(Rejected(Reason.MQTT_TOPIC))
