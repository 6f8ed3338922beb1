"""The parent of the limited child: gives it one file after the other, and outlives whatever a file does to it.

    look(path) ──▶ child (``ingest.sandbox_child``) ──▶ Found | Rejected
                     └─ dead, silent or nonsense: once more in a fresh one, then it is the file's fault

Comes in: a path and what was said of it. Goes out: ``Found``, ``Rejected``, or ``SandboxUnavailable`` when nothing can
be said of the file. Refuses to know: what is in a file; that stays in the child.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from ingest.content.found import Found
from ingest.reasons import Reason, Rejected
from ingest.sandbox_child import FORBIDDEN
from ingest.sandbox_process import Child, Died, SandboxUnavailable

__all__ = ["COMMAND", "Sandbox", "SandboxUnavailable"]

MEMORY = 300_000_000
"""Bytes of resident memory that the child stays under."""
DEADLINE = 60.0
"""Seconds of work for a small file; one more for every ``_BYTES_A_SECOND`` of a large one."""
JOBS = 500
"""Jobs of one child before a fresh one takes over, so that no file's traces last."""
_BYTES_A_SECOND = 4_000_000
_NAME = re.compile(r"[0-9a-f]{64}")
_ROOT = Path(__file__).resolve().parent.parent
_RUN = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1));"
    " runpy.run_module('ingest.sandbox_child', run_name='__main__', alter_sys=True)"
)
COMMAND = (sys.executable, "-I", "-B", "-X", "utf8", "-c", _RUN, str(_ROOT))
"""Isolated from the environment, yet of the very tree that the parent runs from."""
_FAULT = {"ecg": (Reason.BLOB_UNDECODABLE, "/recording/blob")}
_FAULT_OF_PICTURES = (Reason.IMAGE_UNDECODABLE, "/image/blob")


class Sandbox:
    """One child at a time, started when it is needed; a context manager. One caller at a time, others wait for it.

    ``deadline`` seconds, ``memory`` bytes and ``jobs`` a child are the settings; ``command`` is the child's program,
    which gets the parent's process id and ``memory`` as its last arguments.
    """

    def __init__(
        self,
        *,
        deadline: float = DEADLINE,
        memory: int = MEMORY,
        jobs: int = JOBS,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._deadline, self._memory, self._jobs, self._command = deadline, memory, jobs, command
        self._child: Child | None = None
        self._closed = False
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        child = self._child
        return None if child is None else child.process.pid

    @property
    def isolated(self) -> bool | None:
        """Whether the kernel took the network from the child, not the audit hook alone; None while there is none."""
        child = self._child
        return None if child is None else child.isolated

    def close(self) -> None:
        """Ends the child, at once, in the middle of a job as well; later looks find the sandbox unavailable."""
        self._closed = True
        if (child := self._child) is not None:
            child.kill()
        with self._turn:
            self._drop()

    def look(self, path: Path, content_type: str, kind: str, out: Path) -> Found:
        """What the file tells; files named by their own SHA-256 are left in folder ``out``.

        Raises ``Rejected`` with the file's fault, ``SandboxUnavailable`` for a fault that is not the file's.
        """
        try:
            seconds = self._deadline + path.stat().st_size / _BYTES_A_SECOND
        except OSError as fault:
            raise SandboxUnavailable(f"the file cannot be had: {fault.strerror}") from fault
        job = {"path": str(path.absolute()), "content_type": content_type, "kind": kind, "out": str(out.absolute())}
        line = json.dumps({**job, "seconds": seconds}) + "\n"
        with self._turn:
            # A child that an operator or a starved machine killed says nothing about the file: two in a row do.
            for _ in range(2):
                try:
                    return self._answered(line, seconds, kind, out)
                except Died:
                    status = self._drop()
                    if self._closed:
                        raise SandboxUnavailable("it was closed") from None
                    if status == FORBIDDEN:
                        break  # what it did says enough
        raise Rejected(*_FAULT.get(kind, _FAULT_OF_PICTURES))

    def _answered(self, line: str, seconds: float, kind: str, out: Path) -> Found:
        child = self._ready()
        child.jobs += 1
        try:
            said = child.ask(line, seconds)
        except SandboxUnavailable:
            self._drop()  # it may answer yet, when the next file is asked about
            raise
        if "found" in said:
            return _believable(said["found"], out)
        if "hindered" in said:
            raise SandboxUnavailable(str(said["hindered"]))
        if "broken" in said:
            # Whatever a parser left behind in this child, the next file does not meet it.
            self._drop()
            raise Rejected(*_FAULT.get(kind, _FAULT_OF_PICTURES))
        raise _verdict(said)

    def _ready(self) -> Child:
        if self._closed:
            raise SandboxUnavailable("it was closed")
        if self._child is not None and (self._child.jobs >= self._jobs or self._child.process.poll() is not None):
            self._drop()
        if self._child is None:
            self._child = Child([*self._command, str(os.getpid()), str(self._memory)])
            try:
                self._child.begin()
            except SandboxUnavailable:
                self._drop()
                raise
            # Asked again, because close() may have come by before there was a child for it to end.
            if self._closed:
                raise SandboxUnavailable("it was closed")
        return self._child

    def _drop(self) -> int | None:
        """Ends the child, if there is one; its exit status."""
        if self._child is None:
            return None
        status = self._child.end()
        self._child = None
        return status


def _believable(text: object, out: Path) -> Found:
    """A child that a file took over could name any file: only names of files in ``out`` are taken from it."""
    try:
        found = Found.of(str(text))
    except (ValueError, TypeError, AttributeError, RecursionError) as fault:
        raise Died from fault
    thumbnail = found.picture.thumbnail if found.picture else None
    for name in (found.wave.file if found.wave else None, thumbnail):
        if name is not None and not (_NAME.fullmatch(name) and (out / name).is_file()):
            raise Died
    return found


def _verdict(said: dict[str, object]) -> Rejected:
    try:
        pointer = said["pointer"]
        return Rejected(Reason(str(said["rejected"])), None if pointer is None else str(pointer))
    except (KeyError, ValueError) as fault:
        raise Died from fault
