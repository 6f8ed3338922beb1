"""Elements of a DICOM file through pydicom, behind a gate: the file cannot make us read or hold more than it is.

Comes in: an open file. Goes out: elements as raw bytes, exact numbers, person and instance; large values stay in the
file and are told by their place. Refuses to know: what the object shows, pixels, waveforms.

Allowed: a preamble of zeros (CVE-2019-11687: a file that is also a program), little-endian syntaxes that are neither
deflated nor compressed. Everything else is ``blob.undecodable``.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import BinaryIO, cast

from pydicom.charset import default_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_sequence
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from ingest.content.ecg import undecodable, wrong_type
from ingest.content.found import Instance, Person
from ingest.metrics import MAX_LENGTH

VALUE_MOST = 1 << 20
"""Bytes of the longest value that is read as a whole; a longer one is passed over, and only its place is told."""
BYTES_MOST = 16 << 20
"""Bytes that are read of a whole file, its long values apart."""
READS_MOST = 200_000
"""Reads of a whole file: about three an element. A real 12-lead ECG with 77 annotations takes 3,500; pydicom makes an
object of each element, so that this bounds its memory to about 50 MB and its time to seconds."""
SYNTAXES = {"1.2.840.10008.1.2": True, "1.2.840.10008.1.2.1": False}
"""Transfer syntaxes that are read (PS3.5, annex A): whether the VR is implicit."""
_PREAMBLE = bytes(128)
_META = 2
"""Group of the file's own description (PS3.10, section 7.1)."""
_UNDEFINED = 0xFFFFFFFF
_is_uid = re.compile(r"[0-9.]{1,64}", re.ASCII).fullmatch
_is_date = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII).fullmatch

SYNTAX, CHARSET, SOP_CLASS, SOP_INSTANCE, MODALITY = 0x00020010, 0x00080005, 0x00080016, 0x00080018, 0x00080060
NAME, PATIENT_ID, BIRTH_DATE = 0x00100010, 0x00100020, 0x00100030
STUDY, SERIES = 0x0020000D, 0x0020000E
HEAD = (CHARSET, SOP_CLASS, SOP_INSTANCE, MODALITY, NAME, PATIENT_ID, BIRTH_DATE, STUDY, SERIES)
"""Tags of what every object says of itself (PS3.6)."""


class Gate:
    """A file for pydicom that ends where it ends, hands out no long value, and tires."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, 2)
        file.seek(0)
        self._bytes, self._reads = BYTES_MOST, READS_MOST

    def read(self, length: int = -1) -> bytes:
        """``length`` bytes; none at the end of the file, and none of a value longer than ``VALUE_MOST``."""
        left = self.size - self._file.tell()
        if left and not 0 <= length <= left:
            raise undecodable()
        if not left:
            return b""
        if length > VALUE_MOST:
            self._file.seek(length, 1)
            return b""
        self._bytes, self._reads = self._bytes - length, self._reads - 1
        if self._bytes < 0 or self._reads < 0:
            raise undecodable()
        return self._file.read(length)

    def seek(self, offset: int, whence: int = 0) -> int:
        """To ``offset``, inside the file."""
        if whence == 0 and not 0 <= offset <= self.size:
            raise undecodable()
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where the next read starts."""
        return self._file.tell()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands in the file, in bytes."""

    start: int
    size: int


def read(gate: Gate, tags: Iterable[int], last: int) -> Dataset:
    """The elements ``tags`` of a file, up to tag ``last``; raises Rejected, and whatever pydicom raises."""
    head = gate.read(132)
    if head[128:] != b"DICM":
        raise wrong_type()
    if head[:128] != _PREAMBLE:
        raise undecodable()
    meta = _elements(gate, implicit=False, stop=lambda tag: tag >> 16 != _META)
    syntax = text(meta, SYNTAX)
    if syntax not in SYNTAXES:
        raise undecodable()
    return _elements(gate, implicit=SYNTAXES[syntax], stop=lambda tag: tag > last, tags=list(tags))


def _elements(
    gate: Gate, *, implicit: bool, stop: Callable[[int], bool], tags: list[BaseTag | int] | None = None
) -> Dataset:
    return read_dataset(
        cast("BinaryIO", gate),
        is_implicit_VR=implicit,
        is_little_endian=True,
        stop_when=lambda tag, _vr, _length: stop(tag),
        specific_tags=tags,
    )


def _raw(ds: Dataset, tag: int) -> RawDataElement | None:
    if tag not in ds:
        return None
    element: object = ds.get_item(tag, keep_deferred=True)
    if not isinstance(element, RawDataElement) or element.length == _UNDEFINED:
        raise undecodable()
    return element


def value(ds: Dataset, tag: int) -> bytes:
    """The bytes of a value, none when it is absent; raises Rejected for one that is cut or too long."""
    element = _raw(ds, tag)
    if element is None:
        return b""
    found = element.value or b""
    if len(found) != element.length:
        raise undecodable()
    return found


def place(gate: Gate, ds: Dataset, tag: int) -> Place:
    """Where a value stands; raises Rejected unless it is there, in the file as a whole, behind its own tag."""
    element = _raw(ds, tag)
    if element is None or element.value_tell + element.length > gate.size:
        raise undecodable()
    gate.seek(element.value_tell - (8 if element.VR is None else 12))  # PS3.5, section 7.1: implicit VR, OB and OW
    if gate.read(4) != struct.pack("<HH", tag >> 16, tag & 0xFFFF):
        raise undecodable()
    return Place(element.value_tell, element.length)


def text(ds: Dataset, tag: int) -> str:
    """A text in ASCII without the spaces or NULs around it; empty when it is absent."""
    return value(ds, tag).decode("ascii").strip(" \0")


def integer(ds: Dataset, tag: int) -> int:
    """An unsigned number of 2 or 4 bytes (US, UL); raises struct.error for another length."""
    found = value(ds, tag)
    return int(struct.unpack("<I" if len(found) == 4 else "<H", found)[0])  # noqa: PLR2004 - bytes of UL


def number(ds: Dataset, tag: int) -> Fraction | None:
    """A decimal string (DS), exact; None when it is absent or empty."""
    found = text(ds, tag)
    if not found:
        return None
    decimal = Decimal(found)
    if not decimal.is_finite() or abs(decimal.adjusted()) > MAX_LENGTH:
        raise undecodable()
    return Fraction(decimal)


def items(gate: Gate, ds: Dataset, tag: int) -> Sequence:
    """The items of a sequence, none when it is absent, always read from the file itself.

    pydicom would parse a sequence of defined length out of a copy of its bytes: values would not be held against the
    file, and their places would be places in the copy.
    """
    element: object = ds.get_item(tag, keep_deferred=True) if tag in ds else None
    if element is None:
        return Sequence()
    if isinstance(element, DataElement) and isinstance(element.value, Sequence):
        return element.value
    if not isinstance(element, RawDataElement) or element.VR not in {None, "SQ"}:
        raise undecodable()
    gate.seek(element.value_tell)
    return read_sequence(
        cast("BinaryIO", gate),
        is_implicit_VR=element.is_implicit_VR,
        is_little_endian=True,
        bytelength=element.length,
        encoding=default_encoding,
    )


def person(ds: Dataset) -> Person | None:
    """Whom the file names, None when it names nobody. A birth date that is no date is left out."""
    name = ds.get("PatientName")
    family, given = (
        (str(part).strip() or None for part in (name.family_name, name.given_name)) if name else (None, None)
    )
    date = _is_date(text(ds, BIRTH_DATE))
    born = "-".join(date.groups()) if date else None
    number_there = str(ds.get("PatientID") or "").strip() or None
    found = Person(family, given, born, number_there)
    return None if found == Person() else found


def instance(ds: Dataset) -> Instance:
    """The object's UIDs, SOP class and modality; raises Rejected where one is absent or no UID."""
    study, series, own, sop_class = (text(ds, tag) for tag in (STUDY, SERIES, SOP_INSTANCE, SOP_CLASS))
    if not all(_is_uid(uid) for uid in (study, series, own, sop_class)):
        raise undecodable()
    return Instance(study, series, own, sop_class, text(ds, MODALITY))
