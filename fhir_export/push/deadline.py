"""A limit on the whole of an exchange: time limits between two bytes do not end an answer that drips.

Comes in: the events of a connection as they are traced, seconds. Goes out: a line that is cut when its time is up.
Refuses to know: HTTP.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class Deadline:
    """Watches the one connection whose events it is told of."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._line: socket.socket | None = None

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Note the connection (httpcore's trace extension)."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._line = info["return_value"].get_extra_info("socket")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Cut the line if the block is not left in time; whoever reads from it then finds it ended."""
        timer = threading.Timer(self._seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        if self._line is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)  # TLS's own shutdown would wait for the other side
