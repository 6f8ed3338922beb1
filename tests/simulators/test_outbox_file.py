"""What a device keeps survives everything short of losing the disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from simulators.devices.backoff import Backoff, Repeats
from simulators.devices.outbox import Outbox, issued, kept, sha16
from simulators.devices.suspects import Suspects

ENDLESS = """
import sys
from pathlib import Path
from simulators.devices.outbox import Outbox, kept
outbox = Outbox(Path(sys.argv[1]), durable=False)
stream = outbox.stream("bp-0001")
while True:
    seq = outbox.next_seq("bp-0001")
    outbox.keep([kept("bp-0001", stream, seq, b"%d " % seq + bytes(range(256)))])
    print(stream, seq, flush=True)
"""


def filled(path: Path | None, count: int = 3, *, marks: bool = False) -> Outbox:
    """An outbox with `count` readings of one device."""
    outbox = Outbox(path, marks=marks)
    stream = outbox.stream("bp-0001")
    outbox.keep(kept("bp-0001", stream, seq, b'{"n":%d}\n\xff' % seq) for seq in range(count))
    return outbox


@pytest.mark.faults
def test_a_killed_device_still_holds_all_it_said(tmp_path: Path) -> None:
    """Killed without warning, the device finds every reading it told of, byte for byte, and goes on counting."""
    file = tmp_path / "outbox"
    command = [sys.executable, "-c", ENDLESS, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as device:
        assert device.stdout is not None
        told = [device.stdout.readline().split() for _ in range(500)]
        device.kill()
        told += [line.split() for line in device.stdout if line.endswith("\n")]
    again = Outbox(file)
    stream, last = told[-1]
    held = {(reading.stream, reading.seq): reading.payload for reading in again.held()}
    for _, seq in told:
        assert held[stream, int(seq)] == b"%d " % int(seq) + bytes(range(256))
    assert again.stream("bp-0001") == stream
    assert again.next_seq("bp-0001") in (int(last) + 1, int(last) + 2)


def test_a_file_torn_anywhere_opens(tmp_path: Path) -> None:
    """Cut at any byte, the file gives the whole entries before the cut, and takes new ones after."""
    whole_file = tmp_path / "whole"
    outbox = filled(whole_file)
    outbox.settle(("bp-0001", outbox.stream("bp-0001"), 1), sha16(b'{"n":1}\n\xff'), "stored")
    outbox.close()
    whole = whole_file.read_bytes()
    for length in range(len(whole) + 1):
        file = tmp_path / "torn"
        file.write_bytes(whole[:length])
        again = Outbox(file, durable=False)
        before = len(list(issued(file)))
        stream, seq = again.stream("bp-0001"), again.next_seq("bp-0001")
        assert seq == before
        again.keep([kept("bp-0001", stream, seq, b"new")])
        again.close()
        assert [reading.payload for reading in issued(file)][-1] == b"new"
        assert len(list(issued(file))) == before + 1
        file.unlink()
    assert [reading.seq for reading in Outbox(whole_file).held()] == [0, 2]


def test_only_the_right_bytes_and_a_final_verdict_free_a_reading() -> None:
    """Another sha, or `pending`, `refused`, `kept`, `in_record`: the reading stays."""
    outbox = filled(None, 2)
    key = ("bp-0001", outbox.stream("bp-0001"), 0)
    sha = outbox.held()[0].sha
    assert not outbox.settle(key, "0" * 16, "stored")
    for verdict in ("pending", "refused", "kept", "in_record", "dismissed"):
        assert not outbox.settle(key, sha, verdict)
    assert len(outbox.held()) == 2
    assert outbox.settle(key, sha, "quarantined")
    assert not outbox.settle(key, sha, "stored")
    assert [reading.seq for reading in outbox.held()] == [1]
    assert outbox.oldest("bp-0001") == 1


def test_devices_in_one_file_are_apart(tmp_path: Path) -> None:
    """Each device has its own stream and numbers."""
    outbox = filled(tmp_path / "outbox")
    outbox.keep([kept("ecg-0001", outbox.stream("ecg-0001"), 0, b"x")])
    outbox.close()
    again = Outbox(tmp_path / "outbox")
    assert again.stream("ecg-0001") != again.stream("bp-0001")
    assert (again.next_seq("ecg-0001"), again.next_seq("bp-0001")) == (1, 3)
    assert len(again.held("bp-0001")) == 3


def test_marked_readings_come_back_and_others_do_not(tmp_path: Path) -> None:
    """A device that marks can offer settled readings again, also after a restart."""
    outbox = filled(tmp_path / "outbox", marks=True)
    for reading in outbox.held():
        outbox.settle(reading.key, reading.sha, "stored")
    outbox.close()
    assert Outbox(tmp_path / "outbox").hold_again("bp-0001") == 0
    again = Outbox(tmp_path / "outbox", marks=True)
    assert again.hold_again("bp-0001") == 3
    assert len(again.held()) == 3


def test_repeats_double_within_a_fifth() -> None:
    """30 s, 60 s, 120 s … up to an hour, each within 20 %; an offer at a connect makes it due at once."""
    repeats = Repeats(30, Random(1))
    key = ("bp-0001", "ab" * 16, 0)
    repeats.offer(key, 0.0)
    now, waits = 0.0, []
    for _ in range(10):
        assert repeats.due(now, 1) == [key]
        repeats.published(key, now)
        following = repeats.next_at()
        assert following is not None
        waits.append(following - now)
        now = following
    for tries, wait in enumerate(waits):
        assert 0.8 <= wait / min(30 * 2**tries, 3600) <= 1.2
    assert len({round(wait / min(30 * 2**tries, 3600), 3) for tries, wait in enumerate(waits)}) > 5
    repeats.published(key, now)
    repeats.offer(key, now)
    assert repeats.due(now, 1) == [key]
    repeats.forget(key)
    assert repeats.due(now + 9999, 1) == []


def test_reconnects_start_over_after_success() -> None:
    """1 s doubling; a reset begins again."""
    backoff = Backoff(1, 300, Random(2))
    waits = [backoff.next() for _ in range(12)]
    assert 0.8 <= waits[0] <= 1.2
    assert 240 <= waits[-1] <= 360
    backoff.reset()
    assert backoff.next() <= 1.2


def test_a_message_alone_at_three_cuts_is_given_up() -> None:
    """Several in flight accuse nobody; the broker's PUBACK clears; three cuts alone convict."""
    first, second = ("d", "s", 1), ("d", "s", 2)
    suspects = Suspects()
    for _ in range(5):
        assert suspects.after_cut({first, second}) == []
    assert suspects
    assert suspects.after_cut({first}) == []
    suspects.clear([first])
    assert suspects.after_cut({first}) == []
    assert suspects.after_cut(set()) == []
    assert not suspects
    assert [suspects.after_cut({first}) for _ in range(3)] == [[], [], [first]]
