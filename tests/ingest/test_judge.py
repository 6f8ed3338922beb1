"""Messages to verdicts, as tables: what is stored, what is refused, in which order."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest

from ingest.judge import against, check_sender, judge
from ingest.model import Blob, Channel, Context, DeviceStatus, Facts, Part, RawMessage, TimeMark
from ingest.reasons import Reason, Rejected
from ingest.wire import MAX_SEQ
from tests.ingest.messages import (
    ABSENT,
    DEVICE,
    FACTS,
    MESSAGE,
    NOW,
    READING,
    RECORDING,
    STREAM,
    ecg,
    judged,
    laid,
    payload,
    refused,
    samples,
)

UNKNOWN = replace(FACTS, status=DeviceStatus.UNKNOWN)
STORED = (None, None)


def test_the_contracts_reading_is_stored() -> None:
    """Every member arrives where it belongs, digits and all."""
    found = judged(payload())
    reading = found.reading
    assert reading is not None
    assert found.sha == hashlib.sha256(payload()).digest()
    assert found.key == reading.key
    assert (reading.key.device, reading.key.stream, reading.key.seq) == (DEVICE, STREAM, 1234)
    assert reading.key.reading == READING
    assert (reading.kind, reading.clock, reading.exam, reading.replaces) == ("blood_pressure", 7, "K7QF-2M9D", None)
    assert reading.timing.mark is TimeMark.DEVICE
    assert reading.context == Context("arm", "sitting")
    assert reading.flags == ("movement",)
    assert [(found.metric, found.value, found.unit) for found in reading.measurements] == [
        ("systolic", "128", "mm[Hg]"),
        ("diastolic", "82", "mm[Hg]"),
        ("cuff_pulse", "71", "/min"),
    ]
    assert reading.recording is None


KEPT: list[dict[str, Any]] = [
    {"battery": ABSENT},
    {"battery": "full"},
    {"battery": None},
    {"vendor": {"a": [1, None]}},
    {"recording": 5},
    {"part": 1},
    {"image": None},
    {"context": ABSENT},
    {"context": {}},
    {"flags": ABSENT},
    {"flags": []},
    {"exam": ABSENT},
    {"clock": ABSENT},
    {"seq": 0},
    {"seq": MAX_SEQ},
    {"clock": MAX_SEQ},
    {"replaces": 0},
    {"replaces": MAX_SEQ},
    {"exam": "x" * 64},
    {"exam": "é"},
    {"values__pulse": ABSENT},
    {"flags": ["test", "calibrating", "questionable", "weak_signal", "cuff_loose", "irregular_pulse"]},
    {"$ref": {"__proto__": "!!python/object"}},
    {"context": {"body_site": "rectal"}},
]


@pytest.mark.parametrize("change", KEPT)
def test_what_the_contract_allows_is_stored(change: dict[str, Any]) -> None:
    """Optional members may be left out; unknown names at the top level are ignored."""
    assert refused(payload(**change)) == STORED


SCHEMA: list[tuple[dict[str, Any], Reason, str]] = [
    ({"v": ABSENT}, Reason.SCHEMA_MISSING, "/v"),
    ({"v": 0}, Reason.SCHEMA_VERSION, "/v"),
    ({"v": -1}, Reason.SCHEMA_VERSION, "/v"),
    ({"v": "1"}, Reason.SCHEMA_VERSION, "/v"),
    ({"v": True}, Reason.SCHEMA_VERSION, "/v"),
    ({"v": 1.0}, Reason.SCHEMA_VERSION, "/v"),
    ({"v": None}, Reason.SCHEMA_VERSION, "/v"),
    ({"stream": ABSENT}, Reason.SCHEMA_MISSING, "/stream"),
    ({"stream": STREAM.upper()}, Reason.SCHEMA_TYPE, "/stream"),
    ({"stream": STREAM + "\n"}, Reason.SCHEMA_TYPE, "/stream"),
    ({"stream": "٣" * 32}, Reason.SCHEMA_TYPE, "/stream"),
    ({"seq": ABSENT}, Reason.SCHEMA_MISSING, "/seq"),
    ({"seq": -1}, Reason.SCHEMA_TYPE, "/seq"),
    ({"seq": 1.5}, Reason.SCHEMA_TYPE, "/seq"),
    ({"seq": 1234.0}, Reason.SCHEMA_TYPE, "/seq"),
    ({"seq": "1234"}, Reason.SCHEMA_TYPE, "/seq"),
    ({"seq": True}, Reason.SCHEMA_TYPE, "/seq"),
    ({"seq": None}, Reason.SCHEMA_TYPE, "/seq"),
    ({"clock": -1}, Reason.SCHEMA_TYPE, "/clock"),
    ({"clock": None}, Reason.SCHEMA_TYPE, "/clock"),
    ({"replaces": "1"}, Reason.SCHEMA_TYPE, "/replaces"),
    ({"replaces": None}, Reason.SCHEMA_TYPE, "/replaces"),
    ({"kind": ABSENT}, Reason.SCHEMA_MISSING, "/kind"),
    ({"kind": 1}, Reason.SCHEMA_TYPE, "/kind"),
    ({"kind": "Blood_pressure"}, Reason.SCHEMA_UNKNOWN_KIND, "/kind"),
    ({"taken_at": ABSENT}, Reason.SCHEMA_MISSING, "/taken_at"),
    ({"taken_at": None}, Reason.SCHEMA_TYPE, "/taken_at"),
    ({"taken_at": True}, Reason.SCHEMA_TYPE, "/taken_at"),
    ({"taken_at": []}, Reason.SCHEMA_TYPE, "/taken_at"),
    ({"values": ABSENT}, Reason.SCHEMA_MISSING, "/values"),
    ({"values": []}, Reason.SCHEMA_TYPE, "/values"),
    ({"values": None}, Reason.SCHEMA_TYPE, "/values"),
    ({"values": {}}, Reason.SCHEMA_MISSING, "/values/systolic"),
    ({"values__systolic": 128}, Reason.SCHEMA_TYPE, "/values/systolic"),
    ({"values__mean": None}, Reason.SCHEMA_TYPE, "/values/mean"),
    ({"values__systolic": ABSENT}, Reason.SCHEMA_MISSING, "/values/systolic"),
    ({"values__diastolic": {"absent": "error"}}, Reason.SCHEMA_MISSING, "/values/diastolic/value"),
    ({"values__systolic__low": 1}, Reason.SCHEMA_NOT_ALLOWED, "/values/systolic/low"),
    ({"values__rate": {"value": 1, "unit": "/min"}}, Reason.SCHEMA_NOT_ALLOWED, "/values/rate"),
    ({"values__int": 1}, Reason.SCHEMA_NOT_ALLOWED, "/values/int"),
    ({"values__Jeanne Dupont": 1}, Reason.SCHEMA_NOT_ALLOWED, "/values"),
    ({"values__a/b": 1}, Reason.SCHEMA_NOT_ALLOWED, "/values"),
    ({"values__pulse__unit": None}, Reason.SCHEMA_TYPE, "/values/pulse/unit"),
    ({"values__pulse__unit": 1}, Reason.SCHEMA_TYPE, "/values/pulse/unit"),
    ({"context": None}, Reason.SCHEMA_TYPE, "/context"),
    ({"context": []}, Reason.SCHEMA_TYPE, "/context"),
    ({"context": {"mood": "good"}}, Reason.SCHEMA_NOT_ALLOWED, "/context/mood"),
    ({"context": {"body_site": "leg"}}, Reason.SCHEMA_NOT_ALLOWED, "/context/body_site"),
    ({"context": {"body_site": 1}}, Reason.SCHEMA_TYPE, "/context/body_site"),
    ({"context": {"body_site": None}}, Reason.SCHEMA_TYPE, "/context/body_site"),
    ({"context": {"moment": "fasting"}}, Reason.SCHEMA_NOT_ALLOWED, "/context/moment"),
    ({"context": {"sample": "capillary", "exertion": "rest"}}, Reason.SCHEMA_NOT_ALLOWED, "/context/exertion"),
    ({"flags": "test"}, Reason.SCHEMA_TYPE, "/flags"),
    ({"flags": ["test", "fine"]}, Reason.SCHEMA_NOT_ALLOWED, "/flags/1"),
    ({"flags": [1]}, Reason.SCHEMA_TYPE, "/flags/0"),
    ({"flags": None}, Reason.SCHEMA_TYPE, "/flags"),
    ({"flags": {"test": 1}}, Reason.SCHEMA_TYPE, "/flags"),
    ({"flags": ["test"] * 33}, Reason.SCHEMA_TYPE, "/flags"),
    ({"exam": ""}, Reason.SCHEMA_TYPE, "/exam"),
    ({"exam": "x" * 65}, Reason.SCHEMA_TYPE, "/exam"),
    ({"exam": "K7\u0000"}, Reason.SCHEMA_TYPE, "/exam"),
    ({"exam": "K7\u202e"}, Reason.SCHEMA_TYPE, "/exam"),
    ({"exam": 7}, Reason.SCHEMA_TYPE, "/exam"),
]


@pytest.mark.parametrize(("change", "reason", "at"), SCHEMA)
def test_what_does_not_fit_is_refused_with_its_place(change: dict[str, Any], reason: Reason, at: str) -> None:
    """Strictly: no text is a number, no null is an absence, no word is guessed."""
    assert refused(payload(**change)) == (reason, at)


NOT_NUMBERS = ['"72"', "true", "null", "[]", "{}", '"36,6"', '" 72 "', '"7_2"']


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_only_a_number_is_a_number(text: str) -> None:
    """Where a number is due, everything else has the wrong type."""
    body = payload(values__pulse__value=4242).replace(b"4242", text.encode())
    assert refused(body) == (Reason.SCHEMA_TYPE, "/values/pulse/value")


NUMBERS = [
    ("NaN", Reason.NUMBER_NOT_FINITE, "/values/pulse/value"),
    ("-Infinity", Reason.NUMBER_NOT_FINITE, "/values/pulse/value"),
    ("1e400", Reason.NUMBER_OUT_OF_RANGE, "/values/pulse/value"),
    ("1e-400", Reason.NUMBER_OUT_OF_RANGE, "/values/pulse/value"),
    ("9" * 4000, Reason.NUMBER_OUT_OF_RANGE, "/values/pulse/value"),
    ("1e999999999", Reason.NUMBER_OUT_OF_RANGE, "/values/pulse/value"),
    ("0e999999999", Reason.NUMBER_OUT_OF_RANGE, "/values/pulse/value"),
    ("71." + "0" * 20, Reason.NUMBER_OUT_OF_RANGE, "/values/pulse/value"),
    ("9" * 5000, Reason.NUMBER_OUT_OF_RANGE, None),
]


@pytest.mark.parametrize(("text", "reason", "at"), NUMBERS)
def test_numbers_that_cannot_be_kept_exactly_are_refused(text: str, reason: Reason, at: str | None) -> None:
    """None is rounded, none is read as infinite, none takes long."""
    assert refused(payload(values__pulse__value=4242).replace(b"4242", text.encode())) == (reason, at)


SPELLED = [
    ("1.31e2", "131"),
    ("131e0", "131"),
    ("1.310E+2", "131.0"),
    ("131", "131"),
    ("131.0", "131.0"),
    ("131.50", "131.50"),
]


@pytest.mark.parametrize(("text", "value"), SPELLED)
def test_plain_decimals_keep_their_digits_and_other_spellings_their_value(text: str, value: str) -> None:
    """131.50 stays 131.50; 1.31e2 is 131 (C-RD-6)."""
    reading = judged(payload(values__systolic__value=4242).replace(b"4242", text.encode())).reading
    assert reading is not None
    assert reading.measurements[0].value == value


@pytest.mark.parametrize(("name", "at"), [("seq", "/seq"), ("clock", "/clock"), ("replaces", "/replaces")])
def test_a_count_beyond_2_53_is_a_number_out_of_range(name: str, at: str) -> None:
    """Never rounded, never wrapped; a seq out of range is no key."""
    found = judged(payload(**{name: MAX_SEQ + 1}))
    assert (found.verdict.reason, found.verdict.pointer) == (Reason.NUMBER_OUT_OF_RANGE, at)
    assert (found.key is None) == (name == "seq")


ORDER: list[tuple[dict[str, Any], Reason]] = [
    ({"v": 2, "stream": 1}, Reason.SCHEMA_VERSION),
    ({"kind": "mood", "seq": None}, Reason.SCHEMA_TYPE),
    ({"seq": -1, "taken_at": ABSENT}, Reason.SCHEMA_MISSING),
    ({"values__rate": 1, "seq": MAX_SEQ + 1}, Reason.SCHEMA_NOT_ALLOWED),
    ({"seq": MAX_SEQ + 1, "values__pulse__unit": "bpm"}, Reason.NUMBER_OUT_OF_RANGE),
    ({"note": float("nan"), "values__pulse__unit": ABSENT}, Reason.NUMBER_NOT_FINITE),
    ({"values__systolic__value": 900, "values__pulse__value": 10**30}, Reason.NUMBER_OUT_OF_RANGE),
    ({"values__systolic__value": 900, "values__pulse__unit": ABSENT}, Reason.UNIT_MISSING),
    ({"values__systolic__unit": "mmHg", "values__pulse__unit": ABSENT}, Reason.UNIT_MISSING),
    ({"values__systolic__value": 301, "values__diastolic__value": 301}, Reason.VALUE_IMPOSSIBLE),
    ({"values__diastolic__value": 150, "taken_at": "yesterday"}, Reason.VALUE_INCONSISTENT),
    ({"taken_at": 1795235400, "values__pulse__value": 1}, Reason.VALUE_IMPOSSIBLE),
]


@pytest.mark.parametrize(("change", "reason"), ORDER)
def test_of_several_faults_the_first_family_is_told(change: dict[str, Any], reason: Reason) -> None:
    """The order of the contract's section 13, whatever stands first in the message."""
    assert refused(payload(**change))[0] is reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", Reason.JSON_MALFORMED),
        (payload(v=2), Reason.SCHEMA_VERSION),
        (payload(values__rate=1), Reason.SCHEMA_NOT_ALLOWED),
        (ecg(recording=ABSENT), Reason.SCHEMA_MISSING),
        (ecg(recording__encoding="x"), Reason.SCHEMA_NOT_ALLOWED),
        (payload(seq=MAX_SEQ + 1), Reason.DEVICE_UNKNOWN),
        (payload(note=float("nan")), Reason.DEVICE_UNKNOWN),
        (payload(values__pulse__unit="bpm"), Reason.DEVICE_UNKNOWN),
        (payload(taken_at="x"), Reason.DEVICE_UNKNOWN),
    ],
)
def test_the_device_is_looked_at_after_the_schema_and_before_the_numbers(body: bytes, reason: Reason) -> None:
    """A maker's mistake is told to the maker, whoever sent it; everything else waits for the registration."""
    assert refused(body, UNKNOWN)[0] is reason


@pytest.mark.parametrize(
    ("status", "served", "reason"),
    [
        (DeviceStatus.UNKNOWN, True, Reason.DEVICE_UNKNOWN),
        (DeviceStatus.UNKNOWN, False, Reason.DEVICE_UNKNOWN),
        (DeviceStatus.REVOKED, True, Reason.DEVICE_REVOKED),
        (DeviceStatus.ACTIVE, False, Reason.DEVICE_NOT_SERVED),
    ],
)
def test_a_sender_that_may_not_speak_is_refused(status: DeviceStatus, reason: Reason, *, served: bool) -> None:
    """The registry decides, and the key is occupied all the same."""
    facts = replace(FACTS, status=status, served=served)
    with pytest.raises(Rejected) as caught:
        check_sender(facts)
    assert caught.value.reason is reason
    assert judged(payload(), facts).key is not None


@pytest.mark.parametrize(
    "body",
    [
        payload(v=2),
        payload(kind="mood"),
        payload(values=7),
        payload(flags=["fine"]),
        payload(values__pulse__value=1),
        payload(taken_at="x"),
        payload(values__pulse__value=float("nan")),
        payload(note=float("inf")),
        json.dumps({"stream": STREAM, "seq": 1234}).encode(),
    ],
)
def test_a_valid_stream_and_seq_occupy_their_key_whatever_the_verdict(body: bytes) -> None:
    """A corrected reading takes a new seq (contract, section 3)."""
    found = judged(body)
    assert found.verdict.reason is not None
    assert found.key is not None
    assert found.key.reading == READING


@pytest.mark.parametrize("body", [b"", b"{", payload(stream="x"), payload(seq=None), payload() + b"}", b"[]"])
def test_without_a_valid_stream_and_seq_there_is_no_key(body: bytes) -> None:
    """Such a message is answered by its sha alone."""
    found = judged(body)
    assert found.key is None
    assert found.sha == hashlib.sha256(body).digest()


@pytest.mark.parametrize("body", [payload(), payload(values__pulse__value=1), payload(v=2)])
def test_a_retained_message_is_refused_with_its_key(body: bytes) -> None:
    """With the key, whoever commits it still sees a repeat of a known reading as one."""
    found = judged(body, retained=True)
    assert (found.verdict.reason, found.reading) == (Reason.MQTT_RETAINED, None)
    assert found.key is not None
    assert against(found, body) is None
    assert judged(b"{", retained=True).verdict.reason is Reason.MQTT_RETAINED


@pytest.mark.parametrize("channel", [Channel.UNKNOWN, Channel.HELLO, Channel.STATE])
def test_only_a_reading_is_judged_as_one(channel: Channel) -> None:
    """What came on no topic of the contract has no key, for no device can be trusted to have sent it."""
    found = judge(RawMessage("", channel, payload(), NOW, retained=True), FACTS)
    assert (found.verdict.reason, found.key) == (Reason.MQTT_TOPIC, None)


def test_a_hubs_reading_belongs_to_the_device() -> None:
    """The key does not know who carried it, so that two hubs make one reading."""
    found = judge(RawMessage(DEVICE, Channel.READING, payload(), NOW, hub="hub-1"), FACTS)
    assert found.key == judged(payload()).key


def test_a_taken_key_turns_other_content_into_a_conflict() -> None:
    """Equal content is a repeat; other content is set aside; what was set aside already keeps its reason."""
    assert against(judged(payload(battery=1)), payload()) is None
    conflict = against(judged(payload(values__pulse__value=72)), payload())
    assert conflict is not None
    assert (conflict.verdict.reason, conflict.verdict.pointer, conflict.reading) == (Reason.KEY_CONFLICT, None, None)
    assert conflict.key == judged(payload()).key
    worse = judged(payload(values__pulse__value=1))
    assert against(worse, payload()) is worse


def test_judging_reads_no_clock() -> None:
    """The same message and facts give the same verdict, a day later as well."""
    later = replace(FACTS, now=NOW + 86_400_000_000)
    assert judged(payload()) == judged(payload())
    assert judged(payload()).reading == judged(payload(), later).reading


@pytest.mark.parametrize(
    ("place", "reason", "at"),
    [("values", Reason.SCHEMA_NOT_ALLOWED, "/values/n0"), ("context", Reason.SCHEMA_TYPE, "")],
)
def test_a_message_full_of_strange_names_costs_no_more_than_its_size(place: str, reason: Reason, at: str) -> None:
    """The names are not listed one by one: 70,000 of them take less than ten bytes of memory for each byte sent."""
    body = payload(**{place: {**MESSAGE[place], **{f"n{number}": 1 for number in range(70_000)}}})
    tracemalloc.start()
    try:
        assert refused(body) == (reason, at)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(body)
    finally:
        tracemalloc.stop()


def test_a_truncated_message_is_never_half_a_reading() -> None:
    """Cut anywhere, it is refused as broken JSON."""
    body = payload()
    assert {refused(body[:cut])[0] for cut in range(len(body))} == {Reason.JSON_MALFORMED}


PART: dict[str, Any] = {"recording": "0" * 32, "from_sample": 0, "last": False}
FILE: dict[str, Any] = {"blob": {"sha256": "0" * 64, "bytes": 290078, "content_type": "application/dicom"}}


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"recording": {**RECORDING, **FILE}}, "/recording/sampling_hz"),
        ({"recording": FILE, "part": PART}, "/part"),
        ({"recording": {"blob": {**FILE["blob"], "name": "x.dcm"}}}, "/recording/blob/name"),
        ({"part": {**PART, "of": 3}}, "/part/of"),
    ],
)
def test_a_recording_has_one_form(change: dict[str, Any], at: str) -> None:
    """Samples in the message, a part of a live one, or a file: what belongs to another form is refused."""
    assert refused(ecg(**change)) == (Reason.SCHEMA_NOT_ALLOWED, at)


def test_a_recording_in_a_file_is_pending() -> None:
    """It is kept with what was said of its file, and nothing is known of its samples yet."""
    found = judged(ecg(recording=FILE))
    assert (found.verdict.outcome, found.verdict.reason) == ("pending", None)
    assert found.reading is not None
    assert found.reading.blob == Blob("0" * 64, 290078, "application/dicom")
    assert found.reading.recording is None


def test_a_live_part_is_a_reading_of_its_own() -> None:
    """It is stored with its samples and its place; a fifth of a second is enough."""
    found = judged(ecg(recording__leads={"I": samples(10)}, part=PART))
    assert found.verdict.outcome == "stored"
    assert found.reading is not None
    assert found.reading.part == Part("0" * 32, 0, last=False)
    assert found.reading.recording is not None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"recording__leads": {"I": samples(9)}, "part": PART}, Reason.ECG_LENGTH),
        ({"recording__leads": {"I": samples(101)}, "part": PART}, Reason.ECG_LENGTH),
        ({"recording": {"blob": {**FILE["blob"], "bytes": 512 * 1024**2 + 1}}}, Reason.BLOB_TOO_LARGE),
        ({"recording": {"blob": {**FILE["blob"], "bytes": 2**60}}}, Reason.BLOB_TOO_LARGE),
        ({"recording": {"blob": {**FILE["blob"], "content_type": "text/html"}}}, Reason.BLOB_CONTENT_TYPE),
        ({"recording": {"blob": {**FILE["blob"], "sha256": "A" * 64}}}, Reason.SCHEMA_TYPE),
        ({"recording": {"blob": {"sha256": "0" * 64, "bytes": 1}}}, Reason.SCHEMA_MISSING),
        ({"part": {"recording": "0" * 32, "last": True}}, Reason.SCHEMA_MISSING),
        ({"part": {**PART, "from_sample": -1}}, Reason.SCHEMA_TYPE),
    ],
)
def test_files_and_live_parts_outside_the_contract_are_named(change: dict[str, Any], reason: Reason) -> None:
    """Lengths, types and forms (C-ECG-3, C-ECG-5)."""
    assert refused(ecg(**change))[0] == reason


ECG_ORDER: list[tuple[dict[str, Any], Reason]] = [
    ({"recording__note": 1, "values": {"qt": {"value": 1}}}, Reason.SCHEMA_NOT_ALLOWED),
    ({"recording__unit": "V", "values": {"qt": {"value": 10**30, "unit": "ms"}}}, Reason.NUMBER_OUT_OF_RANGE),
    ({"recording__unit": "V", "values": {"qt": {"value": -1, "unit": "ms"}}}, Reason.UNIT_NOT_ALLOWED),
    ({"recording__leads": {}, "values": {"qt": {"value": -1, "unit": "ms"}}}, Reason.VALUE_IMPOSSIBLE),
    ({"recording__leads": {"I": samples(1)}, "taken_at": "x"}, Reason.ECG_LENGTH),
]


@pytest.mark.parametrize(("change", "reason"), ECG_ORDER)
def test_values_and_recording_share_one_order(change: dict[str, Any], reason: Reason) -> None:
    """A fault of the recording comes before one of the values where its family does."""
    assert refused(ecg(**change))[0] is reason


def test_facts_of_another_epoch_do_not_count() -> None:
    """An epoch without a hello is unverified, whatever other epochs were."""
    reading = judged(payload(clock=8)).reading
    assert reading is not None
    assert reading.timing.mark is TimeMark.UNVERIFIED
    assert judged(payload(), Facts(NOW, DeviceStatus.ACTIVE)).reading is not None
    assert laid(MESSAGE) == MESSAGE
