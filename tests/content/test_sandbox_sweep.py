"""Photographs broken at every 97th place, and the largest that are taken, through the real child."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest.content.found import Found
from ingest.reasons import Reason, Rejected
from ingest.sandbox import MEMORY, Sandbox

RECORDINGS = Path(__file__).parents[2] / "simulators" / "recordings"
JPEG, PNG = RECORDINGS / "fundus-left-normal.jpg", RECORDINGS / "microaneurysms.png"
TYPES = {".jpg": "image/jpeg", ".png": "image/png"}
REASONS = {Reason.BLOB_CONTENT_TYPE, Reason.IMAGE_UNDECODABLE, Reason.IMAGE_TOO_LARGE}

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    """The real child."""
    with Sandbox(jobs=100_000) as sandbox:
        yield sandbox


def looked(box: Sandbox, path: Path, out: Path) -> Found | Reason:
    """What was found, or why not."""
    try:
        return box.look(path, TYPES[path.suffix], "retinography", out)
    except Rejected as verdict:
        return verdict.reason


def peak(box: Sandbox) -> int:
    """Bytes of resident memory that the child ever had."""
    lines = Path(f"/proc/{box.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@pytest.mark.parametrize("original", [JPEG, PNG], ids=lambda path: path.name)
def test_every_cut_is_noticed_and_kills_nobody(original: Path, box: Sandbox, tmp_path: Path) -> None:
    """One child outlives them all."""
    whole = original.read_bytes()
    broken = tmp_path / f"broken{original.suffix}"
    looked(box, original, tmp_path)
    pid = box.pid
    for length in range(1, len(whole), 97):
        broken.write_bytes(whole[:length])
        assert looked(box, broken, tmp_path) in REASONS, length
    assert box.pid == pid
    assert peak(box) < MEMORY


@pytest.mark.parametrize("original", [JPEG, PNG], ids=lambda path: path.name)
def test_every_flipped_bit_is_noticed_or_harmless(original: Path, box: Sandbox, tmp_path: Path) -> None:
    """A PNG has checksums everywhere. A JPEG has none: another picture may come out, never a fault of ours."""
    whole = original.read_bytes()
    broken = tmp_path / f"broken{original.suffix}"
    looked(box, original, tmp_path)
    pid = box.pid
    shown = 0
    for offset in range(0, len(whole), 97):
        broken.write_bytes(whole[:offset] + bytes([whole[offset] ^ (1 << offset % 8)]) + whole[offset + 1 :])
        told = looked(box, broken, tmp_path)
        if isinstance(told, Found):
            assert told.picture is not None
            assert told.picture.thumbnail is not None
            shown += 1
        else:
            assert told in REASONS, offset
    assert (shown == 0) == (original is PNG)
    assert box.pid == pid
    assert peak(box) < MEMORY


@pytest.mark.parametrize("name", ["L.png", "I;16.png", "P.png", "RGB.png", "L.jpg"])
def test_a_hundred_megapixels_are_looked_into_within_300_megabytes(name: str, box: Sandbox, tmp_path: Path) -> None:
    """C-RET-2: the largest that are taken, grey, by palette, in colour, in 16 bits."""
    mode, form = name.split(".")
    tile = np.asarray(Image.open(PNG))[:100, :100]
    pixels = np.tile(tile, (100, 100))
    if mode == "I;16":
        picture = Image.fromarray(pixels.astype(np.uint16) << 8)
    else:
        picture = Image.fromarray(pixels).convert(mode)
    path = tmp_path / f"large.{form}"
    picture.save(path, compress_level=1)
    told = looked(box, path, tmp_path)
    assert isinstance(told, Found)
    assert told.picture is not None
    assert (told.picture.width, told.picture.height) == (10_000, 10_000)
    assert told.picture.thumbnail is not None
    assert peak(box) < MEMORY
