"""A small HTTP server that speaks as much of InfluxDB 2 as a series needs, and misbehaves when told to.

It keeps lines by measurement, tags and time, as InfluxDB does; a line without a time gets its own clock's. Of Flux it
understands the one question that a series asks of itself, and answers the others with nothing, so that everything is
written again: only lines that are the same each time stay one.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "the-right-token"
LATE_S = 0.6
_LINE = re.compile(r"(?P<key>\S+) (?P<fields>(?:\"(?:[^\"\\]|\\.)*\"|\S)+)(?: (?P<time>-?\d+))?")


@dataclass
class StandIn:
    """What it holds and how it misbehaves: `fault` answers a write instead of it, until it is None."""

    lines: dict[tuple[str, str], str] = field(default_factory=dict)
    fault: Callable[[Handler, list[str]], None] | None = None
    token: str = TOKEN
    query: bytes | None = None
    """The answer to every question, instead of the right one."""
    written: int = 0
    url: str = ""

    def keep(self, lines: list[str]) -> None:
        """Keep lines; one that is there already is replaced."""
        self.written += len(lines)
        for line in lines:
            found = _LINE.fullmatch(line)
            assert found is not None, line
            key, at = found["key"], found["time"] or str(time.time_ns())
            if key.startswith("constantes/"):
                at = ""  # the newest is all that is asked for
            self.lines[key, at] = found["fields"]

    def points(self) -> dict[tuple[str, str], str]:
        """The lines that are points."""
        return {place: fields for place, fields in self.lines.items() if not place[0].startswith("constantes/")}

    def marks(self) -> str:
        """The answer to what it says of itself."""
        told = {name: self.lines.get((f"constantes/{name}", "")) for name in ("ledger", "position")}
        rows = [
            f",_result,0,2026-11-24T12:00:00Z,{fields.partition('=')[2].strip(chr(34)).removesuffix('i')},constantes/{name}"
            for name, fields in told.items()
            if fields is not None
        ]
        return "\r\n".join([",result,table,_time,_value,_measurement", *rows, ""]) if rows else "\r\n"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    state: StandIn

    def do_POST(self) -> None:
        """Write, query, delete, or make something."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers["Authorization"] != f"Token {self.state.token}":
            self.say(401, {"code": "unauthorized", "message": "unauthorized access"})
        elif self.path.startswith("/api/v2/write"):
            self._write(body.decode().split("\n"))
        elif self.path.startswith("/api/v2/query"):
            asks = b"constantes/ledger" in body
            answer = self.state.marks().encode() if asks else b"\r\n"
            self.send(200, answer if self.state.query is None else self.state.query, "text/csv")
        elif self.path.startswith("/api/v2/delete"):
            self.state.lines.clear()
            self.send(204, b"")
        else:
            self.say(201, {"id": "1", **json.loads(body)})

    def do_GET(self) -> None:
        """Both buckets and the task are there."""
        kind = self.path.removeprefix("/api/v2/").partition("?")[0]
        found = {"id": "1", "name": "any", "retentionRules": [], "flux": "", "status": "active", "orgID": "1"}
        self.say(200, {kind: [found]})

    def do_PATCH(self) -> None:
        """Take whatever is changed."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.say(200, {"id": "1", "name": "any", "orgID": "1", "flux": ""})

    def say(self, status: int, document: dict[str, Any]) -> None:
        """Answer with JSON."""
        self.send(status, json.dumps(document).encode(), "application/json")

    def send(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        """Answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the base class's
        """Say nothing."""

    def _write(self, lines: list[str]) -> None:
        if self.state.fault is not None and not lines[0].startswith("constantes/"):
            self.state.fault(self, lines)
            return
        self.state.keep(lines)
        self.send(204, b"")


def refuses(status: int, message: str = "no") -> Callable[[Handler, list[str]], None]:
    """Answer so, and keep nothing."""
    return lambda handler, _lines: handler.say(status, {"code": "any", "message": message})


def keeps_part(handler: Handler, lines: list[str]) -> None:
    """Keep all but those of the metric `diastolic`, and say so as InfluxDB 2.7 does, which quotes what was sent."""
    good = [line for line in lines if not line.startswith("diastolic,")]
    handler.state.keep(good)
    if len(good) == len(lines):
        handler.send(204, b"")
    else:
        quoted = f"failure writing points to database: partial write: field type conflict: {lines[0]} dropped=1"
        handler.say(422, {"code": "unprocessable entity", "message": quoted})


def takes_few(handler: Handler, lines: list[str]) -> None:
    """Refuse more than seven lines as too large."""
    if len(lines) > 7:
        handler.say(413, {"code": "request too large", "message": "any"})
    else:
        handler.state.keep(lines)
        handler.send(204, b"")


def cuts(handler: Handler, lines: list[str]) -> None:
    """Keep the lines and cut the line before the answer."""
    handler.state.keep(lines)
    handler.close_connection = True
    handler.connection.shutdown(2)


def is_slow(handler: Handler, lines: list[str]) -> None:
    """Answer when nobody waits any longer."""
    time.sleep(LATE_S)
    handler.state.keep(lines)
    handler.close_connection = True


def is_another(handler: Handler, _lines: list[str]) -> None:
    """Answer as a web server that says yes to everything."""
    handler.send(200, b"<html>Welcome</html>", "text/html")


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """Give one on a free port."""
    state = StandIn()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"state": state}))
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
