"""A container with the life of a process, made by testcontainers; and whether this machine could have one.

In: an image, a port, variables, mounts, and a question that tells when it answers. Out: what `scripts.services` takes
for a process. Refuses to know: which service it is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scripts.services.process import ENDING, until

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

PATIENCE_S: Final = 300.0
"""A first start pulls the image."""


@dataclass
class Contained:
    """A container with the life of a process: what `scripts.services.process.Process` is to a program."""

    image: str
    inside: int
    """The port that it listens on in its container."""
    port: int
    """The same port here, kept over restarts."""
    answers: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[Path, str] = field(default_factory=dict)
    _container: DockerContainer | None = None

    @property
    def id(self) -> str:
        """The container's own."""
        return str(self._inner().id)

    @property
    def pid(self) -> int:
        """Number of its first process; 0 when it does not run."""
        if self._container is None:
            return 0
        inner = self._inner()
        inner.reload()
        return int(inner.attrs["State"]["Pid"])

    def start(self) -> None:
        """Make it, or start it again on its data; wait until it answers."""
        if self._container is None:
            self._container = self.described()
            self._container.start()
        elif not self.pid:
            self._inner().start()
        until(self._is_ready, f"{self.image} answers", PATIENCE_S)

    def stop(self) -> None:
        """End it in good order."""
        if self._container is not None:
            self._inner().stop()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; wait when it is one that ends it."""
        if self.pid:
            self._inner().kill(signal=number)
            if number in ENDING:
                self._inner().wait()

    def remove(self) -> None:
        """Remove it with its data."""
        if self._container is not None:
            self._container.stop()

    def described(self) -> DockerContainer:
        """It, for the Docker client; not made yet."""
        from testcontainers.core.container import DockerContainer

        made = DockerContainer(self.image, env=dict(self.environment))
        for here, there in self.mounts.items():
            made.with_volume_mapping(here, there, "rw" if here.is_dir() else "ro")
        return made.with_bind_ports(self.inside, self.port)

    def _inner(self) -> Any:  # noqa: ANN401 - the Docker client has no types
        assert self._container is not None
        return self._container.get_wrapped_container()

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            return self.answers()
        return False


def missing() -> str:
    """Say why no container can be run; empty when Docker answers at DOCKER_HOST or its usual socket."""
    where = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    kind, _, rest = where.partition("://")
    host, _, port = rest.rpartition(":")
    with socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET) as door:
        door.settimeout(10)
        try:
            door.connect(rest if kind == "unix" else (host, int(port)))
            door.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            status = door.recv(1024).split(b" ")[1:2]
        except (OSError, ValueError):
            return f"no Docker answers at {where}"
    return "" if status == [b"200"] else f"Docker does not answer as it should at {where}"
