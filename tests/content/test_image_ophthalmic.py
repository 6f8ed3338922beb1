"""Photographs as DICOM: eye and field from tags only, sizes before pixels, and how bad ones are refused."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
)

from ingest.content import ophthalmic
from ingest.content.found import Found, Instance, Person
from ingest.reasons import Reason, Rejected

JPEG = Path(__file__).parents[2] / "simulators" / "recordings" / "fundus-left-normal.jpg"
EIGHT, SIXTEEN = "1.2.840.10008.5.1.4.1.1.77.1.5.1", "1.2.840.10008.5.1.4.1.1.77.1.5.2"
ROWS, COLUMNS = 300, 400
Edit = Callable[[Dataset], None]


def position(code: str, scheme: str = "DCM") -> list[Dataset]:
    """A code sequence of one item."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, scheme, "-"
    return [item]


def as_drawn(ds: Dataset) -> None:
    """Nothing is changed."""


def photograph(edit: Edit = as_drawn, *, syntax: str = ExplicitVRLittleEndian, preamble: bytes = bytes(128)) -> bytes:
    """An 8-bit RGB photograph, red growing to the right, green to the bottom; ``edit`` comes before it is written."""
    pixels = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, COLUMNS)
    pixels[..., 1] = np.linspace(0, 255, ROWS)[:, None]
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = EIGHT, "1.2.3.1", "OP"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "EXEMPLE-FICTIF^Zoé", "X1", "19800229"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3.2", "1.2.3.3"
    ds.ImageLaterality = "L"
    ds.RelativeImagePositionCodeSequence = position("111900")
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = ROWS, COLUMNS, 3, "RGB"
    ds.PlanarConfiguration, ds.NumberOfFrames = 0, 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.add_new("PixelData", "OB", pixels.tobytes())
    edit(ds)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.preamble = preamble
    file = io.BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


def as_jpeg(ds: Dataset) -> None:
    """The real photograph in place of the drawn one."""
    ds.Rows = ds.Columns = 1411
    ds.PhotometricInterpretation = "YBR_FULL_422"
    ds.PixelData = encapsulate([JPEG.read_bytes()])
    ds["PixelData"].is_undefined_length = True


def by_planes(ds: Dataset) -> None:
    """All reds, then all greens, then all blues."""
    ds.PlanarConfiguration = 1
    ds.PixelData = np.frombuffer(ds.PixelData, np.uint8).reshape(-1, 3).T.tobytes()


def twelve_bits(ds: Dataset) -> None:
    """Grey from top to bottom, 12 of 16 bits."""
    ds.SOPClassUID = SIXTEEN
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    del ds.PlanarConfiguration
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    grey = np.repeat(np.linspace(0, 4095, ROWS).astype("<u2"), COLUMNS)
    ds.add_new("PixelData", "OW", grey.tobytes())


def looked(content: bytes, folder: Path) -> Found:
    """What looking told."""
    path = folder / "file"
    path.write_bytes(content)
    return ophthalmic.look(path, folder)


def refused(content: bytes, folder: Path) -> Reason:
    """Why it was refused."""
    with pytest.raises(Rejected) as verdict:
        looked(content, folder)
    assert str(verdict.value.pointer).startswith("/image/blob")
    return verdict.value.reason


def shown(found: Found, folder: Path) -> Image.Image:
    """The thumbnail."""
    assert found.picture is not None
    return Image.open(folder / str(found.picture.thumbnail), formats=["JPEG"])


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("edit", [as_drawn, by_planes], ids=["by pixel", "by plane"])
def test_a_photograph_tells_what_its_tags_say(syntax: str, edit: Edit, tmp_path: Path) -> None:
    """Eye, field, person, UIDs and size; the thumbnail has red to the right and green to the bottom."""
    found = looked(photograph(edit, syntax=syntax), tmp_path)
    assert (found.eye, found.field) == ("left", "macula")
    assert found.person == Person("EXEMPLE-FICTIF", "Zoé", "1980-02-29", "X1")
    assert found.instance == Instance("1.2.3.2", "1.2.3.3", "1.2.3.1", EIGHT, "OP")
    assert found.picture is not None
    assert (found.picture.width, found.picture.height, found.picture.bits) == (COLUMNS, ROWS, 8)
    small = np.asarray(shown(found, tmp_path)).astype(int)
    assert small.shape == (192, 256, 3)
    assert np.abs(small[96, :, 0] - np.linspace(0, 255, 256)).max() < 12
    assert np.abs(small[:, 128, 1] - np.linspace(0, 255, 192)).max() < 12
    assert small[..., 2].max() < 12


def test_a_real_photograph_in_dicom_is_shown(tmp_path: Path) -> None:
    """One frame of JPEG baseline, taken out of its item."""
    found = looked(photograph(as_jpeg, syntax=JPEGBaseline8Bit), tmp_path)
    assert found.picture is not None
    assert (found.picture.width, found.picture.bits) == (1411, 8)
    whole = np.asarray(Image.open(JPEG).resize((256, 256), Image.Resampling.BOX))
    assert np.abs(np.asarray(shown(found, tmp_path)).astype(int) - whole).mean() < 4


def test_sixteen_bit_pictures_are_shown_by_their_stored_bits(tmp_path: Path) -> None:
    """4095 of 12 bits is white."""
    found = looked(photograph(twelve_bits), tmp_path)
    assert found.picture is not None
    assert found.picture.bits == 12
    small = np.asarray(shown(found, tmp_path)).astype(int)
    assert np.abs(small[:, 100] - np.linspace(0, 255, 192)).max() < 8


@pytest.mark.parametrize(
    ("image", "series", "eye"),
    [
        ("R", None, "right"),
        ("L", None, "left"),
        (None, "R", "right"),
        ("L", "L", "left"),
        ("B", None, None),
        ("U", None, None),
        ("", "", None),
        (None, None, None),
        ("B", "R", None),
    ],
)
def test_the_eye_is_the_one_that_the_tags_name(
    image: str | None, series: str | None, eye: str | None, tmp_path: Path
) -> None:
    """Both eyes, an unknown one or none at all is no eye: nothing is guessed."""

    def edit(ds: Dataset) -> None:
        del ds.ImageLaterality
        if image is not None:
            ds.ImageLaterality = image
        if series is not None:
            ds.Laterality = series

    assert looked(photograph(edit), tmp_path).eye == eye


@pytest.mark.parametrize(
    ("code", "scheme", "field"),
    [
        *((code, "DCM", field) for code, field in ophthalmic.FIELDS.items()),
        ("111902", "DCM", None),
        ("111905", "DCM", None),
        ("111900", "99LOCAL", None),
    ],
)
def test_the_field_is_the_one_that_the_codes_name(code: str, scheme: str, field: str | None, tmp_path: Path) -> None:
    """A lesion, a place in between, or another coding scheme is no field."""

    def edit(ds: Dataset) -> None:
        ds.RelativeImagePositionCodeSequence = position(code, scheme)

    assert looked(photograph(edit), tmp_path).field == field


def test_a_file_may_not_name_its_field(tmp_path: Path) -> None:
    """Then the reading has to."""

    def edit(ds: Dataset) -> None:
        del ds.RelativeImagePositionCodeSequence

    assert looked(photograph(edit), tmp_path).field is None


def other_eye(ds: Dataset) -> None:
    """Right beside left."""
    ds.Laterality = "R"


def other_field(ds: Dataset) -> None:
    """Disc beside macula."""
    ds.ViewCodeSequence = position("111901")


@pytest.mark.parametrize("edit", [other_eye, other_field])
def test_a_file_that_contradicts_itself_is_refused(edit: Edit, tmp_path: Path) -> None:
    """Two eyes or two fields for one photograph."""
    assert refused(photograph(edit), tmp_path) is Reason.IMAGE_LATERALITY_CONFLICT


def changed(**values: object) -> Edit:
    """Sets attributes."""

    def edit(ds: Dataset) -> None:
        for name, value in values.items():
            setattr(ds, name, value)

    return edit


def cut_jpeg(ds: Dataset) -> None:
    """Half of the JPEG in a whole item."""
    as_jpeg(ds)
    ds.PixelData = encapsulate([JPEG.read_bytes()[:100_000]])


def other_size(ds: Dataset) -> None:
    """The tags say a smaller picture than the JPEG."""
    as_jpeg(ds)
    ds.Rows = 1000


UNDECODABLE: dict[str, Callable[[], bytes]] = {
    "two frames": lambda: photograph(changed(NumberOfFrames=2)),
    "more rows than pixels": lambda: photograph(changed(Rows=ROWS + 1)),
    "fewer rows than pixels": lambda: photograph(changed(Rows=ROWS - 2)),
    "no rows": lambda: photograph(changed(Rows=0)),
    "signed": lambda: photograph(changed(PixelRepresentation=1)),
    "high bit elsewhere": lambda: photograph(changed(HighBit=6)),
    "palette": lambda: photograph(changed(PhotometricInterpretation="PALETTE COLOR", SamplesPerPixel=1)),
    "four samples": lambda: photograph(changed(SamplesPerPixel=4)),
    "JPEG that is cut": lambda: photograph(cut_jpeg, syntax=JPEGBaseline8Bit),
    "JPEG of another size": lambda: photograph(other_size, syntax=JPEGBaseline8Bit),
    "a program in the preamble (I4)": lambda: photograph(preamble=b"MZ" + bytes(126)),
    "a page in the preamble (I4)": lambda: photograph(preamble=b"<html>".ljust(128, b"\0")),
    "JPEG 2000": lambda: photograph(as_jpeg, syntax=JPEG2000),
    "RLE": lambda: photograph(as_jpeg, syntax=RLELossless),
    "big endian": lambda: photograph().replace(b"1.2.840.10008.1.2.1\0", ExplicitVRBigEndian.encode() + b"\0"),
    "deflated (I5)": lambda: photograph(syntax=DeflatedExplicitVRLittleEndian),
}


@pytest.mark.parametrize("name", UNDECODABLE)
def test_what_cannot_be_decoded_is_refused_by_name(name: str, tmp_path: Path) -> None:
    """No codec beyond Pillow's, no second frame, nothing that contradicts its own header."""
    assert refused(UNDECODABLE[name](), tmp_path) is Reason.IMAGE_UNDECODABLE


@pytest.mark.parametrize("size", [(10_001, 10_000), (65_535, 65_535)])
def test_too_many_pixels_are_refused_before_any_is_read(size: tuple[int, int], tmp_path: Path) -> None:
    """The file holds far fewer, and the verdict is the size."""
    assert refused(photograph(changed(Rows=size[0], Columns=size[1])), tmp_path) is Reason.IMAGE_TOO_LARGE


@pytest.mark.parametrize(
    "make",
    [
        lambda: photograph(changed(SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.5.4")),
        JPEG.read_bytes,
        lambda: b"PK\3\4" + bytes(200),
        lambda: b"",
    ],
    ids=["tomography", "jpeg", "zip", "empty"],
)
def test_another_kind_of_file_is_refused_as_such(make: Callable[[], bytes], tmp_path: Path) -> None:
    """Only the two classes of ophthalmic photography are taken (C-RET-2)."""
    assert refused(make(), tmp_path) is Reason.BLOB_CONTENT_TYPE


@pytest.mark.parametrize(("edit", "syntax"), [(as_drawn, ExplicitVRLittleEndian), (as_jpeg, JPEGBaseline8Bit)])
def test_a_cut_file_is_refused(edit: Edit, syntax: str, tmp_path: Path) -> None:
    """Wherever it was cut: by a verdict, or by what pydicom and struct raise, which the entry turns into one."""
    whole = photograph(edit, syntax=syntax)
    for length in [len(whole) - 9, *range(132, 1200, 7), *Random(3).sample(range(1200, len(whole) - 9), 40)]:
        with pytest.raises((Rejected, struct.error, EOFError)):
            looked(whole[:length], tmp_path)
