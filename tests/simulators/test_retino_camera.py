"""The fundus camera plays one photograph, and never passes a made picture off as one."""

from __future__ import annotations

import json
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ingest.content import look
from ingest.judge import judge
from ingest.model import Channel, DeviceStatus, Facts, Outcome, RawMessage
from simulators.devices.contents import Content, carried
from simulators.devices.retino_camera import (
    DIABETIC,
    FORMATS,
    PHOTOGRAPH,
    SCREENING,
    Camera,
    NoiseCamera,
    View,
    noise,
    picture,
)

AT = datetime.fromisoformat("2026-11-21T08:30:00+04:00")


def taken(camera: Camera | NoiseCamera) -> tuple[dict[str, Any], Content]:
    """The members and the content of the next picture, which the judge finds good."""
    members: dict[str, Any] = dict(camera.measure(AT))
    content = carried(members)
    assert content is not None
    whole = {"v": 1, "stream": "ab" * 16, "seq": 0, "kind": "retinography", "taken_at": AT.isoformat(), **members}
    instant = int(AT.timestamp() * 1_000_000)
    raw = RawMessage("cam-0001", Channel.READING, json.dumps(whole).encode(), instant)
    verdict = judge(raw, Facts(instant, DeviceStatus.ACTIVE)).verdict
    assert (verdict.outcome, verdict.reason) == (Outcome.PENDING, None)
    return members, content


def pixels(raw: bytes) -> np.ndarray[Any, Any]:
    """A picture's pixels, as numbers that may become negative."""
    with Image.open(BytesIO(raw)) as shown:
        return np.asarray(shown.convert("RGB")).astype(int)


def test_the_left_macula_is_the_photograph_itself() -> None:
    """Byte for byte, with nothing said of synthesis."""
    members, content = taken(Camera())
    assert content.raw == PHOTOGRAPH.read_bytes()
    assert "synthetic" not in members
    assert {name: said for name, said in members["image"].items() if name != "blob"} == {
        "eye": "left",
        "field": "macula",
        "angle_deg": 45,
        "pupil": "natural",
    }


@pytest.mark.parametrize("views", [SCREENING, DIABETIC])
@pytest.mark.parametrize("file_format", FORMATS)
def test_all_but_the_photograph_say_what_was_done(views: tuple[View, ...], file_format: str, tmp_path: Path) -> None:
    """Reading and file both name mirroring, cropping, overlay; the gateway's eyes can read every file."""
    camera = Camera(views, file_format)
    for view in views:
        members, content = taken(camera)
        assert members.get("synthetic", "") == ", ".join(view.made_by)
        assert (b"SYNTHETIC: " in content.raw) == bool(view.made_by)
        (tmp_path / "picture").write_bytes(content.raw)
        found = look(tmp_path / "picture", FORMATS[file_format], "retinography", tmp_path)
        assert found.picture is not None
        assert found.picture.width == found.picture.height == (448 if view.field == "disc" else 1411)
        assert (found.eye, found.field) == ((view.eye, view.field) if file_format == "dicom" else (None, None))
        assert ("eye" in members["image"]) == (file_format != "dicom")
        assert found.person is None or not any((found.person.family, found.person.given, found.person.id))


def test_the_right_eye_is_the_mirrored_left() -> None:
    """Pixel for pixel in a lossless file."""
    left, right = (pixels(picture(View(eye), "png", AT)) for eye in ("left", "right"))
    assert np.array_equal(left, right[:, ::-1])


def test_the_disc_field_shows_the_disc() -> None:
    """Its middle is far brighter than the macula's."""
    disc, macula = (pixels(picture(View("left", field), "png", AT)) for field in ("disc", "macula"))
    middle = [
        shown[shown.shape[0] // 2 - 40 :, shown.shape[1] // 2 - 40 :][:80, :80, 1].mean() for shown in (disc, macula)
    ]
    assert middle[0] > 2 * middle[1]


def test_the_diabetic_eye_differs_in_one_small_place() -> None:
    """The overlay darkens at most its own square; all else is the photograph."""
    healthy, diabetic = (pixels(picture(View("left", diabetic=ill), "png", AT)) for ill in (False, True))
    rows, columns = np.nonzero((healthy != diabetic).any(axis=2))
    assert 0 < np.ptp(rows) <= 102
    assert 0 < np.ptp(columns) <= 102
    assert (healthy - diabetic)[..., 1].max() > 30


def test_noise_is_as_large_as_asked_and_never_for_a_record() -> None:
    """Seeded, about so many bytes, each picture another, flagged as a test."""
    camera = NoiseCamera(1, 200_000)
    members, first = taken(camera)
    _, second = taken(camera)
    assert members["flags"] == ["test"]
    assert first["sha256"] != second["sha256"]
    assert 190_000 < len(first.raw) < 215_000
    assert noise(2, 200_000) == first.raw


def test_an_unknown_format_is_refused_in_words() -> None:
    """It lists those there are."""
    with pytest.raises(ValueError, match="jpeg, png, dicom"):
        Camera(file_format="gif")
