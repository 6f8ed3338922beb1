"""What the processes of one installation tell each other of their health: one small file each.

Comes in: facts of a process. Goes out: the same facts, for whoever answers ``/readyz`` or supervises. Refuses to know:
what the facts lead to. Nothing here has to survive a crash, so nothing is fsynced; and on a full disk nothing is said:
a process that is silent counts as not ready, and must not end because of it.
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
FRESH_S = 5.0
"""A status older than this belongs to a process that hangs or is gone."""


@dataclass(frozen=True, slots=True)
class Status:
    """A process: ``ready`` when it does its work, else ``problem`` says why not. ``at`` is seconds since 1970."""

    pid: int
    ready: bool
    at: float
    problem: str | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether the process said so just now."""
        return time.time() - self.at < FRESH_S


def folder(data: Path) -> Path:
    """Where the files are."""
    return data / "run"


def counts_file(data: Path) -> Path:
    """Where the gateway writes its counts, in Prometheus' text format."""
    return folder(data) / "gateway.prom"


def tell(data: Path, part: str, *, ready: bool, problem: str | None = None) -> None:
    """Say how ``part`` is."""
    _write(folder(data) / f"{part}.json", asdict(Status(os.getpid(), ready, time.time(), problem)))


def unwell(data: Path, part: str) -> str | None:
    """Why ``part`` does not do its work now, for a person; None when it does."""
    said = read(data, part)
    if said is None:
        return f"{part} has not said anything yet"
    if not said.is_fresh:
        return f"{part} has been silent for {time.time() - said.at:.0f} s"
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
        path.unlink(missing_ok=True)


def _write(path: Path, facts: Mapping[str, object]) -> None:
    draft = path.with_suffix(".draft")
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_text(json.dumps(facts), "utf-8")
        draft.replace(path)
