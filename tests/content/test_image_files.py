"""Photographs as JPEG and PNG: what is told of good ones, and how bad ones are refused."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from ingest.content import image, jpeg, png
from ingest.content.found import Picture
from ingest.reasons import Reason, Rejected

RECORDINGS = Path(__file__).parents[2] / "simulators" / "recordings"
JPEG = RECORDINGS / "fundus-left-normal.jpg"
PNG = RECORDINGS / "microaneurysms.png"
TYPES = {JPEG: "image/jpeg", PNG: "image/png"}


def chunk(name: bytes, content: bytes = b"") -> bytes:
    """One PNG chunk."""
    return struct.pack(">I", len(content)) + name + content + zlib.crc32(name + content).to_bytes(4, "big")


def start(width: int, height: int, bits: int = 8, colour: int = 0, interlaced: int = 0) -> bytes:
    """A PNG up to the end of its header."""
    return png.MAGIC + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced))


def drawn(
    pixels: bytes, *, width: int = 5, height: int = 5, bits: int = 8, colour: int = 0, interlaced: int = 0
) -> bytes:
    """A whole PNG of filtered rows."""
    return start(width, height, bits, colour, interlaced) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND")


def encoded(picture: Image.Image, form: str, **how: object) -> bytes:
    """The bytes of a picture."""
    file = io.BytesIO()
    picture.save(file, form, **how)
    return file.getvalue()


def looked(content: bytes, content_type: str, folder: Path) -> Picture:
    """What looking told; the thumbnail is left in ``folder``."""
    path = folder / "file"
    path.write_bytes(content)
    found = image.look(path, folder, content_type)
    assert found.picture is not None
    assert (found.eye, found.field, found.person) == (None, None, None)
    return found.picture


def refused(content: bytes, content_type: str, folder: Path) -> Reason:
    """Why it was refused; nothing was written."""
    with pytest.raises(Rejected) as verdict:
        looked(content, content_type, folder)
    assert verdict.value.pointer is not None
    assert verdict.value.pointer.startswith("/image/blob")
    assert [each.name for each in folder.iterdir()] == ["file"]
    return verdict.value.reason


def thumbnail(told: Picture, folder: Path) -> Image.Image:
    """The thumbnail, which bears the name of its bytes."""
    assert told.thumbnail is not None
    content = (folder / told.thumbnail).read_bytes()
    assert hashlib.sha256(content).hexdigest() == told.thumbnail
    small = Image.open(io.BytesIO(content), formats=["JPEG"])
    small.load()
    return small


@pytest.mark.parametrize("path", [JPEG, PNG], ids=lambda path: path.name)
def test_the_photographs_are_the_ones_described(path: Path) -> None:
    """The checksum stands in the README beside each."""
    assert hashlib.sha256(path.read_bytes()).hexdigest() in path.with_name("README.md").read_text()


def test_a_fundus_photograph_is_told_and_made_small(tmp_path: Path) -> None:
    """Size and bits are those of the file; the thumbnail shows the same picture, 256 pixels wide."""
    told = looked(JPEG.read_bytes(), "image/jpeg", tmp_path)
    assert (told.width, told.height, told.bits) == (1411, 1411, 8)
    small = thumbnail(told, tmp_path)
    assert (small.size, small.mode) == ((256, 256), "RGB")
    whole = Image.open(JPEG).resize((256, 256), Image.Resampling.BOX)
    assert np.abs(np.asarray(small).astype(int) - np.asarray(whole)).mean() < 4


def test_a_small_grey_png_is_not_enlarged(tmp_path: Path) -> None:
    """102 pixels stay 102, and grey stays grey."""
    told = looked(PNG.read_bytes(), "image/png", tmp_path)
    assert (told.width, told.height, told.bits) == (102, 102, 8)
    assert (thumbnail(told, tmp_path).size, thumbnail(told, tmp_path).mode) == ((102, 102), "L")


def test_nothing_a_camera_wrote_beside_the_picture_is_in_the_thumbnail(tmp_path: Path) -> None:
    """Owner, place, comment and colour profile stay in the original."""
    exif = Image.Exif()
    exif[0x010E] = "EXEMPLE-FICTIF"
    exif[0x8825] = {1: "S", 2: (20.0, 52.0, 44.0)}
    content = encoded(Image.open(JPEG), "JPEG", exif=exif, comment=b"EXEMPLE-FICTIF", icc_profile=b"EXEMPLE-FICTIF")
    told = looked(content, "image/jpeg", tmp_path)
    small = thumbnail(told, tmp_path)
    assert not small.getexif()
    assert set(small.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert b"EXEMPLE" not in (tmp_path / str(told.thumbnail)).read_bytes()


def test_a_picture_on_its_side_is_shown_as_viewers_show_it(tmp_path: Path) -> None:
    """Orientation 6: the left edge of the stored picture becomes the top of the thumbnail."""
    wide = Image.new("L", (400, 200))
    wide.paste(255, (0, 0, 100, 200))
    exif = Image.Exif()
    exif[0x0112] = 6
    small = thumbnail(looked(encoded(wide, "JPEG", exif=exif), "image/jpeg", tmp_path), tmp_path)
    assert small.size == (128, 256)
    assert np.asarray(small)[:32].min() > 200
    assert np.asarray(small)[128:].max() < 50


def test_broken_exif_says_nothing_against_a_picture(tmp_path: Path) -> None:
    """A camera's faulty notes do not cost the photograph."""
    content = encoded(Image.open(JPEG), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert looked(content, "image/jpeg", tmp_path).width == 1411


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_form_of_png_is_shown(mode: str, tmp_path: Path) -> None:
    """Grey, coloured, by palette, with transparency, 1 to 16 bits."""
    grey = np.asarray(Image.open(PNG))
    picture = Image.fromarray(grey.astype(np.uint16) << 8) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    told = looked(encoded(picture, "PNG"), "image/png", tmp_path)
    assert told.bits == {"1": 1, "I;16": 16}.get(mode, 8)
    small = np.asarray(thumbnail(told, tmp_path).convert("L")).astype(int)
    assert abs(small.mean() - np.asarray(Image.open(PNG)).mean()) < 20


def test_sixteen_bits_a_colour_are_told(tmp_path: Path) -> None:
    """A form that Pillow cannot write is read."""
    told = looked(drawn(bytes(5 * 31), bits=16, colour=2), "image/png", tmp_path)
    assert (told.bits, thumbnail(told, tmp_path).size) == (16, (5, 5))


def test_an_interlaced_png_is_read_pass_by_pass(tmp_path: Path) -> None:
    """In 5 x 5 pixels the passes have 1, 1, 2 in 1 row, 2, 6 in 2 rows, 2 rows of 2 in 3, and 10 in 2 (PNG, 8.1)."""
    rows = [(1, 1), (1, 1), (2, 1), (1, 2), (3, 1), (2, 3), (5, 2)]
    pixels = b"".join(bytes(1 + columns) * count for columns, count in rows)
    assert looked(drawn(pixels, interlaced=1), "image/png", tmp_path).width == 5


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
@pytest.mark.parametrize("size", [(1000, 1000), (1000, 400), (233, 800)])
def test_a_png_too_large_to_be_held_is_shown_from_bands(
    mode: str, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same thumbnail as from the whole, but for the finer averaging that the whole allows."""
    content = encoded(Image.open(JPEG).resize(size).convert(mode), "PNG")
    whole = thumbnail(looked(content, "image/png", tmp_path), tmp_path).convert("RGB")
    monkeypatch.setattr(image, "WHOLE", 100_000)
    bands = thumbnail(looked(content, "image/png", tmp_path), tmp_path)
    assert bands.size == whole.size
    assert np.abs(np.asarray(bands).astype(int) - np.asarray(whole)).mean() < 6


def test_a_png_that_cannot_be_shown_is_checked_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """16 bits a colour, too large to be held: no thumbnail, yet its rows have to be rows."""
    monkeypatch.setattr(image, "WHOLE", 1)
    assert looked(drawn(bytes(5 * 31), bits=16, colour=2), "image/png", tmp_path) == Picture(5, 5, 16, None)
    bad = drawn(bytes(31) + b"\5" + bytes(4 * 31 - 1), bits=16, colour=2)
    assert refused(bad, "image/png", tmp_path) is Reason.IMAGE_UNDECODABLE


@pytest.mark.parametrize("marker", [b"\xc3", b"\xc7", b"\xc9", b"\xca", b"\xcb"])
def test_a_jpeg_that_no_browser_shows_is_refused_before_a_decoder_meets_it(marker: bytes) -> None:
    """Lossless and arithmetic coding."""
    with pytest.raises(Rejected):
        jpeg.check(io.BytesIO(JPEG.read_bytes().replace(b"\xff\xc0\0\x11", b"\xff" + marker + b"\0\x11")))


def test_a_progressive_jpeg_that_does_not_fit_is_refused_from_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would have to be held whole; a baseline one of the same size is read."""
    monkeypatch.setattr(image, "WHOLE", 5_000_000)
    picture = Image.open(JPEG)
    assert refused(encoded(picture, "JPEG", progressive=True), "image/jpeg", tmp_path) is Reason.IMAGE_UNDECODABLE
    assert looked(encoded(picture, "JPEG"), "image/jpeg", tmp_path).width == 1411


def test_a_progressive_jpeg_is_read(tmp_path: Path) -> None:
    """Several scans are one picture."""
    told = looked(encoded(Image.open(JPEG), "JPEG", progressive=True), "image/jpeg", tmp_path)
    assert thumbnail(told, tmp_path).size == (256, 256)


@pytest.mark.parametrize(("width", "height"), [(30_000, 30_000), (10_001, 10_000), (65_535, 65_535)])
def test_too_many_pixels_are_refused_from_the_header_alone(width: int, height: int, tmp_path: Path) -> None:
    """I1: no byte of a pixel is in these files, and the verdict is the size."""
    frame = b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes.fromhex("012200021101031101")
    assert refused(frame, "image/jpeg", tmp_path) is Reason.IMAGE_TOO_LARGE
    assert refused(start(width, height, colour=2), "image/png", tmp_path) is Reason.IMAGE_TOO_LARGE


def test_a_hundred_megapixels_are_not_too_many(tmp_path: Path) -> None:
    """At the limit the header passes; these files then lack their pixels."""
    frame = b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 11, 8, 10_000, 10_000, 1) + bytes.fromhex("011100")
    assert refused(frame, "image/jpeg", tmp_path) is Reason.IMAGE_UNDECODABLE
    assert refused(start(10_000, 10_000), "image/png", tmp_path) is Reason.IMAGE_UNDECODABLE


def animated() -> bytes:
    """A PNG of two frames."""
    return encoded(
        Image.new("L", (9, 9)), "PNG", save_all=True, append_images=[Image.new("L", (9, 9), 255)], default_image=False
    )


def texts() -> bytes:
    """A PNG with 200 texts of a million zeros each."""
    told = PngImagePlugin.PngInfo()
    for number in range(200):
        told.add_text(f"t{number}", "0" * 1_000_000, zip=True)
    return encoded(Image.new("L", (9, 9)), "PNG", pnginfo=told)


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "animated PNG (I2)": (animated, "image/png"),
    "text bomb (I2)": (texts, "image/png"),
    "long text": (lambda: PNG.read_bytes()[:33] + chunk(b"tEXt", bytes(5 << 20)) + PNG.read_bytes()[33:], "image/png"),
    "unknown critical chunk": (lambda: PNG.read_bytes()[:33] + chunk(b"ABCD") + PNG.read_bytes()[33:], "image/png"),
    "rows that inflate to too much": (lambda: drawn(bytes(10_000_000)), "image/png"),
    "rows that are too few": (lambda: drawn(bytes(29)), "image/png"),
    "a filter that is none": (lambda: drawn(b"\5" + bytes(29)), "image/png"),
    "no pixels": (lambda: start(5, 5) + chunk(b"IEND"), "image/png"),
    "no width": (lambda: drawn(b"", width=0), "image/png"),
    "a row of ten million pixels": (lambda: start(10_000_001, 9), "image/png"),
    "two headers": (lambda: start(5, 5) + drawn(bytes(30))[8:], "image/png"),
    "PNG and an archive (I8)": (lambda: PNG.read_bytes() + b"PK\3\4", "image/png"),
    "JPEG and an archive (I8)": (lambda: JPEG.read_bytes() + b"PK\3\4", "image/jpeg"),
    "two JPEGs": (lambda: JPEG.read_bytes() * 2, "image/jpeg"),
    "JPEG without its frame": (lambda: b"\xff\xd8\xff\xd9", "image/jpeg"),
    "JPEG without its scans": (lambda: JPEG.read_bytes()[:200] + b"\xff\xd9", "image/jpeg"),
    "lossless JPEG": (lambda: JPEG.read_bytes().replace(b"\xff\xc0\0\x11", b"\xff\xc3\0\x11"), "image/jpeg"),
    "thousands of scans": (lambda: many_scans(), "image/jpeg"),  # noqa: PLW0108 - defined below
}


def many_scans() -> bytes:
    """A progressive JPEG that repeats its first scan."""
    content = encoded(Image.open(PNG), "JPEG", progressive=True)
    first = content.index(b"\xff\xda")
    second = content.index(b"\xff\xc4", first)
    return content[:first] + content[first:second] * 5000 + content[second:]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_undecodable(name: str, tmp_path: Path) -> None:
    """Refused by name, with nothing written."""
    make, content_type = BAD[name]
    assert refused(make(), content_type, tmp_path) is Reason.IMAGE_UNDECODABLE


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (JPEG.read_bytes(), "image/png"),
        (PNG.read_bytes(), "image/jpeg"),
        (JPEG.read_bytes(), "image/gif"),
        (b"GIF89a" + bytes(20), "image/png"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "image/png"),
        (b"%PDF-1.7\n", "image/jpeg"),
        (b"\x1f\x8b\x08SIMPLE  =", "image/jpeg"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jpeg"),
        (b"PK\3\4", "image/png"),
        (b"", "image/jpeg"),
    ],
    ids=["png", "jpeg", "said gif", "gif", "svg", "pdf", "fits", "jpeg2000", "zip", "empty"],
)
def test_a_file_of_another_type_is_refused_as_such(content: bytes, content_type: str, tmp_path: Path) -> None:
    """I2, I3, I6, I8: the first bytes have to be those of the type that was said."""
    assert refused(content, content_type, tmp_path) is Reason.BLOB_CONTENT_TYPE


@pytest.mark.parametrize("path", [JPEG, PNG], ids=lambda path: path.name)
def test_zeros_behind_the_end_are_padding(path: Path, tmp_path: Path) -> None:
    """Some cards fill the last block."""
    assert looked(path.read_bytes() + bytes(100), TYPES[path], tmp_path).thumbnail


@pytest.mark.parametrize("path", [JPEG, PNG], ids=lambda path: path.name)
def test_a_cut_photograph_is_refused(path: Path, tmp_path: Path) -> None:
    """I3: wherever it was cut; the last byte alone is missed as well."""
    whole = path.read_bytes()
    for length in [len(whole) - 1, len(whole) - 2, *Random(1).sample(range(1, len(whole)), 60)]:
        assert refused(whole[:length], TYPES[path], tmp_path) is Reason.IMAGE_UNDECODABLE, length


def test_a_flipped_bit_in_a_png_is_noticed(tmp_path: Path) -> None:
    """Every byte of a PNG stands under a checksum."""
    whole = PNG.read_bytes()
    for offset in Random(2).sample(range(len(whole)), 100):
        flipped = whole[:offset] + bytes([whole[offset] ^ 1]) + whole[offset + 1 :]
        expected = Reason.BLOB_CONTENT_TYPE if offset < 8 else Reason.IMAGE_UNDECODABLE
        assert refused(flipped, "image/png", tmp_path) in {expected, Reason.IMAGE_TOO_LARGE}, offset
