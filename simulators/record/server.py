"""The record as a process: it listens, answers, lets faults happen, and ends in order.

In: a port, a file, faults. Out: a line on standard output when ready, then answers until SIGINT or SIGTERM.
It knows where requests go, and nothing of what they mean.
"""

import asyncio
import hmac
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import h11

from simulators.record import inspection, routes
from simulators.record.answers import Answer, Refused, misnamed, refusal
from simulators.record.faults import Asked, Draw, Fate, parse
from simulators.record.inspection import Inspection
from simulators.record.line import Line
from simulators.record.routes import Request, Routes
from simulators.record.store import Store

HOST: Final = "127.0.0.1"
_NOT_HTTP: Final = Refused(400, "structure", "This is not HTTP/1.1.")
_NO_TOKEN: Final = Refused(401, "login", "No valid token.", (("WWW-Authenticate", "Bearer"),))


class NotStarted(Exception):  # noqa: N818 - the project's word for it
    """The record cannot start. The text says what happened, what is safe, and what to do."""


class PortTaken(NotStarted):
    """Another program listens on the port, or the port is not ours to take."""


class FileUnusable(NotStarted):
    """The record's file, or the token's, cannot be used."""


def serve(
    port: int = 0,
    file: Path | None = None,
    faults: Sequence[str] = (),
    seed: int = 0,
    *,
    token_file: Path | None = None,
    reference_checks: bool = True,
) -> None:
    """Be the record on 127.0.0.1 until SIGINT or SIGTERM; to be called in the main thread.

    `port` 0 takes a free one; without `file` everything is in memory; `faults` are texts that `parse` reads.
    With `token_file`, all of FHIR but `metadata` asks for that bearer token; the file is read anew at every
    request, so that a token can be changed. Without `reference_checks` a reference may lead nowhere.
    Raises `FaultMalformed`, `PortTaken`, `FileUnusable`.
    """
    draw = Draw(tuple(parse(text) for text in faults), seed)
    if token_file is not None:
        _read_token(token_file)
    with _listening(port) as listening, closing(_opened(file)) as store:
        base = f"http://{HOST}:{listening.getsockname()[1]}{routes.PREFIX}"
        fhir = Routes(store, base, draw.refused_entry, reference_checks=reference_checks)
        record = Record(fhir, Inspection(store, draw), draw, token_file)
        asyncio.run(_until_stopped(record, listening, base))


class Record:
    """Both sides of the record, with the faults between them and the clients."""

    def __init__(self, fhir: Routes, inspected: Inspection, draw: Draw, token_file: Path | None) -> None:
        """All are shared by all connections."""
        self._fhir, self._inspected, self._draw, self._token_file = fhir, inspected, draw, token_file
        self._talks: set[asyncio.Task[None]] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until its end."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is talked to in a task")
        self._talks.add(task)
        line = Line(reader, writer)
        try:
            while await self._turn(line):
                pass
        except (OSError, asyncio.CancelledError):
            pass  # the client is gone, or we are ending: what was stored stays stored
        finally:
            line.close()
            self._talks.discard(task)

    async def end(self) -> None:
        """End every connection."""
        for task in self._talks:
            task.cancel()
        await asyncio.gather(*self._talks)

    async def _turn(self, line: Line) -> bool:
        """One request and its answer; False at the end of the line."""
        try:
            request = await line.receive()
        except Refused as refused:
            return await line.send(refusal(refused))
        except h11.RemoteProtocolError:
            return await line.send(refusal(_NOT_HTTP))
        if request is None:
            return False
        answer, fate = self._met(request)
        if fate.delay_s:
            await asyncio.sleep(fate.delay_s)
        return await line.send(answer, fate.manner, fate.pace_s)

    def _met(self, request: Request) -> tuple[Answer, Fate]:
        """The answer to a request, and what is to happen to it on its way."""
        if _below(inspection.PREFIX, request.path):
            return _answer(self._inspected.answer, request), Fate()
        asked = _asked(request)
        if asked != "metadata" and not self._may(request):
            return refusal(_NO_TOKEN), Fate()
        fate = self._draw.fate(asked)
        answer = fate.instead or _answer(self._fhir.answer, request)
        return (misnamed(answer) if fate.wrong_id else answer), fate

    def _may(self, request: Request) -> bool:
        if self._token_file is None:
            return True
        try:
            wanted = f"Bearer {_read_token(self._token_file)}"
        except FileUnusable:
            return False
        return hmac.compare_digest(wanted.encode(), request.headers.get("authorization", "").encode())


async def _until_stopped(record: Record, listening: socket.socket, base: str) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    server = await asyncio.start_server(record.talk, sock=listening)
    sys.stdout.write(f"record ready on {base}\n")
    sys.stdout.flush()
    await stopped.wait()
    server.close()
    await record.end()


def _answer(answer: Callable[[Request], Answer], request: Request) -> Answer:
    try:
        return answer(request)
    except Refused as refused:
        return refusal(refused)
    except sqlite3.Error:
        return refusal(Refused(500, "exception", "The record's file cannot be read or written now."))


def _asked(request: Request) -> Asked:
    if request.path == f"{routes.PREFIX}/metadata":
        return "metadata"
    reads = request.method in ("GET", "HEAD") or request.path.endswith("/_search")
    return "read" if reads else "write"


def _below(prefix: str, path: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError) as why:
        raise PortTaken(
            f"The record cannot listen on {HOST}:{port} ({why}). Nothing was changed. "
            "Stop the program that uses the port, or choose another one with --port (0 takes a free one)."
        ) from None


def _opened(file: Path | None) -> Store:
    try:
        return Store(file)
    except sqlite3.Error as why:
        raise FileUnusable(
            f"The record's file {file} cannot be used ({why}). It was not changed. "
            "Name a file of an earlier record, or a new one in a folder that may be written, with --file."
        ) from None


def _read_token(file: Path) -> str:
    try:
        token = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        token = ""
    if not token:
        raise FileUnusable(
            f"The token file {file} cannot be read or holds no token. Nothing was changed. "
            "Put one line with the token into it, or name another with --token-file."
        )
    return token
