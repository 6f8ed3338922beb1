"""The gate between a DICOM file and pydicom: where the file ends, what is too long, when it is enough."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from ingest.content import dicom
from ingest.content.dicom import BYTES_MOST, VALUE_MOST, Gate, Place
from ingest.reasons import Reason, Rejected
from tests.content.conftest import Look
from tests.content.ecg_files import Ecg

TAG = dicom.PATIENT_ID


def with_raw(tag: int, value: bytes | None, length: int, tell: int) -> Dataset:
    """A data set with one element as pydicom's reader leaves it, explicit VR LO."""
    return Dataset({BaseTag(tag): RawDataElement(BaseTag(tag), "LO", length, value, tell, False, True)})  # noqa: FBT003 - its order


def test_the_gate_ends_where_the_file_ends() -> None:
    """Nothing is handed out short: at the end there is nothing, and past it there is a refusal."""
    gate = Gate(io.BytesIO(b"0123456789"))
    assert gate.read(10) == b"0123456789"
    assert gate.read(8) == b""
    gate.seek(5)
    with pytest.raises(Rejected):
        gate.read(6)
    for wrong in (-1, 11):
        with pytest.raises(Rejected):
            gate.seek(wrong)
    with pytest.raises(Rejected):
        gate.read()


def test_the_gate_passes_over_long_values_and_tires() -> None:
    """A value over the limit is not handed out, and so much of a file is, but no more."""
    gate = Gate(io.BytesIO(bytes(BYTES_MOST + 3 * VALUE_MOST)))
    assert gate.read(VALUE_MOST + 1) == b""
    assert gate.tell() == VALUE_MOST + 1
    for _ in range(BYTES_MOST // VALUE_MOST):
        assert len(gate.read(VALUE_MOST)) == VALUE_MOST
    with pytest.raises(Rejected):
        gate.read(1)


def test_a_value_that_was_not_read_as_a_whole_is_no_value() -> None:
    """A passed-over or cut value is refused, never taken for an empty one; an absent or empty one is empty."""
    for value in (b"", None, b"12"):
        with pytest.raises(Rejected):
            dicom.value(with_raw(TAG, value, 3, 8), TAG)
    assert dicom.value(with_raw(TAG, None, 0, 8), TAG) == b""
    assert dicom.value(Dataset(), TAG) == b""


def test_a_place_is_believed_only_behind_its_own_tag() -> None:
    """The place of a value is told when its tag stands before it and the file holds all of it."""
    head = struct.pack("<HH", TAG >> 16, TAG & 0xFFFF) + b"LO\0\0" + struct.pack("<I", 4)
    gate = Gate(io.BytesIO(b"????" + head + b"1234"))
    assert dicom.place(gate, with_raw(TAG, b"1234", 4, 16), TAG) == Place(16, 4)
    for length, tell in ((4, 12), (5, 16), (4, 15)):
        with pytest.raises(Rejected):
            dicom.place(gate, with_raw(TAG, b"1234", length, tell), TAG)


def test_items_without_end_are_refused(look_into: Look) -> None:
    """A million empty items before the patient's name are given up long before they are all made objects of."""
    content = Ecg(np.zeros((2, 500), np.int16)).written()
    at = content.index(b"\x10\x00\x10\x00PN")
    items = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\0\0\0\0" * 1_000_000
    with pytest.raises(Rejected) as refused:
        look_into(content[:at] + items + content[at:], "application/dicom")
    assert refused.value.reason is Reason.BLOB_UNDECODABLE
