"""The disk of the power cuts: what it must keep, and what it may lose."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.power.disk import Disk
from tests.power.traced import Event, Flushed, Linked, Made, Moved, Removed, Said, Trace, Wrote

LINES = rb"""
7 mkdir("\x2f\x73\x2f\x64", 0700) = 0
7 openat(AT_FDCWD<\x2f>, "\x2f\x73\x2f\x64\x2f\x61", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 5<\x2f\x73\x2f\x64\x2f\x61>
7 pwrite64(5<\x2f\x73\x2f\x64\x2f\x61>, "\x78\x2c\x22\x79", 4, 8) = 4
8 write(5<\x2f\x73\x2f\x64\x2f\x61>, "\x7a", 1 <unfinished ...>
7 fdatasync(5<\x2f\x73\x2f\x64\x2f\x61> <unfinished ...>
8 <... write resumed>) = 1
8 unlink("\x2f\x73\x2f\x6e\x6f\x6e\x65") = -1 ENOENT (No such file or directory)
7 <... fdatasync resumed>) = 0
7 write(1<pipe:[1]>, "\x6f\x6b", 2) = 2
7 pwrite64(9<\x2f\x65\x6c\x73\x65>, "\x78", 1, 0) = 1
7 +++ exited with 0 +++
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with one old file."""
    made = tmp_path / "root"
    made.mkdir()
    (made / "old").write_bytes(b"o" * 2000)
    return made


def images(root: Path, events: Sequence[Event], count: int = 60) -> list[dict[str, bytes]]:
    """What may be found after these events: files by name."""
    disk = Disk(root)
    for event in events:
        disk.apply(event)
    found = []
    for number in range(count):
        goal = root.with_name(f"image{number}")
        disk.image(random.Random(number), goal)
        found.append({str(each.relative_to(goal)): each.read_bytes() for each in goal.rglob("*") if each.is_file()})
        shutil.rmtree(goal)
    return found


def test_lines_become_events() -> None:
    """Calls that were interrupted are put together; a flush covers what ended before it began."""
    reader = Trace(Path("/s"), Path("/dev/null"), {}).reader([])
    assert list(reader.events(LINES.splitlines(keepends=True))) == [
        Made("/s/d", is_folder=True),
        Made("/s/d/a", is_folder=False),
        Wrote("/s/d/a", 8, b'x,"y'),
        Wrote("/s/d/a", 0, b"z"),
        Flushed("/s/d/a", 3),
        Said(b"ok"),
    ]


def test_what_was_flushed_is_there(root: Path) -> None:
    """A file whose bytes and name were flushed is in every image."""
    new = f"{root}/new"
    events: list[Event] = [Made(new, is_folder=False), Wrote(new, 0, b"abc"), Flushed(new, 2), Flushed(str(root), 3)]
    assert all(each["new"] == b"abc" for each in images(root, events))


def test_what_was_not_flushed_may_be_lost_or_torn(root: Path) -> None:
    """A write is found whole, not at all, and in part; a part ends where a sector does."""
    found = {each["old"] for each in images(root, [Wrote(f"{root}/old", 100, b"n" * 1500)])}
    old, whole = b"o" * 2000, b"o" * 100 + b"n" * 1500 + b"o" * 400
    assert {old, whole} < found
    for torn in found - {old, whole}:
        assert torn[0:100] == b"o" * 100
        assert len(set(torn[100:512])) == len(set(torn[512:1024])) == 1


def test_a_flush_covers_nothing_that_came_while_it_ran(root: Path) -> None:
    """A write that ended after the flush began may be lost."""
    found = images(root, [Wrote(f"{root}/old", 0, b"n"), Flushed(f"{root}/old", 0)])
    assert {each["old"][:1] for each in found} == {b"o", b"n"}


def test_a_name_may_be_lost_until_its_folder_is_flushed(root: Path) -> None:
    """Flushing a file does not keep its name, nor does flushing a folder keep the folder's own."""
    inside = f"{root}/d/new"
    events: list[Event] = [Made(f"{root}/d", is_folder=True), Made(inside, is_folder=False)]
    events += [Wrote(inside, 0, b"abc"), Flushed(inside, 3)]
    assert {each.get("d/new") for each in images(root, events)} == {None, b"abc"}
    events.append(Flushed(f"{root}/d", 4))
    assert {each.get("d/new") for each in images(root, events)} == {None, b"abc"}
    events.append(Flushed(str(root), 5))
    assert {each.get("d/new") for each in images(root, events)} == {b"abc"}


def test_a_moved_file_is_at_one_of_two_places(root: Path) -> None:
    """It is never gone, never at both, and the flush of its new folder decides."""
    moved: list[Event] = [Moved(f"{root}/old", f"{root}/other")]
    assert {tuple(each) for each in images(root, moved)} == {("old",), ("other",)}
    flushed: list[Event] = [*moved, Flushed(str(root), 1)]
    assert {tuple(each) for each in images(root, flushed)} == {("other",)}


def test_a_removed_name_may_come_back(root: Path) -> None:
    """Until the folder is flushed; the bytes of a second name stay."""
    events: list[Event] = [Linked(f"{root}/old", f"{root}/second"), Flushed(str(root), 1), Removed(f"{root}/old")]
    found = images(root, events)
    assert {"old" in each for each in found} == {True, False}
    assert all(each["second"] == b"o" * 2000 for each in found)
