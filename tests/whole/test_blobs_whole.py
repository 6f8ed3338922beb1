"""A content is what its hash says, and only its own device's: held against a whole installation over MQTT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulators.devices.clock import DeviceClock
from simulators.devices.contents import Content
from simulators.devices.retino_camera import PHOTOGRAPH, View, picture
from tests.faults.installation import Installation
from tests.whole.apparatus import Apparatus, Enrolled, Given, enrol, running, wait_for
from tests.whole.pulling import Pulling

LEFT = PHOTOGRAPH.read_bytes()
MISMATCH = ("quarantined", "blob.hash_mismatch")

pytestmark = [pytest.mark.faults]


def shown(content: Content) -> Given:
    """A camera that takes one picture of a left eye."""
    return Given({"image": {"blob": content, "eye": "left", "field": "macula"}})


def pictured(site: Installation, name: str, **drawn: Any) -> tuple[Enrolled, Content]:  # noqa: ANN401 - those of `View`
    """A camera, and a picture of its own: no two cameras of these tests may claim one by chance."""
    (who,) = enrol(site, "retinography", name)
    return who, Content(picture(View(**drawn), "jpeg", DeviceClock().now()), "image/jpeg")


def test_one_wrong_byte_is_told_by_name_and_goes_nowhere(site: Installation, pulled: Pulling, tmp_path: Path) -> None:
    """A camera whose memory changed a byte is told `blob.hash_mismatch` once; nothing of it is in a record."""
    who, content = pictured(site, "cam-damaged", diabetic=True)
    with running(site, who, tmp_path / "cam", "blob_damaged") as camera:
        camera.measure(shown(content))
        camera.settle()
        assert camera.verdicts("stored", "quarantined") == [MISMATCH]
        assert camera.tally.actions == {"fix": 1}
    with site.api() as api:
        (row,) = [each for each in api.get("/quarantine")["items"] if each["device"] == who.device]
    assert row["reason"] == "blob.hash_mismatch"
    assert pulled.found("Media", who.patient) == []


def test_one_byte_changed_on_the_way_is_cured(site: Installation, pulled: Pulling, tmp_path: Path) -> None:
    """A line that damages parts costs time: the content arrives as the camera has it."""
    who, content = pictured(site, "cam-line", field="disc")
    with running(site, who, tmp_path / "cam", "blob_byte:0.4") as camera:
        camera.measure(shown(content))
        camera.settle()
        assert camera.fired["blob_byte"] > 0
    wait_for(lambda: pulled.found("Media", who.patient), "the photograph is published")
    assert sole(pulled, who) == content["sha256"]


def test_no_other_device_can_spoil_a_content_or_claim_it(site: Installation, pulled: Pulling, tmp_path: Path) -> None:
    """While one camera is half way through a photograph, others lie about its hash, before and after it is whole.

    One sends other bytes under the hash, one claims it and sends nothing. The first goes on where it was.
    """
    content = Content(LEFT, "image/jpeg")
    victim, spoiler, claimer = enrol(site, "retinography", "cam-victim", "cam-spoiler", "cam-claimer")
    with running(site, victim, tmp_path / "victim", "blob_stop") as half:
        half.measure(shown(content))
        wait_for(lambda: half.tally.verdicts["kept"] >= half.tally.parts > 0, "half of it is kept")
        kept = half.tally.part_bytes
    assert 0 < kept < len(LEFT)
    with (
        running(site, spoiler, tmp_path / "spoiler") as spoiling,
        running(site, claimer, tmp_path / "claimer") as claiming,
    ):
        lies(spoiling, content, bytes(len(LEFT)))
        claiming.measure(shown(content.lying(raw=b"")))
        spoiling.settle()
        wait_for(lambda: claiming.tally.verdicts["pending"] > 0, "the claim is answered")
        with running(site, victim, tmp_path / "victim") as whole:
            whole.settle()
            assert whole.verdicts("stored", "quarantined") == [("stored", None)]
            assert kept + whole.tally.part_bytes == len(LEFT)
        asked = claiming.tally.verdicts["pending"]
        lies(spoiling, content, LEFT[:-1] + b"\0")
        spoiling.settle()
        wait_for(lambda: claiming.tally.verdicts["pending"] > asked, "the claim was asked about again")
        assert spoiling.verdicts("stored", "quarantined") == [MISMATCH, MISMATCH]
        assert {verdict for verdict, _ in claiming.verdicts()} == {"pending"}
        assert missing(site, claimer) == [[0, len(LEFT)]]
    wait_for(lambda: pulled.found("Media", victim.patient), "the photograph is published")
    assert sole(pulled, victim) == content["sha256"]
    assert [pulled.found("Media", each.patient) for each in (spoiler, claimer)] == [[], []]


def lies(camera: Apparatus, content: Content, raw: bytes) -> None:
    """Take a picture with other bytes under the hash of this one."""
    camera.measure(shown(content.lying(raw=raw)))


def missing(site: Installation, who: Enrolled) -> list[list[int]]:
    """What the only reading of a device still lacks."""
    with site.api() as api:
        (reading,) = api.get("/readings", device=who.device)["items"]
    assert reading["verdict"] == "pending"
    ranges: list[list[int]] = reading["blob"]["missing"]
    return ranges


def sole(pulled: Pulling, who: Enrolled) -> str:
    """Hex SHA-256 of the only photograph of a person."""
    (media,) = pulled.found("Media", who.patient)
    return pulled.sha256(media["content"]["url"])
