"""The limited child: looks into contents that strangers made, with nothing at hand but the file and one folder.

    {"path", "content_type", "kind", "out", "seconds"} ──▶ look ──▶ {"found" | "rejected" | "broken" | "hindered"}

Comes in: one JSON line a job (stdin). Goes out: one JSON line an answer (stdout); the first says that it is ready.
Refuses to know: the ledger, settings, the network. Run by ``ingest.sandbox`` as ``python -m ingest.sandbox_child``.

Before the first job: it dies with its parent, it is in a network namespace with no way out where the kernel gives one,
its memory, files and processes are limited, and an audit hook ends it on sockets, programs and writing elsewhere.
"""

from __future__ import annotations

import ctypes
import errno
import importlib
import json
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ingest.reasons import Rejected

if TYPE_CHECKING:
    from ingest.content.found import Found

MEGABYTE = 1_000_000
FORBIDDEN = 77
"""Exit status after something that looking never needs."""
MAX_FILE = 1 << 30
"""Bytes of one written file: a waveform file of the largest recording (512 MiB as sent) fits."""
_OPEN_FILES = 64
_SLACK = 30 * MEGABYTE
"""Library pages that are mapped at the start and come into memory only when they are used."""
_HEAVY = ("numpy", "PIL.JpegImagePlugin", "PIL.PngImagePlugin", "pydicom", "pydicom.pixels", "edfio")
_NOT_THE_FILE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT})
"""Faults of the machine or the installation: no file is blamed for a full disk."""

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38  # linux/prctl.h
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h

_NEVER = ("socket.", "subprocess.", "ctypes.", "pty.", "ftplib.", "http.", "urllib.", "smtplib.", "signal.pthread_kill")
_NEVER_OF_OS = frozenset(
    {
        *("os.system", "os.exec", "os.fork", "os.forkpty", "os.spawn", "os.posix_spawn", "os.startfile"),
        *("os.kill", "os.killpg", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.utime"),
        *("os.chmod", "os.chown", "os.chflags", "os.lockf", "os.setxattr", "os.removexattr"),
    }
)
_ONLY_IN_OUT = frozenset({"os.remove", "os.rename"})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Fence:
    """What the child may do; ``out`` is the folder of the job at hand, None between jobs."""

    def __init__(self) -> None:
        self.out: str | None = None

    def __call__(self, event: str, args: tuple[object, ...]) -> None:
        """An audit hook (sys.addaudithook): ends the process, because an exception could be caught by a parser."""
        if event == "open":
            allowed = not _writes(args) or self._inside(args[0])
        elif event in _ONLY_IN_OUT:
            allowed = all(self._inside(path) for path in args[:-1] if path != -1)  # -1: no folder's descriptor
        else:
            allowed = event not in _NEVER_OF_OS and not event.startswith(_NEVER)
        if not allowed:
            os._exit(FORBIDDEN)

    def _inside(self, path: object) -> bool:
        if isinstance(path, int):
            return True  # an open file has passed here before
        if self.out is None or not isinstance(path, str | bytes | os.PathLike):
            return False
        folder, name = os.path.split(os.fsdecode(path))
        return os.path.realpath(folder) == self.out and name not in {"", ".", ".."} and Path(folder).is_absolute()


def _writes(args: tuple[object, ...]) -> bool:
    _, mode, flags = args
    wanted = isinstance(mode, str) and not set(mode).isdisjoint("wax+")
    return wanted or (isinstance(flags, int) and bool(flags & _WRITING))


def alone(parent: int) -> bool:
    """Ties this process to ``parent`` and leaves the network; True where the kernel did the latter."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    no_network = any(libc.unshare(flags) == 0 for flags in (_CLONE_NEWNET, _CLONE_NEWNET | _CLONE_NEWUSER))
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # A new user namespace forgets the signal, so it is asked for last (prctl(2)).
    libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent ended before its child began")
    return no_network


def limited(memory: int) -> None:
    """Keeps this process under ``memory`` bytes of resident memory, by what it maps; no dumps, no children."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE, MAX_FILE))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    if sys.platform == "linux":
        mapped, resident = (int(pages) * resource.getpagesize() for pages in _statm())
        most = mapped + max(0, memory - resident - _SLACK)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _statm() -> list[str]:
    return Path("/proc/self/statm").read_text(encoding="ascii").split()[:2]


def answer(look: Callable[[Path, str, str, Path], Found], fence: Fence, line: str) -> dict[str, str | None]:
    """The answer to one job: what was found, the verdict on the file, or what kept the child from looking."""
    job = json.loads(line)
    out = os.path.realpath(job["out"])
    fence.out = out
    try:
        return {"found": look(Path(job["path"]), job["content_type"], job["kind"], Path(out)).text()}
    except Rejected as verdict:
        return {"rejected": verdict.reason.value, "pointer": verdict.pointer}
    except OSError as fault:
        if fault.errno in _NOT_THE_FILE:
            return {"hindered": errno.errorcode[fault.errno]}
        return {"broken": type(fault).__name__}
    except Exception as fault:  # noqa: BLE001 - whatever a parser raises on a stranger's file is a verdict on that file
        return {"broken": type(fault).__name__}
    finally:
        fence.out = None


def serve(look: Callable[[Path, str, str, Path], Found], jobs: TextIO, answers: TextIO, fence: Fence) -> None:
    """Answers jobs until there are no more. CPU is limited by job, should the parent be too busy to watch."""
    for line in jobs:
        told = json.loads(line)
        spent = time.process_time() + told["seconds"]
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        soft = math.ceil(spent) if hard == resource.RLIM_INFINITY else min(math.ceil(spent), hard)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
        _say(answers, answer(look, fence, line))


def _say(answers: TextIO, said: dict[str, str | None]) -> None:
    answers.write(json.dumps(said) + "\n")
    answers.flush()


def main(load: Callable[[], Callable[[Path, str, str, Path], Found]], parent: int, memory: int) -> None:
    """Becomes the child: ``load`` gives the looking function, before the limits close in."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    # What a library prints must not stand between the answers.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        no_network = alone(parent)
        for name in _HEAVY:
            importlib.import_module(name)
        look = load()
        limited(memory)
    except (ImportError, OSError, ValueError) as fault:
        _say(answers, {"hindered": f"{type(fault).__name__}: {fault}"})
        sys.exit(1)
    fence = Fence()
    sys.addaudithook(fence)
    _say(answers, {"ready": "no network" if no_network else "no sockets"})
    serve(look, sys.stdin, answers, fence)


def entry() -> Callable[[Path, str, str, Path], Found]:
    """The one way into contents."""
    from ingest.content import look

    return look


if __name__ == "__main__":
    main(entry, int(sys.argv[1]), int(sys.argv[2]))
