"""Disks that fail: system calls that answer with an error or late, and small disks of memory that fill up.

Comes in: a process, system calls by name, a path. Goes out: faults for as long as a block runs. Refuses to know: what
the process does. Needs ``strace`` and, for disks, the right to mount; a test is skipped where they are not there.
"""

from __future__ import annotations

import errno
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PATIENCE_S = 10.0
_STRACE = shutil.which("strace")


@contextmanager
def injected(pid: int, *faults: str, path: Path | None = None, log: Path) -> Iterator[Path]:
    """Let system calls of a running process fail, all its threads included, until the block ends.

    ``faults``: such as ``fdatasync:error=EIO:when=1`` (strace(1), "Tampering"), or the mere name of a call that is only
    written down; ``path``: only calls on this file.
    Gives the file in which each call stands, and ``(INJECTED)`` behind those that were made to fail.
    """
    if _STRACE is None:
        pytest.skip("strace is not installed: scripts/apt-install")
    calls = ",".join(sorted({fault.partition(":")[0] for fault in faults}))
    only = [] if path is None else ["-P", str(path)]
    given = [word for fault in faults if ":" in fault for word in ("-e", f"inject={fault}")]
    command = [_STRACE, "-f", "-p", str(pid), *only, "-e", f"trace={calls}", *given, "-o", str(log)]
    tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _attached(tracer, pid)
        yield log
    finally:
        tracer.send_signal(signal.SIGTERM)
        tracer.communicate(timeout=_PATIENCE_S)


def _attached(tracer: subprocess.Popen[str], pid: int) -> None:
    """Wait until every thread of the process is traced."""
    end = time.monotonic() + _PATIENCE_S
    while any(f"TracerPid:\t{tracer.pid}\n" not in status for status in _threads(pid)):
        if tracer.poll() is not None:
            words = "" if tracer.stderr is None else tracer.stderr.read()
            if "not permitted" in words:
                pytest.skip("tracing is not permitted here")
            raise RuntimeError(f"strace ended: {words}")
        if time.monotonic() > end:
            raise TimeoutError("strace does not get hold of the process")
        time.sleep(0.01)


def _threads(pid: int) -> Iterator[str]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            yield (task / "status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue


@contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[Path]:
    """A disk of so many MiB at ``folder``, in memory; gone with the block, whatever still uses it."""
    folder.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={mib}m", "none", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def read_only(folder: Path, *, yes: bool) -> None:
    """Make a ``small_disk`` read-only, as a file system does that has found an error in itself; or writable again."""
    _mount("-o", f"remount,{'ro' if yes else 'rw'}", str(folder))


def fill(file: Path, leave: int) -> None:
    """Take all room of a disk but ``leave`` bytes, by this file."""
    free = shutil.disk_usage(file.parent).free - leave
    block = b"\0" * 65_536
    with file.open("ab", buffering=0) as ballast:
        try:
            for size in [len(block)] * (free // len(block)) + [free % len(block)]:
                ballast.write(block[:size])
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
