"""An installation to measure: embedded broker, gateway, the office when asked; free ports, a folder of its own.

Comes in: which parts. Goes out: their addresses and process ids. Refuses to know: what is measured.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sqlalchemy import func, select

from app import status, wiring
from app.office import office
from app.settings import Settings, load
from gateway.broker.credentials import GatewayCredentials, gateway_credentials
from gateway.broker.embedded import EmbeddedBroker
from ingest.ledger.schema import JOURNAL
from registry.devices import NewDevice
from registry.people import NewPatient

_START_S = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Site:
    """What runs, by name of part, and how to reach it."""

    settings: Settings
    devices: Path
    processes: dict[str, subprocess.Popen[bytes]]
    broker: EmbeddedBroker

    @property
    def mqtt_url(self) -> str:
        """Where devices publish."""
        return f"mqtt://127.0.0.1:{self.settings.broker.port}"

    @property
    def account(self) -> GatewayCredentials:
        """The gateway's account."""
        return gateway_credentials(self.settings.broker_folder)

    def pid(self, part: str) -> int:
        """The process id of a part."""
        return self.processes[part].pid

    def journal_rows(self) -> int:
        """Messages committed so far."""
        with wiring.ledger(self.settings) as file, file.readers.connect() as connection:
            return int(connection.execute(select(func.coalesce(func.max(JOURNAL.c.position), 0))).scalar_one())


def cpu_seconds(pid: int) -> float:
    """User and system time a process has used (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_mib(pid: int) -> float:
    """The largest resident size a process has had, MiB (proc(5), VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def free_port() -> int:
    """A TCP port that is free now."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


@contextmanager
def site(
    folder: Path,
    devices: int,
    parts: Sequence[str] = ("gateway",),
    record: str | None = None,
    more: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Site]:
    """Start ``parts`` with so many devices, each assigned to a patient; ends all of it. Called from the main thread.

    ``more``: settings besides, by their names in the environment.
    """
    with ExitStack() as stack:
        stack.enter_context(_environment(folder, record, more))
        settings = load(None)
        accounts = folder / "devices.json"
        _register(settings, devices, accounts)
        broker = EmbeddedBroker(settings.broker_folder, settings.broker.port)
        broker.start()
        stack.callback(broker.stop)
        processes: dict[str, subprocess.Popen[bytes]] = {}
        for part in parts:
            process = subprocess.Popen([sys.executable, "-m", *_COMMANDS[part]])
            stack.callback(_end, process)
            processes[part] = process
            _wait(settings.data, part, process)
        yield Site(settings, accounts, processes, broker)


_COMMANDS = {"gateway": ("app", "gateway"), "office": ("app", "office"), "together": ("bench.together",)}


@contextmanager
def _environment(folder: Path, record: str | None, more: Mapping[str, str]) -> Iterator[None]:
    """The settings of a site, for this process and those it starts; gone with the site."""
    found = {
        "CONSTANTES_DATA": str(folder / "data"),
        "CONSTANTES_BROKER__PORT": str(free_port()),
        "CONSTANTES_HTTP__PORT": str(free_port()),
        "CONSTANTES_RECORD__PATIENTS": "write",
        "CONSTANTES_CLOCK__DISCIPLINED": "yes",
        **({"CONSTANTES_RECORD__URL": record} if record else {}),
        **more,
    }
    before = dict(os.environ)
    os.environ.update(found)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _register(settings: Settings, devices: int, accounts: Path) -> None:
    with wiring.ledger(settings) as file:
        registrar = office(settings, file).registrar
        patient = registrar.add_patient(NewPatient("EXEMPLE-FICTIF", ("Alpha",), "1980-01-01", "female", test=True))
        made = []
        for number in range(devices):
            made.append(registrar.add_device(NewDevice(f"bp-{number:04d}", simulated=True)))
            registrar.assign(made[-1].device, patient.patient, start=0)
    accounts.write_text(json.dumps([{"device": each.device, "secret": each.secret} for each in made]), "utf-8")


def _wait(data: Path, part: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_S
    watched = "gateway" if part == "together" else part
    while not ((told := status.read(data, watched)) and told.ready):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the {part} did not start")
        time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(30)
