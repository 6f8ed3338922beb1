"""What the processes of one installation tell each other of their health: one small file each.

Comes in: facts of a process. Goes out: the same facts, for whoever answers ``/readyz`` or supervises. Refuses to know:
what the facts lead to. Nothing here has to survive a crash, so nothing is fsynced. On a full disk a file is written
over in its place; where not even that can be, the process is silent, counts as not ready, and does not end for it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

_PROCESSES = "processes"
_DESTINATION = "destination-"
_ROOM = 2048  # bytes of each file: what is said on a full disk finds room in what was said before
SERIES = "series"
"""Under this name the projector says whether trends are being filled, and why not."""
FRESH_S = 5.0
"""A status older than this belongs to a process that hangs or is gone."""


@dataclass(frozen=True, slots=True)
class Status:
    """A process: ``ready`` when it does its work, else ``problem`` says why not, and ``since`` from when.

    ``at`` and ``since`` are seconds since 1970. ``connected``: whether the gateway has its session at the broker.
    """

    pid: int
    ready: bool
    at: float
    problem: str | None = None
    since: float | None = None
    connected: bool | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether the process said so just now."""
        return abs(time.time() - self.at) < FRESH_S  # of a later time: said before the clock was set back


def folder(data: Path) -> Path:
    """Where the files are."""
    return data / "run"


def counts_file(data: Path) -> Path:
    """Where the gateway writes its counts, in Prometheus' text format."""
    return folder(data) / "gateway.prom"


def tell(
    data: Path,
    part: str,
    *,
    ready: bool,
    problem: str | None = None,
    since: float | None = None,
    connected: bool | None = None,
) -> None:
    """Say how ``part`` is."""
    said = Status(os.getpid(), ready, time.time(), problem, since, connected)
    _write(folder(data) / f"{part}.json", asdict(said))


def unwell(data: Path, part: str) -> str | None:
    """Why ``part`` does not do its work now, for a person; None when it does."""
    said = read(data, part)
    if said is None:
        return f"{part} has not said anything yet"
    if not said.is_fresh:
        return f"{part} has been silent for {max(time.time() - said.at, 0.0):.0f} s"
    return None if said.ready else f"{part}: {said.problem or 'not ready yet'}"


def note(data: Path, processes: Mapping[str, int | None]) -> None:
    """Say which process is which; None for a part that does not run now."""
    _write(folder(data) / _PROCESSES, processes)


def read(data: Path, part: str) -> Status | None:
    """What ``part`` said last; None when it never said anything."""
    try:
        return Status(**json.loads((folder(data) / f"{part}.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def forget(data: Path) -> None:
    """Remove what an earlier run said."""
    for path in (*folder(data).glob("*.json"), folder(data) / _PROCESSES):
        with suppress(OSError):  # of a folder that cannot be written what it says soon is old
            path.unlink(missing_ok=True)


def destination(name: str) -> str:
    """Under this name the exporter says how a destination is."""
    return f"{_DESTINATION}{name}"


def destinations(data: Path) -> dict[str, Status]:
    """What was said last of each destination, by its name."""
    found = sorted(folder(data).glob(f"{_DESTINATION}*.json"))
    said = {path.stem.removeprefix(_DESTINATION): read(data, path.stem) for path in found}
    return {name: status for name, status in said.items() if status is not None}


def _write(path: Path, facts: Mapping[str, object]) -> None:
    draft, told = path.with_suffix(".draft"), json.dumps(facts).encode().ljust(_ROOM)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_bytes(told)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            _write_over(path, told)


def _write_over(path: Path, told: bytes) -> None:
    """In the room that the file has: a full disk gives no other. Whoever reads it half written asks again."""
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.pwrite(handle, told, 0)
        os.ftruncate(handle, len(told))
    finally:
        os.close(handle)
