"""Large contents as files, named by their SHA-256: whole ones, and those whose parts are still coming.

Comes in: parts of a blob, files that were made from one. Goes out: paths and bytes; all of it is on stable storage when
a call returns. Refuses to know: readings, who may claim what, the ledger's rows. A file that no row names is an orphan:
rows are written after files, never before.

    {folder}/parts/{device}/9fb0...  being put together, per device; written under the lock, by the gateway
    {folder}/taken/{device}/9fb0...  all of its parts have come: taken away under the lock, so that nobody writes to it
    {folder}/whole/9f/9fb0...        its hash is right; never changed again, whoever sends the same bytes later
    {folder}/scratch/                where the limited child writes
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from ingest import durable

_CHUNK = 1 << 20
_TOGETHER = 4  # files written and flushed at a time
_NO_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_sha256 = re.compile(r"[0-9a-f]{64}").fullmatch


class BlobMissing(Exception):  # noqa: N818 - it names what was found, and is caught by that name
    """A blob that a row names is not there, or is no longer what its name says."""

    def __init__(self, sha256: str) -> None:
        super().__init__(
            f"The file of blob {sha256[:16]} is missing or altered. Nothing else is touched. "
            "Bring it back from the backup, then run `constantes ledger verify`."
        )
        self.sha256 = sha256


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes [start, end) of a blob; ``data`` is what stands there."""

    device: str
    sha256: str
    start: int
    data: bytes

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + len(self.data)


class Blobs:
    """One folder of contents. Several threads and processes may write parts; one at a time takes and settles blobs."""

    def __init__(self, folder: Path) -> None:
        self._whole, self._parts, self._taken, self._scratch = (
            folder / name for name in ("whole", "parts", "taken", "scratch")
        )
        for each in (self._whole, self._parts, self._taken, self._scratch):
            each.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sync(folder)
        self._flushed: set[Path] = set()  # folders of parts, by this process: one that died may have left it undone
        self._lock = folder / ".lock"
        self._writers = ThreadPoolExecutor(_TOGETHER, "parts")  # makes its threads when there is work for them

    # ------------------------------------------------------------ whole ones

    def path(self, sha256: str) -> Path:
        """Where a finished blob lies, whether or not it is there."""
        return self._whole / _name(sha256)[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Whether the finished blob is there."""
        return self.path(sha256).is_file()

    def read(self, sha256: str) -> bytes:
        """All of a blob, its hash checked; raises BlobMissing."""
        try:
            content = self.path(sha256).read_bytes()
        except OSError:
            raise BlobMissing(sha256) from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise BlobMissing(sha256)
        return content

    def is_sound(self, sha256: str) -> bool:
        """Whether the finished blob is there and is what its name says; reads all of it, in bounded memory."""
        return self.has(sha256) and digest(self.path(sha256)) == sha256

    def adopt(self, file: Path) -> str:
        """Take over a finished file of the scratch folder; returns its hash. Harmless when it is there already."""
        sha256 = digest(file)
        self._place(file, sha256)
        return sha256

    # ------------------------------------------------------------ parts

    def keep(self, ranges: Sequence[Range]) -> dict[tuple[str, str], int | None]:
        """Write parts; what stood in their place begins anew (C-BLB-4).

        Returns, by device and hash, the number of the file that was written to (None: this one file cannot be written,
        and its parts must not be answered as kept). Raises OSError where none can be: a full or read-only disk.
        """
        by_file: dict[tuple[str, str], list[Range]] = {}
        for each in ranges:
            by_file.setdefault((each.device, each.sha256), []).append(each)
        with self._locked():
            if len(by_file) == 1:
                return {key: self._keep(key, found) for key, found in by_file.items()}
            # A disk takes several flushes in the time of one. No file is left under way when one has failed.
            under_way = [self._writers.submit(self._keep, key, found) for key, found in by_file.items()]
            wait(under_way)
            return dict(zip(by_file, (each.result() for each in under_way), strict=True))

    def _keep(self, key: tuple[str, str], ranges: Sequence[Range]) -> int | None:
        file = self._file(self._parts, *key)
        try:
            return self._write(file, ranges)
        except OSError as error:
            if error.errno in _NO_DISK:
                raise
            return None

    def _write(self, file: Path, ranges: Sequence[Range]) -> int:
        is_new, is_first = not file.exists(), file.parent not in self._flushed
        if is_first:
            file.parent.mkdir(exist_ok=True, mode=0o700)
            _sync(self._parts)
        number = durable.write(file, [(each.start, each.data) for each in ranges])
        if is_new or is_first:
            _sync(file.parent)
            self._flushed.add(file.parent)
        return number

    def number(self, device: str, sha256: str) -> int | None:
        """The number of the file that parts are written to now; None when there is none."""
        try:
            return self._file(self._parts, device, sha256).stat().st_ino
        except FileNotFoundError:
            return None

    def take(self, device: str, sha256: str) -> bool:
        """Take a blob whose parts have all come away from those who write; False when there is nothing to take.

        One that was taken before (a crash came in between) stays what it is.
        """
        file, goal = self._file(self._parts, device, sha256), self._file(self._taken, device, sha256)
        if goal.exists():
            return True
        goal.parent.mkdir(exist_ok=True, mode=0o700)
        _sync(self._taken)  # before the file moves into it: it would go with a folder that is not there after a cut
        with self._locked():
            try:
                file.replace(goal)
            except FileNotFoundError:
                return False
        for folder in (goal.parent, file.parent):
            _sync(folder)
        return True

    def finish(self, device: str, sha256: str, size: int) -> bool:
        """Make a taken blob whole; False when it has another length or hash.

        Done again after a crash, even if its file seems to be in its place: the name may not be on the disk yet.
        """
        file = self._file(self._taken, device, sha256)
        if (there := file.stat().st_size) < size or digest(file, size) != sha256:
            return False
        if there > size:  # parts that nobody had claimed yet; a claim that is wrong must not cost a right one its bytes
            os.truncate(file, size)
        self._place(file, sha256)
        return True

    def drop(self, device: str, sha256: str) -> None:
        """Forget a taken blob: it is whole, or was refused."""
        file = self._file(self._taken, device, sha256)
        file.unlink(missing_ok=True)
        with suppress(OSError):  # others of the device are there
            file.parent.rmdir()

    def forget(self, device: str, sha256: str) -> None:
        """Forget the parts of a blob."""
        with self._locked():
            self._file(self._parts, device, sha256).unlink(missing_ok=True)

    def clear_scratch(self) -> None:
        """Remove what a child that was killed has left; only while nobody uses the folder."""
        for each in self._scratch.iterdir():
            shutil.rmtree(each, ignore_errors=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone with the parts, among all processes; held for as long as a write and its flush take."""
        handle = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def assembling(self) -> Iterator[tuple[str, str, float]]:
        """Device, hash and time of the latest part of everything that is being put together."""
        for file in self._parts.glob("*/*"):
            with suppress(FileNotFoundError):
                yield file.parent.name, file.name, file.stat().st_mtime

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder for as long as the block runs."""
        folder = Path(mkdtemp(dir=self._scratch))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _file(self, folder: Path, device: str, sha256: str) -> Path:
        if not device or "/" in device or device.startswith("."):
            raise ValueError("not a device id")
        return folder / device / _name(sha256)

    def _place(self, file: Path, sha256: str) -> None:
        """A second name for the same bytes, for good: nobody writes to ``file`` any more."""
        goal = self.path(sha256)
        goal.parent.mkdir(exist_ok=True, mode=0o700)
        _sync(self._whole)
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        link = goal.with_name(f".{sha256}")
        link.unlink(missing_ok=True)
        os.link(file, link)
        link.replace(goal)
        _sync(goal.parent)


def digest(file: Path, most: int | None = None) -> str:
    """Hex SHA-256 of a file, or of its first ``most`` bytes, in bounded memory."""
    found, left = hashlib.sha256(), file.stat().st_size if most is None else most
    with file.open("rb") as stream:
        while chunk := stream.read(min(_CHUNK, left)):
            found.update(chunk)
            left -= len(chunk)
    return found.hexdigest()


def missing(kept: Sequence[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """The ranges [from, to) of a blob of ``size`` bytes that none of ``kept`` covers, in order."""
    found, at = [], 0
    for start, end in sorted(kept):
        if start > at:
            found.append((at, start))
        at = max(at, end)
    if at < size:
        found.append((at, size))
    return [(start, min(end, size)) for start, end in found if start < size]


def _name(sha256: str) -> str:
    """A hash as file name; a name from outside is never used as a path."""
    if not _sha256(sha256):
        raise ValueError("not a SHA-256")
    return sha256


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
