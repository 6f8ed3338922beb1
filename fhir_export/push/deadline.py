"""A limit on the whole of an exchange: time limits between two bytes do not end an answer that drips.

Comes in: the events of a connection as they are traced, seconds. Goes out: a line that is cut when its time is up.
Refuses to know: HTTP.

One thread looks at the time now and then. A timer for each request would be a thread for each, and its start a place
where every other thread of the process may go first.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_LOOK_S = 1.0


class Deadline:
    """Watches the one connection whose events it is told of; its thread ends with ``close``."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._look_s = seconds, min(_LOOK_S, seconds / 4)
        self._line: socket.socket | None = None
        self._until: float | None = None
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Note the connection (httpcore's trace extension)."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._line = info["return_value"].get_extra_info("socket")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Cut the line if the block is not left in time; whoever reads from it then finds it ended."""
        self._until = time.monotonic() + self._seconds
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="deadline", daemon=True)
            self._thread.start()
        try:
            yield
        finally:
            self._until = None

    def close(self) -> None:
        """Watch no longer."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(self._look_s):
            until = self._until
            if until is not None and time.monotonic() > until == self._until:
                self._cut()

    def _cut(self) -> None:
        if self._line is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)  # TLS's own shutdown would wait for the other side
