"""The doctor at the disk: real folders on a disk and in memory, and the judgements that need others."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.doctor.disk import LONGEST_LOG, by_flush, by_kind, by_log, flush_s, kind_of

Ask = Callable[..., Any]
SHM = Path("/dev/shm")  # noqa: S108 - a folder in memory is the point


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory of 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir(mode=0o700)
    words = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("mounting a folder of 1 MiB needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_private_folder_on_a_disk_is_clean(ask: Ask) -> None:
    """Nothing to say of what `constantes up` makes on an ordinary disk with room."""
    if kind_of(Path.cwd()) in ("tmpfs", "overlay"):
        pytest.skip("the tests' own folder is in memory or in a container's layer")
    assert ask("disk").bad == set()


def test_a_full_folder_in_memory_is_found(small: Path, ask: Ask) -> None:
    """Both are errors: less than the reserve is free, and a restart deletes it."""
    told = ask("disk", DATA=str(small))
    assert (told.code, told.bad) == (1, {"disk.memory", "disk.full"})
    assert "reserve of 256 MiB" in told.words("disk.full")


def test_a_folder_that_is_not_there_is_no_error(ask: Ask, tmp_path: Path) -> None:
    """And none is made."""
    told = ask("disk", DATA=str(tmp_path / "none"))
    assert (told.code, told.codes) == (0, {"disk.no_folder"})
    assert not (tmp_path / "none").exists()


def test_a_flush_into_memory_is_too_quick_for_a_disk() -> None:
    """Measured: on a folder in memory it takes microseconds, and would be told of as a disk that lies."""
    if kind_of(SHM) != "tmpfs":
        pytest.skip("no folder in memory at /dev/shm")
    measured = flush_s(SHM)
    assert [finding.code for finding in by_flush(measured, "ext4", SHM)] == ["disk.flush_quick"]
    assert list(by_flush(measured, "tmpfs", SHM)) == [], "memory says so itself"
    assert [finding.code for finding in by_flush(0.2, "ext4", SHM)] == ["disk.flush_slow"]
    assert list(by_flush(0.000_15, "ext4", SHM)) == []


def test_the_kind_of_a_file_system_is_that_of_the_nearest_mount() -> None:
    """Of two mounts on one place the later holds; a name that only begins alike is no parent."""
    mounts = (
        "21 1 8:1 / / rw - ext4 /dev/sda rw\n"
        "30 21 0:40 / /srv rw - nfs4 server:/srv rw\n"
        "31 21 0:41 / /srv/data rw shared:1 - xfs /dev/sdb rw\n"
        "32 21 0:42 / /srv/a\\040b rw - tmpfs none rw\n"
        "33 21 0:43 / /mnt rw - xfs /dev/sdc rw\n"
        "34 33 0:44 / /mnt rw - cifs //server/x rw\n"
    )
    kinds = {place: kind_of(Path(place), mounts) for place in ("/srv/x", "/srv/data/y", "/srv/a b", "/mnt/z", "/srv2")}
    assert list(kinds.values()) == ["nfs4", "xfs", "tmpfs", "cifs", "ext4"]
    codes = [[finding.code for finding in by_kind(kind, Path("x"))] for kind in (*kinds.values(), "overlay")]
    assert codes == [["disk.network"], [], ["disk.memory"], ["disk.network"], [], ["disk.layered"]]


@pytest.mark.parametrize(
    ("mode", "bad"),
    [
        (0o700, set()),
        (0o750, {"disk.folder_open_to_group"}),
        (0o755, {"disk.folder_open_to_others", "disk.files_open"}),
    ],
)
def test_a_folder_that_others_may_enter_is_found(mode: int, bad: set[str], data: Path, ask: Ask) -> None:
    """Files that they could read are counted; in a private folder no file is open, whatever its own rights are."""
    (data / "broker").mkdir()
    (data / "broker" / "gateway.json").write_text("{}")
    (data / "broker" / "gateway.json").chmod(0o644)
    data.chmod(mode)
    told = ask("disk")
    assert told.bad == bad
    if "disk.files_open" in bad:
        assert "1 files" in told.words("disk.files_open")


def test_a_log_that_no_longer_gets_shorter_is_found(data: Path) -> None:
    """A hole is as long as what it stands for."""
    log = data / "ledger.sqlite-wal"
    log.touch()
    os.truncate(log, LONGEST_LOG)
    assert list(by_log(data / "ledger.sqlite")) == []
    os.truncate(log, LONGEST_LOG + 1)
    assert [finding.code for finding in by_log(data / "ledger.sqlite")] == ["disk.log_long"]
