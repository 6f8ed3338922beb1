"""Readings whose content comes apart, and their parts."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Sequence
from typing import Any

from ingest.judge import PART_MOST, judge, judge_part
from ingest.model import Channel, Judged, Piece, RawMessage
from tests.support.ledgers import FACTS, NOW, STREAM

CAMERA = "retino-0001"
PHOTOGRAPH = bytes(range(256)) * 2000  # 512,000 bytes: two parts, the second shorter


def image_body(content: bytes = PHOTOGRAPH, seq: int = 0, **image: object) -> dict[str, Any]:
    """A photograph as a camera announces it; a member of ``image`` that is None is left out."""
    blob = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "content_type": "image/jpeg"}
    told = {"blob": blob, "eye": "left", "field": "macula", **image}
    return {
        "v": 1,
        "stream": STREAM,
        "seq": seq,
        "kind": "retinography",
        "taken_at": "2026-11-18T08:30:00+04:00",
        "image": {name: value for name, value in told.items() if value is not None},
    }


def photograph(content: bytes = PHOTOGRAPH, seq: int = 0, device: str = CAMERA, **image: object) -> Judged:
    """The verdict on such a message."""
    body = json.dumps(image_body(content, seq, **image)).encode()
    return judge(RawMessage(device, Channel.READING, body, NOW), FACTS)


def part(whole: bytes, start: int, data: bytes | None = None, device: str = CAMERA) -> RawMessage:
    """The part of ``whole`` at ``start``, or other bytes in its place."""
    place = (hashlib.sha256(whole).hexdigest(), start)
    payload = whole[start : start + PART_MOST] if data is None else data
    return RawMessage(device, Channel.BLOB, payload, NOW, place=place)


def parts(whole: bytes = PHOTOGRAPH, device: str = CAMERA, size: int = PART_MOST) -> list[Piece]:
    """All parts of ``whole``, judged."""
    return [kept_part(part(whole, at, whole[at : at + size], device)) for at in range(0, len(whole), size)]


def kept_part(raw: RawMessage) -> Piece:
    """A part that may be kept."""
    found = judge_part(raw, FACTS)
    assert isinstance(found, Piece)
    return found


def live_body(seq: int, from_sample: int, samples: Sequence[int], *, last: bool = False, **more: object) -> bytes:
    """A live part of two leads, the second the first upside down; 100 Hz."""
    leads = {
        "I": struct.pack(f"<{len(samples)}h", *samples),
        "II": struct.pack(f"<{len(samples)}h", *(-sample for sample in samples)),
    }
    recording = {
        "sampling_hz": 100, "unit": "uV", "step": 2.5, "baseline": 0, "encoding": "int16le",
        "leads": {name: base64.b64encode(of).decode() for name, of in leads.items()}, **more,
    }  # fmt: skip
    body = {
        "v": 1, "stream": STREAM, "seq": seq, "kind": "ecg", "taken_at": "2026-11-18T08:30:00+04:00",
        "recording": recording, "part": {"recording": "ab" * 16, "from_sample": from_sample, "last": last},
    }  # fmt: skip
    return json.dumps(body).encode()


def live(seq: int, from_sample: int, samples: Sequence[int], *, last: bool = False, **more: object) -> Judged:
    """The verdict on a live part."""
    raw = RawMessage("ecg-0001", Channel.READING, live_body(seq, from_sample, samples, last=last, **more), NOW)
    return judge(raw, FACTS)
