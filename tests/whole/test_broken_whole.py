"""Broken and hostile files, and a child that stands still, in a whole installation: others do not notice."""

from __future__ import annotations

import os
import signal
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from PIL import Image

from ingest.sandbox import MEMORY
from simulators.devices import ecg_cart
from simulators.devices.blood_pressure import Cuff
from simulators.devices.clock import DeviceClock
from simulators.devices.contents import Content
from simulators.devices.retino_camera import PHOTOGRAPH, View, picture
from tests.faults.installation import Installation
from tests.whole.apparatus import Apparatus, Enrolled, Given, enrol, running, wait_for
from tests.whole.child import Peak, child, stopped
from tests.whole.pulling import Pulling

JPEG, DICOM = PHOTOGRAPH.read_bytes(), ecg_cart.RECORDING.read_bytes()
FLIPS = int(os.environ.get("CONTENTS_FLIPS", "6"))
"""How many files with some flipped bits of each type; a full run has 100."""
CHANCE = Random(20)
_HEAD = 600
PRESSURES = 30
UNDECODABLE = frozenset({"blob.undecodable", "image.undecodable"})
ECG = UNDECODABLE | {"blob.content_type", "ecg.leads", "ecg.length", "ecg.sampling"}
IMAGE = UNDECODABLE | {"blob.content_type", "image.too_large"}

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120 + FLIPS)]


def edf() -> bytes:
    """The real ECG as EDF+."""
    written: Any = ecg_cart.build(mode="edf").measure(DeviceClock().now())["recording"]
    raw: bytes = written["blob"].raw
    return raw


def flipped(whole: bytes) -> bytes:
    """Eight bits of the file turned over, half of them in what stands before pixels and samples."""
    broken = bytearray(whole)
    for most in (_HEAD, len(whole)) * 4:
        broken[CHANCE.randrange(most)] ^= 1 << CHANCE.randrange(8)
    return bytes(broken)


def cut(whole: bytes) -> bytes:
    """The beginning of a file."""
    return whole[: CHANCE.randrange(len(whole) // 4, len(whole) - 1)]


def png(width: int, height: int, *rows: bytes) -> bytes:
    """A grey PNG whose pixels are what `rows` deflate to."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), *((b"IDAT", each) for each in rows), (b"IEND", b""))
    written = (struct.pack(">I", len(of)) + name + of + struct.pack(">I", zlib.crc32(name + of)) for name, of in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def deflated(size: int) -> bytes:
    """`size` zero bytes as a thousandth of them."""
    packing = zlib.compressobj(9)
    blocks = [bytes(1 << 20)] * (size >> 20) + [bytes(size % (1 << 20))]
    return b"".join([*map(packing.compress, blocks), packing.flush()])


def largest() -> Iterator[tuple[bytes, str]]:
    """Good pictures of the most pixels that are taken (C-RET-2)."""
    side = 10_000
    yield png(side, side, deflated(side * (side + 1))), "image/png"
    written = BytesIO()
    Image.new("L", (side, side), 128).save(written, "JPEG")
    yield written.getvalue(), "image/jpeg"


def pictures() -> Iterator[tuple[bytes, str]]:
    """Files that are no photograph, or hardly one."""
    yield cut(JPEG), "image/jpeg"
    yield png(30_000, 30_000, deflated(1 << 20)), "image/png"
    yield png(10_000, 10_000, deflated(1 << 30)), "image/png"
    yield png(16, 16, deflated(1 << 29)), "image/png"
    yield JPEG, "image/png"
    for _ in range(FLIPS):
        yield flipped(JPEG), "image/jpeg"


def recordings() -> Iterator[tuple[bytes, str]]:
    """Files that are no recording, or hardly one."""
    for whole, media in ((DICOM, "application/dicom"), (edf(), "application/edf")):
        yield cut(whole), media
        for _ in range(FLIPS):
            yield flipped(whole), media


def photograph(raw: bytes, media: str) -> Given:
    """A camera that shows this."""
    return Given({"image": {"blob": Content(raw, media), "eye": "left", "field": "macula"}})


def recording(raw: bytes, media: str) -> Given:
    """A cart that shows this."""
    return Given({"recording": {"blob": Content(raw, media)}})


@contextmanager
def devices(site: Installation, folder: Path, prefix: str) -> Iterator[tuple[Apparatus, Apparatus, Apparatus]]:
    """A camera, a cart and a blood pressure meter on the line."""
    kinds = {"retinography": "cam", "ecg": "cart", "blood_pressure": "bp"}
    who: list[Enrolled] = [enrol(site, kind, f"{prefix}-{name}")[0] for kind, name in kinds.items()]
    with (
        running(site, who[0], folder / "cam", part=262_144) as camera,
        running(site, who[1], folder / "cart", part=262_144) as cart,
        running(site, who[2], folder / "bp") as meter,
    ):
        yield camera, cart, meter


def test_broken_files_are_refused_by_name_and_hold_nobody_up(site: Installation, tmp_path: Path) -> None:
    """Cut and flipped files, bombs of a gigabyte, pictures of 100 megapixels, between readings of a meter.

    No child needs 300 MB for them. A flipped bit may leave a file readable: then it is stored.
    """
    broken_pictures, broken_recordings = list(pictures()), list(recordings())
    good = list(largest())
    peak = Peak(site)
    with devices(site, tmp_path, "broken") as (camera, cart, meter):
        meter.measure(Cuff(1), PRESSURES // 2)
        for raw, media in broken_pictures + good:
            camera.measure(photograph(raw, media))
        for raw, media in broken_recordings:
            cart.measure(recording(raw, media))
        meter.measure(Cuff(2), PRESSURES - PRESSURES // 2)
        wait_for(lambda: peak.look() and meter.settled and camera.settled and cart.settled, "all is answered", 90.0)
        assert len(meter.tally.stored) == PRESSURES
        assert_all_judged(camera, len(broken_pictures + good), IMAGE, surely=5)
        assert camera.final[-len(good) :] == ["stored"] * len(good)
        assert_all_judged(cart, len(broken_recordings), ECG, surely=2)
        assert camera.tally.reasons["image.too_large"] == 1
    assert peak.by_pid, "no child was seen"
    assert max(peak.by_pid.values()) < MEMORY
    assert site.serves("office")
    assert "Traceback" not in site.words
    print({"pictures": camera.tally.reasons, "recordings": cart.tally.reasons, "peak": peak.by_pid})  # noqa: T201 - for -s


def assert_all_judged(device: Apparatus, count: int, reasons: frozenset[str], surely: int) -> None:
    """Each has one final verdict; at least so many were refused, and only for such reasons."""
    assert len(device.final) == count
    assert set(device.tally.reasons) <= reasons
    assert device.final.count("quarantined") >= surely


def test_a_child_that_stands_still_holds_up_only_what_it_looks_at(
    site: Installation, pulled: Pulling, tmp_path: Path
) -> None:
    """Blood pressures are stored while it does; killed, it is started again, and the photograph has its verdict."""
    views = [View(eye, field, diabetic=True) for eye, field in (("left", "disc"), ("right", "macula"))]
    first, second = (picture(view, "jpeg", DeviceClock().now()) for view in views)
    with devices(site, tmp_path, "still") as (camera, _cart, meter):
        camera.measure(photograph(first, "image/jpeg"))
        camera.settle()
        before = child(site)
        assert before is not None
        os.kill(before, signal.SIGSTOP)
        wait_for(lambda: stopped(before), "it stands still")
        camera.measure(photograph(second, "image/jpeg"))
        wait_for(lambda: is_complete(site, camera.who), "all of the second photograph has come")
        meter.measure(Cuff(3), PRESSURES)
        meter.settle()
        assert len(meter.tally.stored) == PRESSURES
        wait_for(lambda: len(pulled.found("Observation", meter.who.patient)) == 2 * PRESSURES, "all are published")
        assert stopped(before)
        assert len(camera.tally.stored) == 1
        os.kill(before, signal.SIGKILL)
        camera.settle()
        assert len(camera.tally.stored) == 2
        assert child(site) not in (None, before)
    assert site.serves("office")


def is_complete(site: Installation, who: Enrolled) -> bool:
    """Whether the newest reading of a device lacks nothing and has no verdict yet."""
    with site.api() as api:
        newest = api.get("/readings", device=who.device)["items"][0]
    return newest["verdict"] == "pending" and newest["blob"]["missing"] is None
