"""Processes that are started again when they end, as ``restart: unless-stopped`` does for containers.

Comes in: commands with their environments. Goes out: the same, running, until the end of the block. Refuses to know:
what they do.

One thread starts them all, the first time and again: the kernel ties each to the thread that started it.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from app.demo.stage import running
from deploy.parts import Command

_TURN_S = 0.1


@dataclass(slots=True)
class Kept:
    """``pids`` are those of the processes that run now; ``starts`` is how often each was started."""

    commands: Mapping[str, Command]
    surroundings: Mapping[str, str]
    folder: Path
    log: IO[str]
    pids: dict[str, int] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Keep all of them running until ``stop``; the body of the one thread."""
        with contextlib.ExitStack() as ends:
            processes = {name: ends.enter_context(self._started(name)) for name in self.commands}
            while not self._stop.wait(_TURN_S):
                for name, process in processes.items():
                    if process.poll() is not None:
                        processes[name] = ends.enter_context(self._started(name))
            for process in processes.values():  # all at once; the stack then waits for each
                process.terminate()

    def stop(self) -> None:
        """Ask all of them to end."""
        self._stop.set()

    @contextlib.contextmanager
    def _started(self, name: str) -> Iterator[subprocess.Popen[str]]:
        command = self.commands[name]
        environment = {**self.surroundings, **command.environment}
        with running(["app", *command.words], environment, self.folder, self.log) as process:
            self.pids[name] = process.pid
            self.starts[name] = self.starts.get(name, 0) + 1
            yield process


@contextlib.contextmanager
def kept(
    commands: Mapping[str, Command], surroundings: Mapping[str, str], folder: Path, log: IO[str]
) -> Iterator[Kept]:
    """Run them in ``folder``, their words in ``log``; end them with the block."""
    keeper = Kept(commands, surroundings, folder, log)
    thread = threading.Thread(target=keeper.run, name="kept")
    thread.start()
    try:
        yield keeper
    finally:
        keeper.stop()
        thread.join()
