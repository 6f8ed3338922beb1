"""Messages and facts that the tests of judging start from."""

from __future__ import annotations

import base64
import json
from typing import Any

from ingest.clock import parse
from ingest.judge import judge
from ingest.model import Channel, ClockFacts, DeviceStatus, Facts, Judged, RawMessage
from tests.support.canary import carrying

DEVICE = "bp7-0001"
STREAM = "c23fc70098b46e9fc015d65aa77f9ff8"
READING = "c3989656096b6b47de2d6a1263d50580"
NOW = parse("2026-11-21T08:31:00+04:00")
TAKEN_AT = "2026-11-21T08:30:00+04:00"
FACTS = Facts(NOW, DeviceStatus.ACTIVE, {7: ClockFacts(synced=True)})
ABSENT = object()
"""Laid over a member, it takes the member away."""

MESSAGE: dict[str, Any] = {
    "v": 1,
    "stream": STREAM,
    "seq": 1234,
    "clock": 7,
    "kind": "blood_pressure",
    "taken_at": TAKEN_AT,
    "values": {
        "systolic": {"value": 128, "unit": "mm[Hg]"},
        "diastolic": {"value": 82, "unit": "mm[Hg]"},
        "pulse": {"value": 71, "unit": "/min"},
    },
    "context": {"body_site": "arm", "position": "sitting"},
    "flags": ["movement"],
    "exam": "K7QF-2M9D",
    "battery": 88,
}
"""The reading of the device contract, section 3."""


def samples(count: int) -> str:
    """So many samples of one lead as base64."""
    return base64.b64encode(b"\x01\x80" * count).decode()


RECORDING: dict[str, Any] = {
    "sampling_hz": 50,
    "unit": "uV",
    "step": 1.25,
    "baseline": 0,
    "encoding": "int16le",
    "leads": {"I": samples(50)},
}
ECG: dict[str, Any] = {
    "v": 1,
    "stream": STREAM,
    "seq": 17,
    "clock": 7,
    "kind": "ecg",
    "taken_at": TAKEN_AT,
    "recording": RECORDING,
}


def laid(base: dict[str, Any], **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON is what it is
    """``base`` with other members; ``a__b`` names member b of a."""
    made = dict(base)
    for path, value in changes.items():
        name, _, inner = path.partition("__")
        if inner:
            made[name] = laid(made[name], **{inner: value})
        elif value is ABSENT:
            made.pop(name, None)
        else:
            made[name] = value
    return made


def payload(**changes: Any) -> bytes:  # noqa: ANN401 - JSON is what it is
    """The blood pressure message, changed."""
    return json.dumps(carrying(laid(MESSAGE, **changes))).encode()


def ecg(**changes: Any) -> bytes:  # noqa: ANN401 - JSON is what it is
    """The ECG message, changed."""
    return json.dumps(laid(ECG, **changes)).encode()


def judged(body: bytes, facts: Facts = FACTS, *, retained: bool = False) -> Judged:
    """The verdict on a message of the device."""
    return judge(RawMessage(DEVICE, Channel.READING, body, facts.now, retained=retained), facts)


def refused(body: bytes, facts: Facts = FACTS, *, retained: bool = False) -> tuple[str | None, str | None]:
    """(reason, pointer) of a message; (None, None) when it was stored."""
    verdict = judged(body, facts, retained=retained).verdict
    return verdict.reason, verdict.pointer
