"""How a command reaches ``/api/v1``: over the Unix socket of the running instance, else in its own process.

Comes in: settings, requests. Goes out: answers as JSON values, or one of the faults below. Refuses to know: what is
asked.

Without an instance the command takes the data folder's lock and serves the same application to itself, so that there
is never a second writer beside the first.

ClientFault
 ├── ApiRefused       the API answered with a problem
 ├── InstanceSilent   another process holds the folder and does not answer
 └── NoInstallation   the folder holds none, and the request is not one that makes one
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from app.settings import Settings
from app.sockets import LOCK, InstanceLock, socket_path

_BASE = "http://constantes"
_STARTING_S = 10.0  # how long an instance may take from its lock to its socket
_PAUSE_S = 0.05
_CONNECT_S = 5.0


class ClientFault(Exception):  # noqa: N818 - a fault is what the reader sees
    """A request was not answered as hoped; the text is for a person."""


class ApiRefused(ClientFault):
    """The API refused: ``code`` is stable, the text says what happened and what to do."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code


class InstanceSilent(ClientFault):
    """The folder is in use and nobody answers."""


class NoInstallation(ClientFault):
    """There is nothing to ask."""

    def __init__(self, data: Path) -> None:
        super().__init__(
            f"There is no installation in the folder {data}. Nothing was made. "
            "Go to the folder of yours, or name its data folder with CONSTANTES_DATA; "
            "a new one is made by `constantes up`, or by `constantes device add ID`."
        )


class _Line(Protocol):
    """A way to the application."""

    def send(self, request: httpx.Request) -> httpx.Response:
        """Send and read the whole answer; raises httpx.TransportError."""


@dataclass(frozen=True, slots=True)
class Api:
    """``/api/v1`` of one data folder. ``in_process`` when no instance runs."""

    line: _Line
    in_process: bool

    def get(self, path: str, **query: object) -> Any:  # noqa: ANN401 - a JSON value, shown as it is
        """GET; query values that are None are left out."""
        return self._call("GET", path, {name: value for name, value in query.items() if value is not None}, None)

    def post(self, path: str, body: Mapping[str, object] | None = None, **query: object) -> Any:  # noqa: ANN401 - as above
        """POST with a JSON body. What is asked for goes into ``query``: one that ``path`` held would be lost."""
        return self._call("POST", path, query, body)

    def _call(self, method: str, path: str, query: Mapping[str, object], body: Mapping[str, object] | None) -> Any:  # noqa: ANN401
        given = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in query.items()}
        request = httpx.Request(method, f"{_BASE}/api/v1{path}", params=given, json=body)
        try:
            answer = self.line.send(request)
        except httpx.TransportError:
            raise InstanceSilent(
                "The running instance closed the line before it answered. What was asked may or may not be done. "
                "Look whether it still runs, then ask for the list before repeating the command."
            ) from None
        if answer.is_success:
            return answer.json() if answer.content else None
        try:
            said = answer.json()
            raise ApiRefused(answer.status_code, said["code"], said["detail"])
        except (ValueError, KeyError, TypeError):
            raise ApiRefused(answer.status_code, "http", f"The instance answered {answer.status_code}.") from None


@contextlib.contextmanager
def connected(settings: Settings, *, new: bool = True) -> Iterator[Api]:
    """The API of the settings' data folder; raises InstanceSilent, LedgerFault, or what a request raises.

    Without an installation there, one is made; with ``new`` false nothing is, and NoInstallation is raised.
    """
    end = time.monotonic() + _STARTING_S
    while True:
        if (line := _reached(socket_path(settings.data))) is not None:
            with line:
                yield Api(line, in_process=False)
            return
        if not new and not _is_there(settings) and not (settings.data / LOCK).exists():
            raise NoInstallation(settings.data)
        with InstanceLock(settings.data) as lock:
            if lock.take():
                if not new and not _is_there(settings):
                    raise NoInstallation(settings.data)
                with _served(settings) as own:
                    yield Api(own, in_process=True)
                return
        if time.monotonic() > end:
            raise InstanceSilent(
                f"Another process uses the data folder {settings.data} and does not answer on its socket. "
                "Nothing was changed. Wait until it has started or ended, or stop it, and repeat the command."
            )
        time.sleep(_PAUSE_S)


def _is_there(settings: Settings) -> bool:
    """Whether an installation has its ledger; a server's database is made by whoever runs the server."""
    return settings.has_ledger_server or settings.ledger_path.exists()


def _reached(path: Path) -> httpx.Client | None:
    """A line to the instance that listens on the socket, None when nobody does."""
    import socket

    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_CONNECT_S)
        try:
            probe.connect(str(path))
        except OSError:
            return None
    # Without a limit for reading: to verify a large ledger takes minutes.
    timeout = httpx.Timeout(None, connect=_CONNECT_S)
    return httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), timeout=timeout, trust_env=False)


@contextlib.contextmanager
def _served(settings: Settings) -> Iterator[_Line]:
    from app import wiring
    from app.http import application
    from app.office import office

    with wiring.ledger(settings) as file:
        yield _Own(httpx.ASGITransport(application(office(settings, file), settings, operator=True)))


@dataclass(frozen=True, slots=True)
class _Own:
    """The application in this process."""

    transport: httpx.ASGITransport

    def send(self, request: httpx.Request) -> httpx.Response:
        """See ``_Line``."""
        return asyncio.run(self._send(request))

    async def _send(self, request: httpx.Request) -> httpx.Response:
        answer = await self.transport.handle_async_request(request)
        await answer.aread()
        return answer
