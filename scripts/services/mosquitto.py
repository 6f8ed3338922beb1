"""Mosquitto on this machine, with the configuration that the project ships: only its paths and its port are others.

In: nothing, or a folder. Out: a `Server` on a free port that lets nobody in but the gateway, until a gate admits more.
Refuses to know: devices, and what a broker is expected to do.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.broker.credentials import GatewayCredentials, gateway_credentials
from gateway.broker.knock import knock
from gateway.broker.mosquitto import MosquittoGate
from scripts.services.process import LOOPBACK, Life, Process, Service, ServiceMissing, place

SHIPPED: Final = Path(__file__).parents[2] / "deploy" / "mosquitto" / "constantes.conf"


@dataclass
class Server(Service):
    """A broker whose accounts lie in `folder/broker`, where an installation with the data folder `folder` has them."""

    @property
    def accounts(self) -> Path:
        """The folder of `passwords` and `acl`."""
        return self.folder / "broker"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return LOOPBACK, self.port

    @property
    def url(self) -> str:
        """Its address."""
        return f"mqtt://{LOOPBACK}:{self.port}"

    @property
    def credentials(self) -> GatewayCredentials:
        """The gateway's account."""
        return gateway_credentials(self.accounts)

    @property
    def reload_command(self) -> list[str]:
        """What makes it read its accounts again, whichever process it is by then."""
        return ["sh", "-c", f"kill -HUP $(cat {shlex.quote(str(self.folder / 'constantes.pid'))})"]

    @property
    def gate(self) -> MosquittoGate:
        """What lets devices in, and proves that it did."""
        return MosquittoGate(self.accounts, self.reload_command, self.address)

    @property
    def environment(self) -> dict[str, str]:
        """The project's settings that lead here; the data folder is one of them, for the accounts lie in it."""
        return {
            "CONSTANTES_DATA": str(self.folder),
            "CONSTANTES_MQTT__URL": self.url,
            "CONSTANTES_MQTT__RELOAD_COMMAND": shlex.join(self.reload_command),
        }

    def shut_out(self) -> None:
        """Write the accounts for a broker that does not run yet: the gateway's, and nobody else's."""
        self.accounts.mkdir(parents=True, exist_ok=True)
        MosquittoGate(self.accounts, []).admit([])

    def _made(self) -> Life:
        configuration = self.folder / "mosquitto.conf"
        configuration.write_text(placed(SHIPPED.read_text("utf-8"), self.folder, self.accounts, self.port), "utf-8")
        return Process("Mosquitto", [program(), "-c", str(configuration)], self._answers, self.folder / "log")

    def _answers(self) -> bool:
        # As a stranger, who is refused: the gateway's own knock would begin a clean session and drop what waits for it.
        return knock(self.address, "stranger", "unknown") is not None


@contextlib.contextmanager
def running(folder: Path | None = None) -> Iterator[Server]:
    """Run a broker; in a folder that it ran in before, with the accounts and the queues of then, gateway's only let in.

    Raises `ServiceMissing` when Mosquitto is not installed, `ServiceFailed` when it does not start.
    """
    program()
    with place("mosquitto", folder) as home:
        server = Server(home)
        server.shut_out()
        try:
            server.start()
            yield server
        finally:
            server.stop()


def placed(text: str, state: Path, accounts: Path, port: int, user: str | None = None) -> str:
    """The shipped configuration for other folders, port and user (this process's, if not named).

    Raises ValueError when the shipped one has changed too much.
    """
    for shipped, here in (
        ("user constantes", f"user {user or getpass.getuser()}"),
        ("/var/lib/constantes/broker", str(accounts)),
        ("/var/lib/mosquitto", str(state)),
        ("/run/mosquitto", str(state)),
        ("listener 1883", f"listener {port}"),
    ):
        if shipped not in text:
            raise ValueError(f"the shipped configuration has no longer: {shipped}")
        text = text.replace(shipped, here)
    return text


def program() -> str:
    """Path of the program; Debian keeps it off a user's PATH. Raises `ServiceMissing`."""
    found = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise ServiceMissing("no Mosquitto: neither on the PATH nor in /usr/sbin (scripts/apt-install)")
    return found


def missing() -> str:
    """Say what this machine lacks; empty when it has all."""
    try:
        program()
    except ServiceMissing as words:
        return str(words)
    return ""
