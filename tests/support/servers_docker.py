"""A stand-in for the Docker daemon: as much of its HTTP API as the containers of the suites use, and a memory.

In: requests of the real Docker client, with DOCKER_HOST leading here. Out: `calls` in order, and what a container was
made of. Refuses to know: images, processes; a container of it is a state.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

ID: Final = "c0ffee"
PID: Final = 4242
_ENDING: Final = {"stop", "9", "15", "SIGKILL"}
_ANSWERS: Final[dict[str, Any]] = {
    "/_ping": "OK",
    "/version": {"ApiVersion": "1.44", "Version": "27"},
    "/images/create": {},
}


@dataclass
class Daemon:
    """What was asked of it."""

    port: int = 0
    calls: list[str] = field(default_factory=list)
    made: dict[str, Any] = field(default_factory=dict)
    """The body by which the container was made."""
    runs: bool = False

    def answer(self, method: str, path: str, query: str, body: bytes) -> tuple[int, Any]:
        """Status and body; the state follows."""
        path = re.sub(r"^/v1\.\d+", "", path)
        action = path.rpartition("/")[2]
        if path == "/containers/create":
            self.made = json.loads(body)
            self.calls.append("create")
            return 201, {"Id": ID, "Warnings": []}
        if path.startswith("/containers/"):
            return self._container(method, action, query)
        if path.startswith("/images/") and action == "json":
            return 200, {"Id": "sha256:0", "Os": "linux", "Architecture": "amd64"}
        return 200, _ANSWERS.get(path, {})

    def _container(self, method: str, action: str, query: str) -> tuple[int, Any]:
        if action == "json":
            return 200, {"Id": ID, "Name": ID, "State": {"Pid": PID if self.runs else 0}, "Config": {}}
        signal = re.search(r"signal=(\w+)", query)
        told = f"kill {signal[1]}" if signal else "remove" if method == "DELETE" else action
        self.calls.append(told)
        self.runs = action == "start" or (self.runs and told.rpartition(" ")[2] not in {*_ENDING, "remove"})
        return 200 if action == "wait" else 204, {"StatusCode": 0}


@contextmanager
def daemon() -> Iterator[Daemon]:
    """Answer on a free port."""
    stand_in = Daemon()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, answer = stand_in.answer(self.command, path, query, body)
            data = b"" if status == 204 else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = do  # noqa: N815 - the names that the base class calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stand_in.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
