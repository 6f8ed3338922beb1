"""Bytes to members: nothing repaired, every digit kept, every fault named."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from pydantic import ValidationError

from ingest.reasons import Reason, Rejected
from ingest.schema import fits
from ingest.wire import MAX_BYTES, MAX_DEPTH, MAX_SEQ, Hello, State, content, decode, key_of, read, same_content
from tests.ingest.messages import MESSAGE, STREAM, payload

HELLO = {"v": 1, "conn": "a1b2c3d4", "stream": STREAM, "next": 1236}


def _reason(body: bytes) -> tuple[Reason, str | None]:
    with pytest.raises(Rejected) as caught:
        decode(body)
    return caught.value.reason, caught.value.pointer


NOT_JSON = {
    Reason.JSON_MALFORMED: [
        b"",
        b"   ",
        b"tru",
        b'{"v":1',
        b'{"v":1}}',
        b'{"v":1}{"v":1}',
        b'{"v":1} {"v":1}',
        b'{"v":1},{"v":1}',
        b'{"v":1},',
        b"{,}",
        b'{"v":01}',
        b'{"v":+1}',
        b'{"v":.5}',
        b'{"v":1.}',
        b'{"v":0x10}',
        b"{'v':1}",
        b'{"v":1,}',
        b'{"a":"\x01"}',
        b'{"a":"\\x41"}',
        b'{"v":1}\x00',
        b'{"a":"x\x00"}',
        b"\x0c{}",
        b'{"v":72,5}',
        b'{"v":7_2}',
        b'{"v":nan}',
        b"],[",
        b"1,2",
        b"//\n{}",
    ],
    Reason.JSON_ENCODING: [
        b"\xff\xfe",
        b'{"a":"\xc0\xaf"}',
        b'\xef\xbb\xbf{"v":1}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\udc00"}',
        b'{"a":"\\ud800x"}',
        b'{"a":"\xed\xa0\x80"}',
        '{"v":1}'.encode("utf-16"),
        '{"v":1}'.encode("utf-16-le"),
        '{"v":1}'.encode("utf-16-be"),
        '{"v":1}'.encode("utf-32-le"),
        b"\x1f\x8b\x08\x00\x00\x00\xff",
        b"\xa2\x61v\x01",
    ],
    Reason.JSON_DUPLICATE_KEY: [
        b'{"v":1,"v":1}',
        b'{"v":1,"\\u0076":2}',
        b'{"a":[{"b":1,"b":1}]}',
        b'{"recursion limit":1,"recursion limit":2}',
    ],
    Reason.JSON_TOO_DEEP: [
        b"[" * 201,
        b'{"a":' * 201,
        b"[" * 200_000,
        b'{"a":' + b"[" * 200 + b"1" + b"]" * 200 + b"}",
    ],
    Reason.JSON_TOO_LARGE: [b" " * (MAX_BYTES + 1), b"{" * (MAX_BYTES + 1), b"\xff" * (MAX_BYTES + 1)],
}


@pytest.mark.parametrize(("reason", "body"), [(reason, body) for reason, bodies in NOT_JSON.items() for body in bodies])
def test_what_is_not_one_json_text_is_refused_by_name(reason: Reason, body: bytes) -> None:
    """Each kind of damage has its reason, and no place in the message."""
    assert _reason(body) == (reason, None)


@pytest.mark.parametrize("body", [b"1", b'"a"', b"null", b"[]", b'[{"v":1}]', b"NaN"])
def test_a_payload_that_is_no_object_has_the_wrong_type(body: bytes) -> None:
    """Lists and scalars are JSON, but no message; the pointer names the whole."""
    assert _reason(body) == (Reason.SCHEMA_TYPE, "")


def test_the_deepest_and_the_longest_message_are_read() -> None:
    """Both limits of the contract are inclusive."""
    deep = b'{"a":' * (MAX_DEPTH - 1) + b"[]" + b"}" * (MAX_DEPTH - 1)
    assert "a" in decode(deep)
    assert decode(b'{"v":1}'.ljust(MAX_BYTES)) == {"v": 1}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("128", 128),
        ("128.0", Decimal("128.0")),
        ("36.60", Decimal("36.60")),
        ("-0.0", Decimal("-0.0")),
        ("0.10", Decimal("0.10")),
        ("1.31e2", Decimal(131)),
        ("1.310E+2", Decimal("131.0")),
        ("9007199254740993", 9007199254740993),
        ("-0", 0),
        ("18446744073709551616", 18446744073709551616),
        ("0.1000000000000000055511151231257827", Decimal("0.1000000000000000055511151231257827")),
    ],
)
def test_numbers_keep_their_digits(text: str, number: int | Decimal) -> None:
    """No number passes through a float."""
    found = decode(b'{"a":%s}' % text.encode())["a"]
    assert (found, str(found), type(found)) == (number, str(number), type(number))


@pytest.mark.parametrize("text", ["1e99999999999999999999", "9" * 5_000, "-1e-99999999999999999999"])
def test_a_number_that_nothing_can_hold_is_out_of_range(text: str) -> None:
    """It is refused by its own name, not as broken JSON."""
    assert _reason(b'{"a":%s}' % text.encode()) == (Reason.NUMBER_OUT_OF_RANGE, None)


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (b'{"a":NaN}', "/a"),
        (b'{"a":[1,-Infinity]}', "/a/1"),
        (b'{"a":{"b":Infinity}}', "/a/b"),
        (b'{"Jeanne Dupont":NaN}', ""),
        (b'{"a/b":{"c":NaN}}', ""),
    ],
)
def test_nan_and_infinity_are_named_with_their_place(body: bytes, at: str) -> None:
    """The pointer stops before a name that is no plain word: it could carry anything into a log."""
    assert _reason(body) == (Reason.NUMBER_NOT_FINITE, at)
    assert read(body)


def test_the_word_nan_in_a_text_is_a_text() -> None:
    """Only numbers can be not finite."""
    assert decode(b'{"a":"NaN","b":["Infinity"]}') == {"a": "NaN", "b": ["Infinity"]}


@pytest.mark.parametrize(
    ("stream", "seq", "valid"),
    [
        (STREAM, 0, True),
        (STREAM, MAX_SEQ, True),
        (STREAM, MAX_SEQ + 1, False),
        (STREAM, -1, False),
        (STREAM, "1", False),
        (STREAM, True, False),
        (STREAM, 1.5, False),
        (STREAM, None, False),
        (STREAM.upper(), 1, False),
        (STREAM[1:], 1, False),
        (STREAM + "0", 1, False),
        (STREAM[1:] + "\n", 1, False),
        ("٣" * 32, 1, False),
        (None, 1, False),
        ([STREAM], 1, False),
    ],
)
def test_a_message_has_a_key_when_stream_and_seq_are_valid(stream: object, seq: object, *, valid: bool) -> None:
    """32 small hex digits and a whole number from 0 to 2^53-1; nothing else is looked at."""
    assert key_of(decode(json.dumps({"stream": stream, "seq": seq}).encode())) == ((stream, seq) if valid else None)


SAME = [
    payload(),
    json.dumps(MESSAGE, indent=2, sort_keys=True).encode(),
    payload(battery=12),
    payload(battery={"level": 1}, vendor=[1]),
    payload().replace(b'"unit"', b'"\\u0075nit"'),
]
OTHER = [
    payload(values__systolic__value=128.0),
    payload(values__systolic__value="128"),
    payload(values__systolic__value=129),
    payload(flags=["movement", "test"]),
    payload(flags=[]),
    payload(exam="K7QF-2M9E"),
    payload(clock=8),
    payload(v=2),
    payload(taken_at="2026-11-21T04:30:00Z"),
    payload(replaces=1),
    payload(recording={}),
    payload(part={}),
    payload(image={}),
    payload(values__systolic__value=True),
    payload(values__mean=None),
    b"{",
    b"",
]


@pytest.mark.parametrize("body", SAME)
def test_order_spaces_battery_and_unknown_names_do_not_make_another_reading(body: bytes) -> None:
    """Such a message under the same key is a repeat."""
    assert same_content(payload(), body)


@pytest.mark.parametrize("body", OTHER)
def test_anything_else_makes_another_reading(body: bytes) -> None:
    """A digit, a word, a member: under the same key it is a conflict."""
    assert not same_content(payload(), body)
    assert same_content(body, bytes(body))


def test_numbers_are_compared_as_text() -> None:
    """128 and 128.0 differ, a number and the same digits as text differ, 1.31e2 is 131."""
    assert content({"v": 1}) != content({"v": "1"}) != content({"v": Decimal("1.0")})
    assert content(decode(b'{"values":131}')) == content(decode(b'{"values":1.31e2}'))
    assert content({"v": 1}) != content({"v": True})
    nan = b'{"values":NaN}'
    assert content(read(nan)) == content(read(nan))


FULL_HELLO = {
    **HELLO,
    "oldest": 1200,
    "contract": "1.0",
    "manufacturer": "Acme",
    "model": "BP-7",
    "serial": "A1234",
    "firmware": "2.4.1",
    "eui64": "FE-ED-AB-EE-DE-AD-77-C3",
    "kinds": ["blood_pressure"],
    "receipts": "record",
    "max_down_bytes": 4096,
    "counts": False,
    "clock": {"epoch": 7, "now": "2026-11-21T08:29:58+04:00", "synced": True, "by": "hub"},
    "vendor": {"x": 1},
}


def test_hello_takes_what_the_contract_lists_and_ignores_the_rest() -> None:
    """Members of section 9, a tuple of kinds, a clock."""
    hello = fits(Hello, decode(json.dumps(FULL_HELLO).encode()))
    assert (hello.kinds, hello.receipts, hello.counts) == (("blood_pressure",), "record", False)
    assert hello.clock is not None
    assert (hello.clock.epoch, hello.clock.synced) == (7, True)
    assert "vendor" not in Hello.model_fields


def test_hello_needs_only_four_members() -> None:
    """v, conn, stream and next."""
    hello = fits(Hello, HELLO)
    assert (hello.oldest, hello.counts, hello.clock, hello.kinds) == (0, True, None, ())


BAD_HELLO = [
    ({"conn": "A1B2C3D4"}, Reason.SCHEMA_TYPE, "/conn"),
    ({"conn": "a1b2c3d4\n"}, Reason.SCHEMA_TYPE, "/conn"),
    ({"next": -1}, Reason.SCHEMA_TYPE, "/next"),
    ({"next": MAX_SEQ + 1}, Reason.NUMBER_OUT_OF_RANGE, "/next"),
    ({"receipts": "all"}, Reason.SCHEMA_NOT_ALLOWED, "/receipts"),
    ({"kinds": "ecg"}, Reason.SCHEMA_TYPE, "/kinds"),
    ({"eui64": "fe-ed-ab-ee-de-ad-77-c3"}, Reason.SCHEMA_TYPE, "/eui64"),
    ({"serial": "A\u0000"}, Reason.SCHEMA_TYPE, "/serial"),
    ({"serial": "A\u202e"}, Reason.SCHEMA_TYPE, "/serial"),
    ({"model": None}, Reason.SCHEMA_TYPE, "/model"),
    ({"model": "x" * 65}, Reason.SCHEMA_TYPE, "/model"),
    ({"max_down_bytes": 255}, Reason.SCHEMA_TYPE, "/max_down_bytes"),
    ({"max_down_bytes": 1_000_001}, Reason.NUMBER_OUT_OF_RANGE, "/max_down_bytes"),
    ({"clock": {"epoch": 1, "synced": 1}}, Reason.SCHEMA_TYPE, "/clock/synced"),
    ({"clock": {}}, Reason.SCHEMA_MISSING, "/clock/epoch"),
    ({"v": 2}, Reason.SCHEMA_TYPE, "/v"),
]


@pytest.mark.parametrize(("change", "reason", "at"), BAD_HELLO)
def test_a_hello_that_cannot_be_read_is_refused_with_its_place(
    change: dict[str, object], reason: Reason, at: str
) -> None:
    """Control characters and marks of writing direction are no names."""
    with pytest.raises(Rejected) as caught:
        fits(Hello, {**HELLO, **change})
    assert (caught.value.reason, caught.value.pointer) == (reason, at)


@pytest.mark.parametrize("name", ["v", "conn", "stream", "next"])
def test_a_hello_without_a_required_member_is_refused(name: str) -> None:
    """The first that is missing is named."""
    with pytest.raises(Rejected) as caught:
        fits(Hello, {key: value for key, value in HELLO.items() if key != name})
    assert (caught.value.reason, caught.value.pointer) == (Reason.SCHEMA_MISSING, f"/{name}")


def test_state_takes_the_will_the_echo_and_the_lost() -> None:
    """The three messages of section 9."""
    assert fits(State, {"v": 1, "conn": "a1b2c3d4", "state": "offline"}).state == "offline"
    lost = fits(State, {"v": 1, "conn": "a1b2c3d4", "stream": STREAM, "lost": [[40, 52], [60, 60]]}).lost
    assert lost == ((40, 52), (60, 60))
    echo = fits(
        State, {"v": 1, "clock": {"epoch": 7, "now": "2026-11-21T08:29:58+04:00", "echo": "2026-11-21T04:29:57.100Z"}}
    ).clock
    assert echo is not None
    assert echo.epoch == 7


@pytest.mark.parametrize(
    "lost", [[[52, 40]], [[1]], [[1, 2, 3]], [["1", 2]], [[1, 2.0]], {"1": 2}, [[-1, 2]], [[0, 1]] * 1001]
)
def test_a_range_of_lost_readings_has_two_numbers_in_order(lost: object) -> None:
    """Anything else is refused, and so are more ranges than any device can have kept."""
    with pytest.raises(Rejected) as caught:
        fits(State, decode(json.dumps({"v": 1, "stream": STREAM, "lost": lost}).encode()))
    assert caught.value.reason in {Reason.SCHEMA_TYPE, Reason.SCHEMA_MISSING}


def test_what_is_refused_is_never_quoted() -> None:
    """Neither the exception nor its cause shows the input."""
    with pytest.raises(Rejected) as caught:
        fits(Hello, {**HELLO, "serial": "Jeanne Dupont\u0000", "conn": "12/11/1950"})
    assert "Dupont" not in repr(caught.value)
    assert "1950" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    with pytest.raises(ValidationError) as inner:
        Hello.model_validate({**HELLO, "conn": "12/11/1950"})
    assert "1950" not in str(inner.value)
