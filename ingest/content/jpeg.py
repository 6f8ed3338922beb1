"""JPEG from its first marker to its last: sizes before pixels, nothing missing, nothing behind the end.

Comes in: an open file. Goes out: ``Frame``, or ``Rejected``. Refuses to know: pixels (Pillow decodes them), EXIF.
Markers are those of ITU-T T.81, table B.1. A scan's data is passed over, not decoded: memory stays at one block.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO

from ingest.content.picture import other_type, undecodable, within

MAGIC = b"\xff\xd8\xff"
_BLOCK = 1 << 16
_MAX_SCANS = 100
"""Progressive files of cameras have about ten; thousands are an attack on the decoder's time."""
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_TAKEN = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended and progressive with Huffman codes: what browsers show. No lossless, no arithmetic ones."""
_PROGRESSIVE = 0xC2
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_SCAN, _END, _START = 0xDA, 0xD9, 0xD8
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


@dataclass(frozen=True, slots=True)
class Frame:
    """Size in pixels, bits a sample, and ``held``: bytes of coefficients a decoder has to hold at once (0: one row)."""

    width: int
    height: int
    bits: int
    held: int = 0


def check(file: BinaryIO) -> Frame:
    """The picture's frame, once the whole file was walked; raises ``Rejected``."""
    start = file.read(3)
    if not start or start != MAGIC[: len(start)]:
        raise other_type()
    file.seek(2)
    frame, scans, held = None, 0, 0
    while (marker := _marker(file)) != _END:
        if marker in _ALONE:
            continue
        segment = _segment(file, marker)
        if marker in _START_OF_FRAME:
            frame = _frame(segment, taken=frame is None and marker in _TAKEN)
            coefficients = _coefficients(segment)
            held = coefficients if marker == _PROGRESSIVE else 0
        elif marker == _SCAN:
            scans += 1
            if frame is None or scans > _MAX_SCANS:
                raise undecodable()
            held = held or (coefficients if scans > 1 else 0)
            _pass_scan(file)
    if frame is None or not scans:
        raise undecodable()
    _nothing_more(file)
    return Frame(frame.width, frame.height, frame.bits, held)


def _marker(file: BinaryIO) -> int:
    if file.read(1) != b"\xff":
        raise undecodable()
    while (code := file.read(1)) == b"\xff":
        pass
    if not code or code[0] in {0x00, _START}:
        raise undecodable()
    return code[0]


def _segment(file: BinaryIO, marker: int) -> bytes:
    length = int.from_bytes(file.read(2), "big")
    content = file.read(length - 2) if length >= 2 else b""  # noqa: PLR2004 - the length counts its own two bytes
    if len(content) != length - 2 or (marker in _START_OF_FRAME and len(content) < 6):  # noqa: PLR2004 - T.81, B.2.2
        raise undecodable()
    return content


def _frame(segment: bytes, *, taken: bool) -> Frame:
    height, width = int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big")
    within(width, height)
    if not taken or len(segment) != 6 + 3 * segment[5] or not segment[5]:
        raise undecodable()
    return Frame(width, height, segment[0])


def _coefficients(segment: bytes) -> int:
    """Two bytes for each coefficient of each component, subsampling counted."""
    height, width = int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big")
    samplings = [divmod(segment[at], 16) for at in range(7, len(segment), 3)]
    widest, tallest = max(h for h, _ in samplings), max(v for _, v in samplings)
    if not widest or not tallest:
        raise undecodable()
    return sum(2 * (width * h // widest + 8) * (height * v // tallest + 8) for h, v in samplings)


def _pass_scan(file: BinaryIO) -> None:
    carried = b""
    while block := file.read(_BLOCK):
        seen = carried + block
        if found := _NEXT_MARKER.search(seen):
            file.seek(found.start() - len(seen), 1)
            return
        carried = seen[-1:] if seen.endswith(b"\xff") else b""
    raise undecodable()


def _nothing_more(file: BinaryIO) -> None:
    """Zeros may pad a file; anything else behind the end is a second content."""
    while block := file.read(_BLOCK):
        if block.strip(b"\0"):
            raise undecodable()
