"""The disk under the data folder: kind, room, flush, rights, the length of the ledger's log.

Comes in: the data folder. Goes out: findings. Refuses to know: what the files hold; it opens none of them, and what it
writes to measure the flush is taken away.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from app.doctor.finding import Finding, found
from app.settings import Settings

NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs"})
"""Locks and flushes of such file systems do not hold what SQLite needs (sqlite.org/howtocorrupt.html, section 2.1)."""
MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})
LAYERED = frozenset({"overlay", "aufs"})
QUICKEST_S = 20e-6
"""A flush that reaches a device takes 30 us on the quickest drives with a battery, 150 on common ones, milliseconds on
others; one into memory alone less than 1."""
SLOWEST_S = 0.1
"""Then ten batches a second is all there is."""
LONGEST_LOG = 256 * 1024 * 1024
"""Bytes of a write-ahead log that checkpoints no longer shorten."""
_ROUNDS = 16
_BLOCK = b"\0" * 4096
_OTHERS, _GROUP, _READ = 0o007, 0o070, 0o006


def look(settings: Settings) -> Iterator[Finding]:
    """See the module."""
    data = settings.data.resolve()
    if not data.is_dir():
        yield found("disk.no_folder", folder=settings.data)
        return
    kind = kind_of(data)
    yield from by_kind(kind, data)
    free = shutil.disk_usage(settings.ledger_path.resolve().parent).free
    yield from by_room(free, data, settings.ledger.reserve_mib)
    if os.access(data, os.W_OK):
        yield from by_flush(flush_s(data), kind, data)
    else:
        yield found("disk.read_only", folder=data)
    yield from by_rights(data)
    yield from by_log(settings.ledger_path)


def kind_of(folder: Path, mounts: str | None = None) -> str:
    """The kind of the file system that holds ``folder``; ``mounts``: the text of ``/proc/self/mountinfo``.

    Empty where the system does not tell. proc(5): the mount point is the fifth field, the kind the first behind ``-``.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mountinfo").read_text("utf-8", errors="replace")
        except OSError:
            return ""
    above = {str(folder), *map(str, folder.parents)}
    best, kind = -1, ""
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        point = left.split(" ")[4].replace("\\040", " ")
        if point in above and len(point) >= best:  # of two mounts on one place the later lies on top
            best, kind = len(point), right.split(" ")[0]
    return kind


def flush_s(folder: Path) -> float:
    """The median time that ``fdatasync`` takes after a block of 4 KiB, in seconds."""
    took: list[float] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for number in range(_ROUNDS):
            os.pwrite(file.fileno(), _BLOCK, number * len(_BLOCK))
            begun = time.perf_counter()
            # Not every system has fdatasync; fsync does no less.
            getattr(os, "fdatasync", os.fsync)(file.fileno())
            took.append(time.perf_counter() - begun)
    return statistics.median(took)


def by_kind(kind: str, folder: Path) -> Iterator[Finding]:
    """What the kind of file system means."""
    for kinds, code in ((NETWORK, "disk.network"), (MEMORY, "disk.memory"), (LAYERED, "disk.layered")):
        if kind in kinds:
            yield found(code, folder=folder, kind=kind)


def by_room(free: int, folder: Path, reserve_mib: int) -> Iterator[Finding]:
    """Whether there is room above the reserve: below it the gateway acknowledges nothing."""
    facts = {"folder": folder, "free": free // 2**20, "reserve": reserve_mib}
    if free < reserve_mib << 20:
        yield found("disk.full", **facts)
    elif free < 4 * reserve_mib << 20:
        yield found("disk.low", **facts)


def by_flush(seconds: float, kind: str, folder: Path) -> Iterator[Finding]:
    """Whether a flush takes as long as one that reaches a device; memory's own kinds are told of already."""
    if kind not in MEMORY and seconds < QUICKEST_S:
        yield found("disk.flush_quick", folder=folder, microseconds=f"{seconds * 1e6:.1f}")
    if seconds > SLOWEST_S:
        yield found("disk.flush_slow", folder=folder, milliseconds=f"{seconds * 1e3:.0f}")


def by_rights(data: Path) -> Iterator[Finding]:
    """Whether anybody else may look in: readings and secrets lie here.

    A folder that nobody else may enter protects what is in it, so only an open one is looked into, one level deep.
    """
    mode = data.stat().st_mode
    if not mode & (_OTHERS | _GROUP):
        return
    open_to = "others" if mode & _OTHERS else "group"
    yield found(f"disk.folder_open_to_{open_to}", folder=data, mode=f"{mode & 0o777:04o}")
    files = [path for path in (*data.iterdir(), *data.glob("broker/*")) if path.is_file()]
    readable = sorted(path for path in files if path.stat().st_mode & mode & _READ)
    if readable:
        yield found("disk.files_open", folder=data, count=len(readable), file=readable[0].relative_to(data))


def by_log(ledger: Path) -> Iterator[Finding]:
    """Whether the write-ahead log grows without an end."""
    log = ledger.with_name(ledger.name + "-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > LONGEST_LOG:
        yield found("disk.log_long", file=log, size=size // 2**20, most=LONGEST_LOG // 2**20)
