"""One service as a process on this machine: started, killed, started again, and gone when its parent is.

In: a command and a question that tells when it answers. Out: a process tied to this one. Refuses to know: which
service it is.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

LOOPBACK: Final = "127.0.0.1"
LEASH: Final = Path(__file__).with_name("leash.py")
PATIENCE_S: Final = 60.0
_AGAIN, _AGAIN_S = 20, 0.5
ENDING: Final = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT})
_TOLD: Final = 2000
"""Characters of a service's own words that go into an error."""


class ServiceMissing(Exception):  # noqa: N818 - it names what was found, and is caught by that name
    """This machine has not what the service needs; the text says what was looked for and how to get it."""


class ServiceFailed(Exception):  # noqa: N818 - the same
    """The service is here but did not start or stop; the text has its last words."""


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as door:
        door.bind((LOOPBACK, 0))
        return int(door.getsockname()[1])


@contextlib.contextmanager
def place(name: str, folder: Path | None) -> Iterator[Path]:
    """Give the folder of a service: the one named, which stays, or a new one, which goes with the block."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix=f"constantes-{name}-", ignore_cleanup_errors=True) as made:
        yield Path(made)


class Life(Protocol):
    """What runs a service: a process here, or a container in the tests."""

    @property
    def pid(self) -> int:
        """Process number; 0 when it does not run."""

    def start(self) -> None:
        """Start, on the data that is there, and wait until it answers."""

    def stop(self) -> None:
        """End in good order; harmless when it does not run."""

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; after one that ends processes, return when it has ended."""


@dataclass
class Service:
    """A service in a folder, on a port that it keeps over restarts. Each service says how it is run (`_made`)."""

    folder: Path
    port: int = field(default_factory=free_port, kw_only=True)

    def __post_init__(self) -> None:
        self.life = self._made()

    @property
    def pid(self) -> int:
        """Its process number; 0 when it does not run."""
        return self.life.pid

    @property
    def environment(self) -> dict[str, str]:
        """The project's settings that lead here."""
        raise NotImplementedError

    def start(self) -> None:
        """Start, on the data that is there, and wait until it answers."""
        self.life.start()

    def stop(self) -> None:
        """End in good order; harmless when it does not run."""
        self.life.stop()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; wait when it is one that ends it. SIGSTOP and SIGCONT hold it."""
        self.life.kill(number)

    def _made(self) -> Life:
        raise NotImplementedError


@dataclass
class Process:
    """A service's process; `start` after an end is the same service on the same data."""

    name: str
    command: Sequence[str]
    answers: Callable[[], bool]
    """Asked until true; whatever it raises as `OSError` means not yet."""
    log: Path
    user: str = "-"
    """`UID:GID` to run under; `-` keeps this process's own."""
    environment: Mapping[str, str] = field(default_factory=dict)
    stops_with: signal.Signals = signal.SIGTERM
    patience_s: float = PATIENCE_S
    _running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process's number; 0 when it does not run."""
        return self._running.pid if self._running and self._running.poll() is None else 0

    def start(self) -> None:
        """Start and wait until it answers; again when it ends by itself, as while parts of a killed one live."""
        deadline, starts = time.monotonic() + self.patience_s, 0
        while not self.pid or not self._is_ready():
            if time.monotonic() > deadline or (starts > _AGAIN and not self.pid):
                self.kill(signal.SIGKILL)
                raise ServiceFailed(f"{self.name} does not answer. {self._last_words()}")
            if not self.pid:
                time.sleep(_AGAIN_S if starts else 0)
                self._running, starts = _keeper().submit(self._spawn).result(), starts + 1
            time.sleep(0.02)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; after one that ends processes, return when it has ended."""
        if self._running is None:
            return
        if self._running.poll() is None:
            self._running.send_signal(number)
        if number in ENDING:
            self._wait()

    def stop(self) -> None:
        """Let it end in good order; harmless when it does not run."""
        self.kill(self.stops_with)

    def _wait(self) -> None:
        if self._running is None:
            return
        try:
            self._running.wait(self.patience_s)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
            raise ServiceFailed(f"{self.name} had to be killed: it did not end. {self._last_words()}") from None
        self._running = None

    def _spawn(self) -> subprocess.Popen[bytes]:
        leashed = [sys.executable, "-I", str(LEASH), str(os.getpid()), self.user, *self.command]
        surroundings = {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ", "JAVA_HOME") if name in os.environ
        }
        with self.log.open("ab") as log:
            return subprocess.Popen(
                leashed,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**surroundings, **self.environment},
                cwd="/",
                start_new_session=True,  # Ctrl-C at the desk ends the tests, and they end the service
            )

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            return self.answers()
        return False

    def _last_words(self) -> str:
        return f"Its last words:\n{self.log.read_text('utf-8', 'replace')[-_TOLD:]}" if self.log.exists() else ""


@functools.cache
def _keeper() -> ThreadPoolExecutor:
    """The one thread that starts services: the kernel takes the death of the starting *thread* for the parent's."""
    return ThreadPoolExecutor(1, "services")


def until(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for `condition`; raise `ServiceFailed` naming `what` when `patience_s` seconds were not enough."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise ServiceFailed(f"not within {patience_s:g} s: {what}")
        time.sleep(0.02)
