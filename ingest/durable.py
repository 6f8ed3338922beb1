"""Bytes written into a file so that they are on stable storage, past the page cache where the file system lets us.

Comes in: a path, places and bytes. Goes out: the file's number, once a power cut no longer matters; flushed names.
Refuses to know: what the bytes are.

A part of a blob is written once and read much later, so a copy of it in the page cache costs more than it gives: 0.3 ms
of processor a megabyte directly, 0.4 to 1.9 through the cache (more, the fewer pages are at hand).
"""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

BLOCK = 4096
"""Places and lengths of direct writes are multiples of it, which satisfies every disk (open(2), O_DIRECT)."""
_PIECE = 1 << 18
_BLOCKS = 1 << 20
_FORGET: int | None = getattr(os, "POSIX_FADV_DONTNEED", None)
_DIRECT = getattr(os, "O_DIRECT", 0)
_OPEN = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
_CANNOT = frozenset({errno.EINVAL, errno.EOPNOTSUPP})
"""How file systems say that they know no direct writes."""
_spare: deque[mmap.mmap] = deque(maxlen=8)
"""Buffers that begin at a page, as direct writes need; reused, because fresh pages cost as much as the copy."""


def write(file: Path, ranges: Sequence[tuple[int, bytes]]) -> int:
    """Write each ``(start, bytes)``, making the file if need be; returns its inode number. Raises OSError.

    The name of a new file is not flushed: that is its folder's business.
    """
    with ExitStack() as opened:
        handle = os.open(file, _OPEN, 0o600)
        opened.callback(os.close, handle)
        direct = _direct(file)
        if direct is not None:
            opened.callback(os.close, direct)
        for start, data in ranges:
            view = memoryview(data)
            done = _blocks(direct, view, start) if direct is not None and start % BLOCK == 0 else 0
            _rest(handle, view[done:], start + done)
        os.fdatasync(handle)  # what the cache holds, the length, and what the disk itself may still hold back
        return os.fstat(handle).st_ino


def flush_names(file: Path) -> None:
    """Flush the folder that names ``file``, and those above it, any of which may be new. Raises OSError.

    One that we may not read, or that its file system does not flush, is somebody else's, and was there before.
    """
    for folder in file.absolute().parents:
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except PermissionError:
            continue
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EROFS):
                raise
        finally:
            os.close(handle)


def renew(file: Path) -> None:
    """Write a file's own bytes again in their places, flush them, and see that the disk gives them back.

    Flushing alone would not do: after a flush that failed the kernel may take pages for written that are not, and the
    next flush passes over them. Raises OSError; harmless where there is no file.
    """
    try:
        handle = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        written = _passed(handle, lambda block, at: _rest(handle, memoryview(block), at))
        os.fsync(handle)
        if _FORGET is not None:  # so that what is read next comes from the disk
            os.posix_fadvise(handle, 0, 0, _FORGET)
        if _passed(handle) != written:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
    finally:
        os.close(handle)


def _passed(handle: int, each: Callable[[bytes, int], None] = lambda _block, _at: None) -> bytes:
    """The hash of a file's bytes, block by block."""
    found, at = hashlib.sha256(), 0
    while block := os.pread(handle, _BLOCKS, at):
        found.update(block)
        each(block, at)
        at += len(block)
    return found.digest()


def _direct(file: Path) -> int | None:
    """A second descriptor, for direct writes; None where the file system has none."""
    try:
        return os.open(file, os.O_WRONLY | os.O_CLOEXEC | _DIRECT) if _DIRECT else None
    except OSError as error:
        if error.errno in _CANNOT:
            return None
        raise


def _blocks(handle: int, data: memoryview, start: int) -> int:
    """Write the whole blocks of ``data`` directly; returns how many bytes that were."""
    whole, done = len(data) // BLOCK * BLOCK, 0
    buffer = _spare.pop() if _spare else mmap.mmap(-1, _PIECE)
    with memoryview(buffer) as aligned:
        while done < whole:
            size = min(_PIECE, whole - done)
            aligned[:size] = data[done : done + size]
            try:
                written = os.pwrite(handle, aligned[:size], start + done)
            except OSError as error:
                if error.errno not in _CANNOT:
                    raise
                break
            done += written // BLOCK * BLOCK
            if written < size:
                break
    _spare.append(buffer)
    return done


def _rest(handle: int, data: memoryview, start: int) -> None:
    while data:
        written = os.pwrite(handle, data, start)
        data, start = data[written:], start + written
