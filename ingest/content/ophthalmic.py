"""Ophthalmic photography as DICOM: which eye, which field, whom it names, its size, and a thumbnail.

    file ──▶ elements before the pixels ──▶ limits ──▶ one frame: plain samples, or a JPEG ──▶ thumbnail, Found

Comes in: a file. Goes out: ``Found``, or ``Rejected``. Refuses to know: what the reading says of the eye, codecs
other than JPEG baseline (PS3.5, annex A.4.1): their files are undecodable, and kept.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from ingest.content import dicom
from ingest.content.dicom import Gate
from ingest.content.found import Found, Picture
from ingest.content.image import look_jpeg
from ingest.content.jpeg import MAGIC
from ingest.content.picture import POINTER, SIDE, other_type, save, undecodable, within
from ingest.reasons import Reason, Rejected

CLASSES = frozenset({"1.2.840.10008.5.1.4.1.1.77.1.5.1", "1.2.840.10008.5.1.4.1.1.77.1.5.2"})
"""Ophthalmic Photography 8 Bit and 16 Bit Image Storage (PS3.4, annex B.5)."""
EYES = {"R": "right", "L": "left"}
FIELDS = {
    "111900": "macula",
    "111901": "disc",
    "111903": "disc_macula",
    "111904": "superior",
    "111906": "temporal",
    "111908": "inferior",
    "111910": "nasal",
    "111912": "superior",
    "111914": "temporal",
    "111916": "inferior",
    "111918": "nasal",
}
"""Ophthalmic image position (PS3.16, CID 4207, scheme DCM) to the contract's words; in between two is neither."""

_JPEG = "1.2.840.10008.1.2.4.50"
_SYNTAXES = {**dicom.SYNTAXES, _JPEG: False}
_IMAGE_LATERALITY, _LATERALITY, _POSITION, _VIEW = 0x00200062, 0x00200060, 0x0022001D, 0x00540220
_CODE, _SCHEME = 0x00080100, 0x00080102
_SAMPLES, _COLOURS, _PLANAR, _FRAMES, _ROWS, _COLUMNS = (
    *(0x00280002, 0x00280004, 0x00280006, 0x00280008),
    *(0x00280010, 0x00280011),
)
_ALLOCATED, _STORED, _HIGH, _SIGNED, _PIXELS = 0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x7FE00010
_TAGS = (
    *(*dicom.HEAD, _IMAGE_LATERALITY, _LATERALITY, _POSITION, _VIEW, _SAMPLES, _COLOURS, _PLANAR, _FRAMES),
    *(_ROWS, _COLUMNS, _ALLOCATED, _STORED, _HIGH, _SIGNED),
)
_MODES = {(1, "MONOCHROME2"): "L", (3, "RGB"): "RGB", (3, "YBR_FULL"): "YCbCr"}
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Pixels:
    """How one frame lies in the file (PS3.3, C.7.6.3): ``allocated`` and ``stored`` bits a sample."""

    width: int
    height: int
    samples: int
    allocated: int
    stored: int
    colours: str
    planar: bool

    @property
    def size(self) -> int:
        """Bytes of the frame."""
        return self.width * self.height * self.samples * self.allocated // 8


def look(path: Path, out: Path) -> Found:
    """Read a photograph and write its thumbnail into ``out``; raises Rejected, and whatever pydicom raises."""
    try:
        with path.open("rb") as file:
            return _look(file, out)
    except Rejected as fault:
        # Faults of DICOM in general point at a recording; this is a picture.
        if fault.reason is Reason.BLOB_UNDECODABLE:
            raise undecodable() from None
        if fault.reason is Reason.BLOB_CONTENT_TYPE:
            raise other_type() from None
        raise


def _look(file: BinaryIO, out: Path) -> Found:
    gate = Gate(file)
    syntax, ds = _read(gate)
    if dicom.text(ds, dicom.SOP_CLASS) not in CLASSES:
        raise other_type()
    told = _pixels(ds)
    start, length = _pixel_data(gate, implicit=_SYNTAXES[syntax])
    file.seek(start)
    if syntax == _JPEG:
        picture = _jpeg(file, length, told, out)
    else:
        picture = Picture(told.width, told.height, told.stored, _plain(file, length, told, out))
    return Found(
        picture=picture,
        person=dicom.person(ds),
        instance=dicom.instance(ds),
        eye=_one(EYES.get(dicom.text(ds, tag), "") for tag in (_IMAGE_LATERALITY, _LATERALITY) if dicom.text(ds, tag)),
        field=_one(_fields(gate, ds)),
    )


def _read(gate: Gate) -> tuple[str, Dataset]:
    """Transfer syntax, and the elements before the pixels, with the file at the pixel data."""
    head = gate.read(132)
    if head[128:] != b"DICM":
        raise other_type()
    if head[:128] != bytes(128):
        raise undecodable()
    file = cast("BinaryIO", gate)
    meta = read_dataset(file, False, True, stop_when=lambda tag, *_: tag.group != 2)  # noqa: FBT003, PLR2004 - PS3.10, 7.1
    syntax = dicom.text(meta, dicom.SYNTAX)
    if syntax not in _SYNTAXES:
        raise undecodable()
    ds = read_dataset(
        file,
        _SYNTAXES[syntax],
        True,  # noqa: FBT003 - little endian
        stop_when=lambda tag, *_: tag >= _PIXELS,
        specific_tags=list(_TAGS),
    )
    return syntax, ds


def _pixels(ds: Dataset) -> Pixels:
    width, height = dicom.integer(ds, _COLUMNS), dicom.integer(ds, _ROWS)
    within(width, height)
    stored = dicom.integer(ds, _STORED)
    told = Pixels(
        width,
        height,
        dicom.integer(ds, _SAMPLES),
        dicom.integer(ds, _ALLOCATED),
        stored,
        dicom.text(ds, _COLOURS),
        planar=_PLANAR in ds and dicom.integer(ds, _PLANAR) == 1,
    )
    plain = told.allocated in {8, 16} and 0 < stored <= told.allocated and dicom.integer(ds, _HIGH) == stored - 1
    if not plain or dicom.integer(ds, _SIGNED) or dicom.text(ds, _FRAMES) not in {"", "1"}:
        raise undecodable()
    return told


def _pixel_data(gate: Gate, *, implicit: bool) -> tuple[int, int]:
    """Where the pixel data starts and its length in bytes, as its header says."""
    head = gate.read(8 if implicit else 12)
    if head[:4] != b"\xe0\x7f\x10\x00" or not (implicit or head[4:8] in {b"OB\0\0", b"OW\0\0"}):
        raise undecodable()
    return gate.tell(), int.from_bytes(head[-4:], "little")


def _jpeg(file: BinaryIO, length: int, told: Pixels, out: Path) -> Picture:
    if length != _UNDEFINED or told.allocated != 8:  # noqa: PLR2004 - JPEG baseline has 8 bits
        raise undecodable()
    frame = b"".join(_fragments(file))
    if not frame.startswith(MAGIC):
        raise undecodable()
    picture = look_jpeg(io.BytesIO(frame), out)
    if (picture.width, picture.height) != (told.width, told.height):
        raise undecodable()
    return picture


def _fragments(file: BinaryIO) -> Iterable[bytes]:
    """All but the first item, which is the table of offsets (PS3.5, annex A.4)."""
    table = True
    while (head := file.read(8))[:4] == _ITEM:
        length = int.from_bytes(head[4:], "little")
        content = file.read(length) if length <= _left(file) else b""
        if len(content) != length:
            raise undecodable()
        if not table:
            yield content
        table = False
    if head != _END + bytes(4):
        raise undecodable()


def _left(file: BinaryIO) -> int:
    here = file.tell()
    left = file.seek(0, 2) - here
    file.seek(here)
    return left


def _plain(file: BinaryIO, length: int, told: Pixels, out: Path) -> str:
    """The thumbnail of samples that are not compressed: every nth row and column of them."""
    mode = _MODES.get((told.samples, told.colours))
    if mode is None or length != told.size + told.size % 2 or length > _left(file):
        raise undecodable()
    shift = told.stored - 8
    samples = _thinned(file, told).astype(np.uint32)
    eight = (samples >> shift if shift >= 0 else samples << -shift).clip(0, 255).astype(np.uint8)
    image = Pillow.frombytes(mode, (eight.shape[1], eight.shape[0]), eight.tobytes())
    return save(image.convert("RGB") if mode == "YCbCr" else image, out)


def _thinned(file: BinaryIO, told: Pixels) -> NDArray[np.unsignedinteger]:
    """Shape (rows, columns, samples)."""
    step = max(1, max(told.width, told.height) // (2 * SIDE))
    start = file.tell()
    planes, beside = (told.samples, 1) if told.planar else (1, told.samples)
    stride = told.width * beside * told.allocated // 8
    kind = np.dtype("<u2" if told.allocated == 16 else "u1")  # noqa: PLR2004 - bits
    taken = []
    for plane in range(planes):
        for row in range(0, told.height, step):
            file.seek(start + (plane * told.height + row) * stride)
            taken.append(np.frombuffer(file.read(stride), kind).reshape(told.width, beside)[::step])
    stacked = np.stack(taken).reshape(planes, -1, taken[0].shape[0], beside)
    return np.concatenate(list(stacked), axis=-1)


def _fields(gate: Gate, ds: Dataset) -> Iterable[str]:
    for tag in (_POSITION, _VIEW):
        for item in dicom.items(gate, ds, tag):
            known = dicom.text(item, _SCHEME) == "DCM"
            yield FIELDS.get(dicom.text(item, _CODE), "") if known else ""


def _one(words: Iterable[str]) -> str | None:
    """The word that all say, None if one says another thing; raises Rejected when two words contradict each other."""
    said = set(words)
    if len(said - {""}) > 1:
        raise Rejected(Reason.IMAGE_LATERALITY_CONFLICT, POINTER)
    return said.pop() or None if len(said) == 1 else None
