"""PNG from its signature to its last chunk: sizes before pixels, every checksum, every row, nothing behind the end.

Comes in: an open file. Goes out: ``Header``, the filtered rows, or ``Rejected``. Refuses to know: colours; texts, times
and places that a file may carry. Chunks are those of the PNG specification (W3C, third edition), section 11.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ingest.content.picture import other_type, undecodable, within

MAGIC = b"\x89PNG\r\n\x1a\n"
_BLOCK = 1 << 18
_MAX_BESIDE = 4 << 20
"""Bytes of all chunks that hold no pixels: room for a colour profile and EXIF, not for a bomb of texts."""
_MAX_ROW = 8 << 20
"""Bytes of a row: a million pixels wide."""
_ANIMATED = frozenset({b"acTL", b"fcTL", b"fdAT"})
_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples a pixel, by colour type (table 11.1)."""
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column, first row, column step, row step of each pass (section 8.1)."""
_FILTERS = bytes(range(5))


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of IHDR; ``bits`` a sample, ``colour`` the colour type."""

    width: int
    height: int
    bits: int
    colour: int
    interlaced: bool

    @property
    def passes(self) -> Iterator[tuple[int, int]]:
        """(bytes a row, its filter byte included; rows) of each pass that has pixels, in the file's order."""
        for left, top, across, down in _ADAM7 if self.interlaced else ((0, 0, 1, 1),):
            columns, rows = -(-(self.width - left) // across), -(-(self.height - top) // down)
            if columns > 0 and rows > 0:
                yield 1 + -(-columns * self.bits * _SAMPLES[self.colour] // 8), rows


def header(file: BinaryIO) -> Header:
    """What IHDR says, with the file at the chunk behind it; raises ``Rejected``, for too many pixels as well."""
    start = file.read(len(MAGIC))
    if not start or start != MAGIC[: len(start)]:
        raise other_type()
    length, name = _chunk(file)
    content = file.read(length) if (length, name) == (13, b"IHDR") else b""
    if len(content) != 13 or file.read(4) != zlib.crc32(name + content).to_bytes(4, "big"):  # noqa: PLR2004 - 11.2.1
        raise undecodable()
    width, height, bits, colour, *methods = struct.unpack(">IIBBBBB", content)
    within(width, height)
    if bits not in _DEPTHS.get(colour, ()) or methods not in ([0, 0, 0], [0, 0, 1]):
        raise undecodable()
    told = Header(width, height, bits, colour, methods[2] == 1)
    if any(stride > _MAX_ROW for stride, _ in told.passes):
        raise undecodable()
    return told


def rows(file: BinaryIO, told: Header) -> Iterator[bytes]:
    """Whole filtered rows in blocks, while the rest of the file is checked; raises ``Rejected``."""
    inflated = _inflated(file)
    spare = b""
    for stride, count in told.passes:
        left = count
        while left:
            if len(spare) < stride:
                spare += _more(inflated)
                continue
            taken = min(left, len(spare) // stride)
            whole, spare = spare[: taken * stride], spare[taken * stride :]
            if whole[::stride].strip(_FILTERS):
                raise undecodable()
            left -= taken
            yield whole
    if spare or any(inflated):
        raise undecodable()


def _more(inflated: Iterator[bytes]) -> bytes:
    block = next(inflated, None)
    if block is None:
        raise undecodable()
    return block


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    for block in _pixel_data(file):
        pending = block
        while pending:
            if inflater.eof:
                raise undecodable()
            try:
                piece = inflater.decompress(pending, _BLOCK)
            except zlib.error as fault:
                raise undecodable() from fault
            pending = inflater.unconsumed_tail or inflater.unused_data
            if piece:
                yield piece
    yield from _last(inflater)


def _last(inflater: zlib._Decompress) -> Iterator[bytes]:
    while not inflater.eof:
        try:
            piece = inflater.decompress(b"", _BLOCK)
        except zlib.error as fault:
            raise undecodable() from fault
        if not piece and not inflater.eof:
            raise undecodable()
        yield piece


def _pixel_data(file: BinaryIO) -> Iterator[bytes]:
    """The contents of the IDAT chunks in blocks; all other chunks are checked and passed over."""
    beside, before, names = 0, b"IHDR", set()
    while before != b"IEND":
        length, name = _chunk(file)
        late = name == b"IDAT" and before != b"IDAT" and b"IDAT" in names
        unknown = not name[0] & 0x20 and name not in _CRITICAL
        beside += 0 if name == b"IDAT" else length
        if late or unknown or name == b"IHDR" or name in _ANIMATED or beside > _MAX_BESIDE:
            raise undecodable()
        for block in _content(file, length, name):
            if name == b"IDAT":
                yield block
        names.add(name)
        before = name
    while block := file.read(_BLOCK):
        if block.strip(b"\0"):
            raise undecodable()


def _chunk(file: BinaryIO) -> tuple[int, bytes]:
    start = file.read(8)
    if len(start) != 8 or not start[4:].isalpha():  # noqa: PLR2004 - section 5.3: length and name
        raise undecodable()
    return int.from_bytes(start[:4], "big"), start[4:]


def _content(file: BinaryIO, length: int, name: bytes) -> Iterator[bytes]:
    checksum = zlib.crc32(name)
    while length:
        block = file.read(min(length, _BLOCK))
        if not block:
            raise undecodable()
        checksum = zlib.crc32(block, checksum)
        length -= len(block)
        yield block
    if file.read(4) != checksum.to_bytes(4, "big"):
        raise undecodable()
