"""What every photograph obeys, whatever its form: the limit, the words of its refusal, and its thumbnail.

Comes in: sizes from headers, pixels. Goes out: ``Rejected``, or a thumbnail file named by its hex SHA-256. Refuses to
know: file formats, readings, eyes.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL.Image import Image, Resampling, Transpose

from ingest.reasons import Reason, Rejected

POINTER = "/image/blob"
MAX_PIXELS = 100_000_000
"""Device contract, C-RET-2."""
SIDE = 256
WHOLE = 200_000_000
"""Bytes of pixels that are held at once; the child that looks stays under 300 MB."""

_SMOOTH = ("L", "RGB", "CMYK")
"""Modes that Pillow shrinks without a converted copy of the whole; the others are thinned out first."""


_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


def undecodable() -> Rejected:
    """The picture cannot be read."""
    return Rejected(Reason.IMAGE_UNDECODABLE, POINTER)


def other_type() -> Rejected:
    """The file is not of the type that was said."""
    return Rejected(Reason.BLOB_CONTENT_TYPE, f"{POINTER}/content_type")


def within(width: int, height: int) -> None:
    """Raises ``Rejected`` for no pixels at all, and for more than ``MAX_PIXELS``: call it before decoding any."""
    if width < 1 or height < 1:
        raise undecodable()
    if width * height > MAX_PIXELS:
        raise Rejected(Reason.IMAGE_TOO_LARGE, POINTER)


def save(image: Image, out: Path, orientation: int = 1) -> str:
    """The hex SHA-256 of the thumbnail that now lies in ``out``, fsynced: a JPEG, ``SIDE`` pixels at most, no metadata.

    ``orientation`` is EXIF's number (tag 0x0112): viewers turn the original by it, so the thumbnail is turned for good.
    """
    small = _small(image)
    if (turn := _TURNS.get(orientation)) is not None:
        small = small.transpose(turn)
    encoded = io.BytesIO()
    small.save(encoded, "JPEG", quality=85)
    return _keep(encoded.getvalue(), out)


def _small(image: Image) -> Image:
    if image.mode.startswith("I"):
        image = _eight_bits(_thinned(image))
    elif image.mode not in _SMOOTH:
        image = _thinned(image)
    image.thumbnail((SIDE, SIDE), reducing_gap=2.0)
    plain = Pillow.new("L" if image.mode == "L" else "RGB", image.size)
    plain.paste(image if image.mode in {"L", "RGB"} else image.convert("RGB"))
    return plain


def _thinned(image: Image) -> Image:
    step = max(1, max(image.size) // (2 * SIDE))
    return image.resize((-(-image.width // step), -(-image.height // step)), Resampling.NEAREST)


def _eight_bits(image: Image) -> Image:
    return Pillow.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))


def _keep(content: bytes, out: Path) -> str:
    name = hashlib.sha256(content).hexdigest()
    unfinished = out / f"{name}.unfinished"
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(out / name)
    folder = os.open(out, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return name
