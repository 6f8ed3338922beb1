"""The HTTP side of the office: one server for the network, one for the Unix socket of this user.

Comes in: settings, an open ledger. Goes out: answers, until asked to stop. Refuses to know: the routes.
"""

from __future__ import annotations

import logging
import socket
import threading

import uvicorn
from fastapi import FastAPI

from app import sockets
from app.http import application
from app.office import office
from app.settings import Settings
from ingest.ledger.files import OpenLedger

_GRACE_S = 3
_TURN_S = 0.1


class Server:
    """Listens from the moment it is made, so that a port that is taken is known before anything else starts."""

    def __init__(self, settings: Settings, file: OpenLedger) -> None:
        shared = office(settings, file)
        self._servers = [
            (_server(application(shared, settings)), _network(settings.http.host, settings.http.port)),
            (_server(application(shared, settings, operator=True)), sockets.listen(settings.data)),
        ]

    def run(self, stop: threading.Event) -> None:
        """Answer until ``stop`` is set; requests under way are finished first."""
        threads = [
            threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="http", daemon=True)
            for server, listening in self._servers
        ]
        for thread in threads:
            thread.start()
        while not stop.wait(_TURN_S):
            if not all(thread.is_alive() for thread in threads):
                break
        for server, _ in self._servers:
            server.should_exit = True
        for thread in threads:
            thread.join()

    @property
    def is_open(self) -> bool:
        """Whether both servers answer."""
        return all(server.started for server, _ in self._servers)


def _server(app: FastAPI) -> uvicorn.Server:
    # Addresses and paths hold identifiers: nothing of a request is logged.
    config = uvicorn.Config(
        app,
        access_log=False,
        log_level=logging.WARNING,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        lifespan="off",
    )
    return uvicorn.Server(config)


def _network(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.listen(128)
    return listening
