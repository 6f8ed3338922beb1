"""The limited child as its parent holds it: a process, two pipes, and never more patience than was agreed.

Comes in: a command, then lines. Goes out: what the child answers, as JSON objects, or ``Died``. Refuses to know: files,
verdicts.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_START = 30.0
"""Seconds until the child has to be ready."""
_LONGEST_ANSWER = 1_000_000
_NICE = 19
"""The child gives way to everything (setpriority(2)): a device waits for its receipt, nobody waits for a look."""
_PATIENCE = 10
"""Times the seconds of a job after which a child that is still kept from the processor is given up."""
_LOOK_AGAIN = 0.5  # seconds
_KEPT_WAITING = frozenset("RDTt")
"""States that are not the file's doing: ready to run, waiting for the disk, stopped by somebody (proc(5))."""
_TICKS = os.sysconf("SC_CLK_TCK")
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
"""No threads of libraries: they may not be started under the child's limits, and each would map memory."""


class SandboxUnavailable(Exception):  # noqa: N818 - named like every "...Unavailable": keep, and try again
    """No child could be had, so nothing is said about any file."""

    def __init__(self, fact: str) -> None:
        super().__init__(
            f"The process that looks into files is not to be had ({fact}). The files are kept and their readings wait;"
            " nothing is refused because of it. Check memory, disk and installation; looking is tried again by itself."
        )
        self.fact = fact


class Died(Exception):  # noqa: N818 - not a failure of ours: the parent decides what it means
    """The child ended, fell silent or spoke nonsense."""


class Late(Died):
    """It did not answer in time, and says nothing of why."""


class Child:
    """The process and its two pipes; ``jobs`` it was given, ``isolated`` if the kernel took the network from it."""

    def __init__(self, command: Sequence[str]) -> None:
        self.jobs = 0
        self.isolated = False
        self._unread = b""
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_ENVIRONMENT,
                cwd="/",
                bufsize=0,
                start_new_session=True,
            )
            os.setpriority(os.PRIO_PROCESS, self.process.pid, _NICE)
        except OSError as fault:
            raise SandboxUnavailable(f"it did not start: {fault.strerror}") from fault

    def begin(self) -> None:
        """Waits for the word that it is ready."""
        try:
            said = self._line(_START)
        except Died:
            status = self.process.poll()
            fact = "it was not ready in time" if status is None else f"it ended with {status} before it was ready"
            raise SandboxUnavailable(fact) from None
        if "ready" not in said:
            raise SandboxUnavailable(str(said.get("hindered", "it did not say that it was ready")))
        self.isolated = said["ready"] == "no network"

    def ask(self, line: str, seconds: float) -> dict[str, object]:
        """The answer to one line, for which the child may work ``seconds``.

        Raises ``Died`` when it worked longer or sleeps, ``SandboxUnavailable`` when the machine never let it work.
        """
        assert self.process.stdin is not None  # noqa: S101 - for the type checker: it is a pipe
        worked, _ = _used(self.process.pid)
        try:
            self.process.stdin.write(line.encode())
        except OSError as fault:
            raise Died from fault
        until = time.monotonic() + seconds * _PATIENCE
        left = seconds
        while True:
            try:
                return self._line(left)
            except Late:
                used, waits_for_processor = _used(self.process.pid)
                left = max(_LOOK_AGAIN, seconds - (used - worked))
                if used - worked >= seconds or not waits_for_processor:
                    raise Died from None
                if time.monotonic() > until:
                    raise SandboxUnavailable("the machine is too busy for it") from None

    def _line(self, seconds: float) -> dict[str, object]:
        assert self.process.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
        until = time.monotonic() + seconds
        pipe = self.process.stdout.fileno()
        waiting = select.poll()
        waiting.register(pipe, select.POLLIN)
        while b"\n" not in self._unread:
            left = until - time.monotonic()
            if len(self._unread) > _LONGEST_ANSWER:
                raise Died
            if left <= 0 or not waiting.poll(left * 1000):
                raise Late
            block = os.read(pipe, 1 << 16)
            if not block:
                raise Died
            self._unread += block
        line, _, self._unread = self._unread.partition(b"\n")
        if self._unread:
            raise Died
        return _object(line)

    def kill(self) -> None:
        """The whole group, at once; the process is still to be waited for."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def end(self) -> int | None:
        """Kills it, waits for it, and closes the pipes; its exit status, None while the kernel cannot end it."""
        self.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_START)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        return self.process.returncode


def _used(pid: int) -> tuple[float, bool]:
    """Seconds of processor a process has used, and whether it could use more now (proc(5), stat).

    Where the kernel does not tell, a late child is taken for one that sleeps.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0, False
    return (int(stat[11]) + int(stat[12])) / _TICKS, stat[0] in _KEPT_WAITING


def _object(line: bytes) -> dict[str, object]:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError) as fault:
        raise Died from fault
    if not isinstance(said, dict):
        raise Died
    return said
