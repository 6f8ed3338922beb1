"""Photographs as JPEG or PNG: header first, then the whole file once, then a thumbnail.

    file ──▶ header (type, size) ──▶ every byte checked ──▶ Pillow decodes ──▶ thumbnail, Found

Comes in: a file and the type it was said to be. Goes out: ``Found.picture``, or ``Rejected``. Refuses to know: whose
eye it is (a photograph's own texts are never read for it), EXIF but for the one number that says which side is up.

Memory: a JPEG is decoded at 1/2, 1/4 or 1/8 of its size, which still reads every coefficient; a PNG whose pixels do not
fit is decoded in bands. A progressive JPEG has to be held whole: one that does not fit is undecodable.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image as Pillow
from PIL.Image import Image, Resampling

from ingest.content import jpeg, png
from ingest.content.found import Found, Picture
from ingest.content.picture import MAX_PIXELS, SIDE, WHOLE, other_type, save, undecodable

_FAULTS = (ValueError, SyntaxError, LookupError, TypeError, struct.error, zlib.error, EOFError)
"""What Pillow raises for broken files, beside an OSError without a number."""
_ORIENTATION = 0x0112
_BANDED = {2: "RGB", 6: "RGBA", 4: "LA"}
"""Colour types that decode in bands, with Pillow's mode, which keeps the 8-bit samples as they are."""


def look(path: Path, out: Path, content_type: str) -> Found:
    """Size, bits and thumbnail (written to ``out``) of the picture at ``path``; raises ``Rejected``."""
    with path.open("rb") as file:
        match content_type:
            case "image/jpeg":
                return Found(picture=look_jpeg(file, out))
            case "image/png":
                return Found(picture=look_png(file, out))
    raise other_type()


def look_jpeg(file: BinaryIO, out: Path) -> Picture:
    """The JPEG in ``file``, which may be one frame taken out of another file."""
    frame = jpeg.check(file)
    if frame.held > WHOLE:
        raise undecodable()
    with _opened(file, "JPEG", (frame.width, frame.height)) as image:
        # A reduced decoding reads the same coefficients to the end, for a fraction of the memory.
        image.draft(None, (SIDE, SIDE))
        thumbnail = save(image, out, _orientation(image))
    return Picture(frame.width, frame.height, frame.bits, thumbnail)


def look_png(file: BinaryIO, out: Path) -> Picture:
    """The PNG in ``file``; ``thumbnail`` is None for the few forms that are too large to be decoded at all."""
    told = png.header(file)
    for _ in png.rows(file, told):
        pass
    return Picture(told.width, told.height, told.bits, _png_thumbnail(file, told, out))


def _png_thumbnail(file: BinaryIO, told: png.Header, out: Path) -> str | None:
    if told.width * told.height * _bytes_held(told) <= WHOLE:
        with _opened(file, "PNG", (told.width, told.height)) as image:
            return save(image, out, _orientation(image))
    if told.colour not in _BANDED or told.bits != 8 or told.interlaced:  # noqa: PLR2004 - bits of a plain sample
        return None
    return save(_in_bands(file, told), out)


def _bytes_held(told: png.Header) -> int:
    """Of one pixel in Pillow's memory."""
    if told.colour in _BANDED:
        return 4
    return 2 if told.bits == 16 else 1  # noqa: PLR2004 - bits of a grey sample


def _in_bands(file: BinaryIO, told: png.Header) -> Image:
    """Every nth row and column. A row's filter needs the row above, so each band is decoded with that one before it."""
    file.seek(0)
    png.header(file)
    step = max(1, max(told.width, told.height) // (2 * SIDE))
    small = Pillow.new("RGB", (-(-told.width // step), -(-told.height // step)))
    above, top = b"", 0
    ((stride, _),) = told.passes
    for block in png.rows(file, told):
        count = len(block) // stride
        with _band(told, above, block) as band:
            first = 1 if above else 0
            above = band.crop((0, band.height - 1, band.width, band.height)).tobytes()
            for row in range(-top % step, count, step):
                line = band.crop((0, row + first, band.width, row + first + 1)).convert("RGB")
                small.paste(line.resize((small.width, 1), Resampling.NEAREST), (0, (top + row) // step))
        top += count
    return small


def _band(told: png.Header, above: bytes, block: bytes) -> Image:
    ((stride, _),) = told.passes
    filtered = (b"\0" + above if above else b"") + block
    start = struct.pack(">IIBBBBB", told.width, len(filtered) // stride, told.bits, told.colour, 0, 0, 0)
    chunks = ((b"IHDR", start), (b"IDAT", zlib.compress(filtered, 0)), (b"IEND", b""))
    whole = b"".join(
        struct.pack(">I", len(content)) + name + content + zlib.crc32(name + content).to_bytes(4, "big")
        for name, content in chunks
    )
    image = Pillow.open(io.BytesIO(png.MAGIC + whole), formats=["PNG"])
    image.load()
    return image


@contextmanager
def _opened(file: BinaryIO, form: str, size: tuple[int, int]) -> Iterator[Image]:
    """Pillow's view of the whole file; whatever it raises, there or in the body, becomes ``Rejected``."""
    # The header was judged by now; Pillow's own, lower threshold would only warn.
    Pillow.MAX_IMAGE_PIXELS = MAX_PIXELS
    file.seek(0)
    try:
        # Warnings are about notes beside the picture, and quote them.
        with warnings.catch_warnings(action="ignore"), Pillow.open(file, formats=[form]) as image:
            if image.format != form or image.size != size:
                raise undecodable()
            yield image
    except _FAULTS as fault:
        raise undecodable() from fault
    except OSError as fault:
        if fault.errno is not None:
            raise
        raise undecodable() from fault


def _orientation(image: Image) -> int:
    image.load()
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except (OSError, *_FAULTS):
        return 1  # broken EXIF says nothing against the picture
