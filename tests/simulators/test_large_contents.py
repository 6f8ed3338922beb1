"""A device with large contents, its outbox and its faults, against a gateway in memory."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulators.devices.contents import Content, claimed
from simulators.devices.outbox import Outbox
from simulators.devices.parcels import UNANSWERED
from tests.simulators.contents_gateway import AT, GRID, QUICK, Camera, MemoryGateway


def deliver(camera: Camera, gateway: MemoryGateway, *, lose: float = 0.0, chance: Random | None = None) -> None:
    """All that was published reaches the gateway, all it says comes back; some of it not."""
    out, camera.line.out = camera.line.out, []
    for channel, payload in out:
        for receipt in gateway.take(channel, payload):
            if chance is None or chance.random() >= lose:
                camera.hear(receipt)


def until_answered(camera: Camera, gateway: MemoryGateway, within_s: float = 20.0) -> None:
    """Drive it; a torn line comes back at once."""
    deadline = time.monotonic() + within_s
    camera.connect(time.monotonic())
    while camera.voice.waiting:
        now = time.monotonic()
        assert now < deadline, "it never ended"
        if camera.line.gone:
            deliver(camera, gateway)
            camera.connect(now)
        camera.voice.publish_due(camera.line, now, 4)
        if not camera.line.out:
            time.sleep(0.002)
        deliver(camera, gateway)
    camera.outbox.flush()


@pytest.mark.parametrize("size", [1, GRID, 5 * GRID + 17])
def test_a_picture_arrives_and_is_forgotten(size: int, tmp_path: Path) -> None:
    """Reading, `pending`, parts, `stored`: the gateway has the bytes, the device no more."""
    camera, gateway, raw = Camera(file=tmp_path / "outbox"), MemoryGateway(), Random(1).randbytes(size)
    camera.take(raw)
    assert len(list((tmp_path / "outbox.contents").iterdir())) == 1
    until_answered(camera, gateway)
    assert list(gateway.contents.values()) == [raw]
    assert gateway.bytes == camera.tally.part_bytes == size
    assert list((tmp_path / "outbox.contents").iterdir()) == []
    assert (camera.tally.verdicts["stored"], camera.tally.parts) == (1, -(-size // GRID))


@pytest.mark.parametrize(
    "fault", ["blob_shuffle", "blob_repeat:0.3", "blob_drop:0.1", "blob_byte:0.1", "blob_cut:0.2", "drop:0.3"]
)
@pytest.mark.parametrize("seed", range(3))
def test_faults_of_the_line_lose_nothing(fault: str, seed: int) -> None:
    """Whatever the line does to parts and readings, the gateway ends with the bytes that were kept."""
    camera, gateway, raw = Camera(fault, seed=seed), MemoryGateway(), Random(seed).randbytes(30 * GRID + 5)
    camera.take(raw)
    until_answered(camera, gateway)
    assert list(gateway.contents.values()) == [raw]
    assert camera.faults.fired[fault.partition(":")[0]] > 0 or fault == "drop:0.3"
    if fault == "blob_drop:0.1":
        assert camera.tally.parts == 31 + camera.faults.fired["blob_drop"]


@pytest.mark.parametrize("fault", ["blob_damaged", "blob_short"])
def test_a_lie_about_the_content_is_found_and_frees(fault: str, tmp_path: Path) -> None:
    """Wrong bytes or a wrong length end in `blob.hash_mismatch` with `fix`, and the device lets go of them."""
    camera, gateway = Camera(fault, file=tmp_path / "outbox"), MemoryGateway()
    camera.take(Random(1).randbytes(3 * GRID))
    until_answered(camera, gateway)
    assert (dict(camera.tally.reasons), dict(camera.tally.actions)) == ({"blob.hash_mismatch": 1}, {"fix": 1})
    assert gateway.contents == {}
    assert list((tmp_path / "outbox.contents").iterdir()) == []


def test_a_length_too_long_stays_pending() -> None:
    """The end that was announced never comes: the device sends what there is, asks, and forgets nothing."""
    camera, gateway = Camera("blob_long"), MemoryGateway()
    camera.take(Random(1).randbytes(3 * GRID))
    with pytest.raises(AssertionError, match="never ended"):
        until_answered(camera, gateway, within_s=0.3)
    assert camera.tally.parts == 3
    assert camera.tally.repeated > 1


def test_a_content_that_the_line_damaged_goes_again_under_a_new_number() -> None:
    """The last part is damaged on the way: the mismatch is answered by a reading that replaces the first."""
    camera, gateway, raw = Camera("blob_byte:0.5", seed=1), MemoryGateway(), Random(1).randbytes(GRID)
    camera.take(raw)
    until_answered(camera, gateway)
    (second,) = [json.loads(payload) for key, payload in gateway.payloads.items() if key[1] == 1]
    assert (gateway.verdicts, second["replaces"]) == ({0: "quarantined", 1: "stored"}, 0)
    assert list(gateway.contents.values()) == [raw]


def test_stopped_half_way_a_later_run_sends_the_rest(tmp_path: Path) -> None:
    """Switched off in the middle, the next run with the same outbox sends what is missing and no more."""
    raw, gateway = Random(1).randbytes(20 * GRID), MemoryGateway()
    first = Camera("blob_stop", file=tmp_path / "outbox")
    first.take(raw)
    with pytest.raises(AssertionError, match="never ended"):
        until_answered(first, gateway, within_s=0.3)
    assert first.tally.parts == 10
    first.outbox.close()
    second = Camera(file=tmp_path / "outbox")
    until_answered(second, gateway)
    assert second.tally.parts == 10
    assert list(gateway.contents.values()) == [raw]


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_is_freed_before_stored(data: st.DataObject) -> None:
    """Lost receipts, cuts, crashes in any order: the bytes are held until the gateway has them all."""
    chance = Random(data.draw(st.integers(0, 999)))
    raw, gateway = chance.randbytes(data.draw(st.integers(1, 12 * GRID))), MemoryGateway()
    camera = Camera()
    camera.take(raw)
    (sha256,) = [claim.sha256 for r in camera.outbox.held() if (claim := claimed(r.payload))]
    for act in data.draw(st.lists(st.sampled_from(["connect", "publish", "deliver", "lossy", "wait"]), max_size=25)):
        now = time.monotonic()
        match act:
            case "connect":
                camera.connect(now)
            case "publish":
                camera.voice.publish_due(camera.line, now, 4)
            case "deliver":
                deliver(camera, gateway)
            case "lossy":
                deliver(camera, gateway, lose=0.5, chance=chance)
            case _:
                time.sleep(0.011)
        camera.outbox.flush()
        assert sum(channel.startswith("blob/") for channel, _ in camera.line.out) <= UNANSWERED
        if gateway.verdicts.get(0) != "stored":
            assert camera.outbox.contents.read(sha256, 0, len(raw)) == raw
    until_answered(camera, gateway)
    assert gateway.contents == {sha256: raw}


def test_a_crash_between_content_and_reading_leaves_no_litter(tmp_path: Path) -> None:
    """A content whose reading was never kept is removed at the next start; one that is claimed stays."""
    file = tmp_path / "outbox"
    camera = Camera(file=file)
    camera.take(b"claimed")
    camera.outbox.contents.keep("ab" * 32, b"orphan")
    (tmp_path / "outbox.contents" / "x.half").write_bytes(b"torn")
    camera.outbox.close()
    again = Outbox(file)
    (claim,) = [claim for reading in again.held() if (claim := claimed(reading.payload))]
    assert [path.name for path in (tmp_path / "outbox.contents").iterdir()] == [claim.sha256]
    assert again.contents.intact(claim)


def test_a_content_of_two_readings_stays_for_the_second(tmp_path: Path) -> None:
    """Settled once, it is still there for the other reading; marked readings keep theirs."""
    for marks in (False, True):
        outbox = Outbox(tmp_path / f"outbox-{marks}", marks=marks)
        camera = Camera(file=None)
        camera.voice._outbox = outbox  # noqa: SLF001 - the outbox under test
        camera.take(b"same")
        camera.take(b"same")
        for count, reading in enumerate(outbox.held(), 1):
            assert outbox.settle(reading.key, reading.sha, "stored")
            outbox.flush()
            assert len(list((tmp_path / f"outbox-{marks}.contents").iterdir())) == (1 if marks or count == 1 else 0)


def test_a_content_is_its_member_as_json() -> None:
    """On the wire it is the three facts alone; what carries it is found, what names it too."""
    content = Content(b"abc", "image/png")
    reading = json.dumps({"taken_at": AT, "image": {"blob": content}}).encode()
    claim = claimed(reading)
    assert claim is not None
    assert json.loads(reading)["image"]["blob"] == {
        "sha256": claim.sha256, "bytes": 3, "content_type": "image/png",
    }  # fmt: skip
    assert claimed(b'{"values": {}}') is None


def test_a_reading_is_repeated_at_most_so_often() -> None:
    """Not even ten new lines in a row make the question come more often than its interval."""
    camera = Camera(manner=replace(QUICK, ask_s=5.0))
    camera.take(b"small")
    published = 0
    for step in range(100):  # ten seconds of the device's timer
        now = 1000.0 + step / 10
        if step % 10 == 0:
            camera.connect(now)
        camera.voice.publish_due(camera.line, now, 4)
        published += sum(channel == "reading" for channel, _ in camera.line.out)
        camera.line.out.clear()
    assert published == 2
