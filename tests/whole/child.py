"""The limited child of a whole installation, as the machine's process table shows it.

Comes in: an installation that runs. Goes out: the child's process id, its state, the most memory any child ever had.
Refuses to know: what it looks at.
"""

from __future__ import annotations

from pathlib import Path

from tests.faults.installation import Installation

_NAME = b"ingest.sandbox_child"
_KIB = 1024


def child(site: Installation) -> int | None:
    """The process that looks into contents; None while there is none."""
    office = site.pids().get("office")
    return next((pid for pid in _children(office) if _NAME in _read(pid, "cmdline")), None)


def stopped(pid: int) -> bool:
    """Whether a process stands still by a signal."""
    return b") T " in _read(pid, "stat")


class Peak:
    """The most resident memory of every child that was seen; call `look` now and then."""

    def __init__(self, site: Installation) -> None:
        self._site = site
        self.by_pid: dict[int, int] = {}

    def look(self) -> bool:
        """Note what the present child has had so far; True, for use in a condition."""
        pid = child(self._site)
        if pid is not None:
            for line in _read(pid, "status").splitlines():
                if line.startswith(b"VmHWM"):
                    self.by_pid[pid] = int(line.split()[1]) * _KIB
        return True


def _children(parent: int | None) -> list[int]:
    """By what each process says of its parent: a child may come from any thread."""
    wanted = f"PPid:\t{parent}\n".encode()
    return [int(each.name) for each in Path("/proc").glob("[0-9]*") if wanted in _read(int(each.name), "status")]


def _read(pid: int, name: str) -> bytes:
    """A file of a process; nothing of one that has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
