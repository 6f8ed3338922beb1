"""Strict reading of a device's bytes: one JSON object, every digit kept, nothing repaired.

Comes in: payload bytes. Goes out: decoded members, then the pydantic models ``Envelope``, ``Hello`` and ``State`` of
the device contract (sections 3 and 9). Refuses to know: who sent it, what it means, what time it is.

Numbers become ``int`` or ``Decimal``: never ``float``, which would turn 36.60 into 36.6.
"""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Decimal
from typing import Annotated, Any, Literal

import jiter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ingest.reasons import Reason, Rejected
from ingest.schema import Maybe, pointer

MAX_BYTES = 1_000_000
"""Longest message (device contract, section 3)."""
MAX_DEPTH = 200
"""Deepest nesting (device contract, section 3); what ``read`` asks of jiter comes to the same, and a test holds it."""
MAX_SEQ = 2**53 - 1
"""Largest ``seq`` (C-RD-3): what every JSON implementation can count to."""

_OPEN = ConfigDict(strict=True, extra="ignore", frozen=True, hide_input_in_errors=True)
_CLOSED = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

Number = Annotated[int | Annotated[Decimal, Field(allow_inf_nan=True)], Field(union_mode="left_to_right")]
"""A number with its digits. NaN passes here: it is refused later, under its own name."""
Hex32 = Annotated[str, Field(pattern=r"\A[0-9a-f]{32}\z")]
Conn = Annotated[str, Field(pattern=r"\A[0-9a-f]{8}\z")]
Seq = Annotated[int, Field(ge=0, le=MAX_SEQ)]
Count = Annotated[int, Field(ge=0, json_schema_extra={"maximum": MAX_SEQ})]
"""Like ``Seq``; its upper bound is judged with the numbers, after the device (contract, section 13)."""
# Control characters and marks that turn the writing direction have no place in a name, a list or a database.
_TEXT = r"[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
Words = Annotated[str, Field(pattern=rf"\A{_TEXT}{{0,64}}\z")]
Code = Annotated[str, Field(pattern=rf"\A{_TEXT}{{1,64}}\z")]
Time = Annotated[str, Field(max_length=64)]
"""Whether the text is a time is judged by ``ingest.clock.parse``."""

Flag = Literal["movement", "irregular_pulse", "cuff_loose", "weak_signal", "questionable", "calibrating", "test"]


def _in_order(span: tuple[int, int]) -> tuple[int, int]:
    if span[0] > span[1]:
        raise ValueError
    return span


# A JSON list is the one thing that becomes a tuple; its members stay strict.
Span = Annotated[tuple[Seq, Seq], Field(strict=False), AfterValidator(_in_order)]
"""Both ends included (contract, section 8)."""


class Circumstances(BaseModel):
    """``context`` (C-RD-7)."""

    model_config = _CLOSED

    body_site: Maybe[Literal["arm", "wrist", "finger", "oral", "axilla", "ear", "forehead", "rectal"]] = None
    position: Maybe[Literal["sitting", "standing", "lying"]] = None
    moment: Maybe[Literal["fasting", "before_meal", "after_meal", "after_exercise", "other"]] = None
    exertion: Maybe[Literal["rest", "exercise"]] = None
    sample: Maybe[Literal["capillary", "interstitial"]] = None


class Envelope(BaseModel):
    """A reading's members that every kind shares (contract, section 3); ``values`` and ``recording`` are the kind's.

    A time told as a number is not refused here: it has a reason of its own, ``time.format`` (contract, section 10).
    """

    model_config = _OPEN

    v: Literal[1]
    stream: Hex32
    seq: Count
    kind: str
    taken_at: Annotated[str | int | Decimal, Field(union_mode="left_to_right")]
    clock: Count = 0
    context: Maybe[Circumstances] = None
    flags: Annotated[tuple[Flag, ...], Field(strict=False, max_length=32, fail_fast=True)] = ()
    exam: Maybe[Code] = None
    replaces: Maybe[Count] = None


class HelloClock(BaseModel):
    """What the device says of its clock; its time is never used to correct (contract, section 10)."""

    model_config = _OPEN

    epoch: Seq
    now: Maybe[Time] = None
    synced: bool = False


class Hello(BaseModel):
    """Who the device is and what it holds, once after each connect (contract, section 9).

    ``counts`` is false for a device whose ``seq`` says nothing of gaps (contract, section 12).
    """

    model_config = _OPEN

    v: Literal[1]
    conn: Conn
    stream: Hex32
    next: Seq
    oldest: Seq = 0
    counts: bool = True
    contract: Maybe[Words] = None
    manufacturer: Maybe[Words] = None
    model: Maybe[Words] = None
    serial: Maybe[Words] = None
    firmware: Maybe[Words] = None
    eui64: Maybe[Annotated[str, Field(pattern=r"\A([0-9A-F]{2}-){7}[0-9A-F]{2}\z")]] = None
    kinds: Annotated[tuple[Words, ...], Field(strict=False, max_length=64, fail_fast=True)] = ()
    receipts: Maybe[Literal["record"]] = None
    max_down_bytes: Maybe[Annotated[int, Field(ge=256, le=1_000_000)]] = None
    clock: Maybe[HelloClock] = None


class Echo(BaseModel):
    """The clock echo: the device's time beside the gateway's time of the welcome it answers."""

    model_config = _OPEN

    epoch: Seq
    now: Time
    echo: Time


class State(BaseModel):
    """``state``: the will and its twin, the clock echo, and readings that will never come (contract, section 9)."""

    model_config = _OPEN

    v: Literal[1]
    conn: Maybe[Conn] = None
    state: Maybe[Literal["offline"]] = None
    clock: Maybe[Echo] = None
    stream: Maybe[Hex32] = None
    lost: Annotated[tuple[Span, ...], Field(strict=False, max_length=1000, fail_fast=True)] = ()


def decode(payload: bytes) -> dict[str, Any]:
    """One JSON object, all of whose numbers are numbers.

    Raises Rejected with ``json.*``, ``schema.type`` or ``number.*``.
    """
    data = read(payload)
    check_finite(payload, data)
    return data


def read(payload: bytes) -> dict[str, Any]:
    """One JSON object; NaN and Infinity come out as such, so that what else the message says can be judged first.

    Raises Rejected with ``json.*``, ``schema.type``, or ``number.out_of_range`` for a number nobody can hold.
    """
    if len(payload) > MAX_BYTES:
        raise Rejected(Reason.JSON_TOO_LARGE)
    try:
        # jiter goes 201 levels deep: one bracket around leaves the 200 of the contract.
        found = jiter.from_json(b"[" + payload + b"]", float_mode="decimal", catch_duplicate_keys=True)
    except ValueError as error:
        raise Rejected(_fault(payload, str(error))) from None
    if len(found) != 1:
        raise Rejected(Reason.JSON_MALFORMED)
    if not isinstance(found[0], dict):
        raise Rejected(Reason.SCHEMA_TYPE, "")
    return found[0]


_SAYS = {
    "recursion limit": Reason.JSON_TOO_DEEP,
    "Detected duplicate key": Reason.JSON_DUPLICATE_KEY,
    "number out of range": Reason.NUMBER_OUT_OF_RANGE,
    'Internal error: "InvalidOperation': Reason.NUMBER_OUT_OF_RANGE,
    "invalid unicode": Reason.JSON_ENCODING,
    "lone leading surrogate": Reason.JSON_ENCODING,
    "unexpected end of hex escape": Reason.JSON_ENCODING,
}
"""How jiter's messages begin. They quote the input further on, so they go no further than this."""


def _fault(payload: bytes, says: str) -> Reason:
    """Name the fault behind jiter's message."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return Reason.JSON_ENCODING
    if payload.startswith(b"\xef\xbb\xbf") or b"\0" in payload[:4]:  # byte order mark; UTF-16 or 32 without one
        return Reason.JSON_ENCODING
    return next((reason for words, reason in _SAYS.items() if says.startswith(words)), Reason.JSON_MALFORMED)


def check_finite(payload: bytes, data: dict[str, Any]) -> None:
    """Raise Rejected with ``number.not_finite`` where ``data``, read from ``payload``, holds NaN or Infinity."""
    if b"NaN" in payload or b"inity" in payload:
        loc = _not_finite(data, ())
        if loc is not None:
            raise Rejected(Reason.NUMBER_NOT_FINITE, pointer("", loc))


Loc = tuple[int | str, ...]


def _not_finite(data: object, loc: Loc) -> Loc | None:
    if isinstance(data, Decimal):
        return None if data.is_finite() else loc
    inside = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return next((found for name, part in inside if (found := _not_finite(part, (*loc, name))) is not None), None)


_hex32 = re.compile(r"[0-9a-f]{32}").fullmatch


def key_of(data: dict[str, Any]) -> tuple[str, int] | None:
    """(stream, seq) if both are valid: such a message occupies its key, whatever else is wrong with it."""
    stream, seq = data.get("stream"), data.get("seq")
    if type(seq) is int and 0 <= seq <= MAX_SEQ and isinstance(stream, str) and _hex32(stream):
        return stream, seq
    return None


_READ = frozenset(
    {"v", "stream", "seq", "clock", "kind", "taken_at", "values", "recording", "image", "part", "context", "flags",
     "exam", "replaces"}
)  # fmt: skip


def content(data: dict[str, Any]) -> object:
    """What makes two messages the same reading: member order, spaces, ``battery`` and unknown names left out.

    Numbers are compared as text (contract, section 3, *Repeats*): 128 and 128.0 are two contents. What has no plain
    digits is compared by its value: 1.31e2 is 131.
    """
    return _as_text({name: member for name, member in data.items() if name in _READ})


FOLDED = b"\0sha256:"
"""What a fingerprint begins with; no message that can be read does."""


def folded(payload: bytes) -> bytes:
    """A fingerprint of a message's content, kept in its place when its bytes are pruned; raises Rejected."""
    told = json.dumps(content(read(payload)), sort_keys=True, separators=(",", ":"))
    return FOLDED + hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest()


def same_content(one: bytes, other: bytes) -> bool:
    """Whether two payloads under one key are the same reading; those that cannot be read only if they are equal.

    ``other`` may be a fingerprint (``folded``).
    """
    if one == other:
        return True
    try:
        if other.startswith(FOLDED):
            return folded(one) == other
        return content(read(one)) == content(read(other))
    except Rejected:
        return False


_NUMBER = "\0number"
"""No member of a message that can be read is called so: a number is told from a list that holds its digits."""


def _as_text(data: object) -> object:
    if isinstance(data, dict):
        return {name: _as_text(member) for name, member in data.items()}
    if isinstance(data, list):
        return [_as_text(member) for member in data]
    if isinstance(data, bool) or not isinstance(data, int | Decimal):
        return data
    return {_NUMBER: str(data)}
