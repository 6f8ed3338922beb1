"""The production shape on this machine without Docker: the services natively, the parts as docker-compose.yml has them.

Comes in: an empty folder. Goes out: a stage on which everything runs, until the end of the block. Refuses to know: what
is played on it.

The configuration files are those of the containers, with other paths and ports: docker-compose.yml for the parts,
``mosquitto/compose.conf`` and ``mosquitto/start`` for the broker, ``postgres/10-databases.sql`` for the databases,
``make-secrets`` for secrets and certificates. Only the programs behind them come from this machine.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app import status
from app.demo.stage import Stage, clean
from app.parts import CannotStart
from deploy.fhir_record import FhirRecord
from deploy.kept import Kept, kept
from deploy.parts import DATA, ROOT, SECRETS, Here, commands
from gateway.broker.knock import knock
from scripts.services import hapi, influx, mosquitto, postgres
from scripts.services.process import LOOPBACK, Process, Service, ServiceMissing, free_port

BROKER = ROOT / "deploy" / "mosquitto"
ANSWERS: Final = {
    "CONSTANTES_DEPLOYMENT__OID": "2.999.1",
    "CONSTANTES_CLOCK__DISCIPLINED": "yes",
    "CONSTANTES_RECORD__PATIENTS": "write",
}
"""What ``.env`` would say here: the root kept for examples, which does not leave this machine, and our own record."""
_READY_S = 60.0
_MOST_STARTS = 3
_TURN_S = 0.1
_REFUSED = 5  # MQTT 3.1.1 section 3.2.2.3: not authorised


@dataclass(frozen=True, slots=True)
class Services:
    """What runs beside the parts."""

    database: postgres.Server
    series: influx.Server
    record: hapi.Server


@contextlib.contextmanager
def production(folder: Path) -> Iterator[Stage]:
    """Start everything; called from the main thread. Raises ServiceMissing, ServiceFailed, CannotStart."""
    data, secrets, log = folder / "data", folder / "secrets", folder / "constantes.log"
    if missing := missing_services():
        raise ServiceMissing(missing)
    _make_secrets(secrets)
    with _services() as services, contextlib.ExitStack() as ends, log.open("w") as errors:
        _take_secrets(secrets, services)
        tls, plain, http = free_port(), free_port(), free_port()
        places = {
            "postgres:5432": f"{LOOPBACK}:{services.database.port}",
            "influxdb:8086": f"{LOOPBACK}:{services.series.port}",
            "hapi:8080": f"{LOOPBACK}:{services.record.port}",
            "broker:8883": f"{LOOPBACK}:{tls}",
        }
        parts = ends.enter_context(kept(commands(Here(data, secrets, places, http, ANSWERS)), clean(), folder, errors))
        broker = ends.enter_context(_broker(folder, data, secrets, tls, plain))
        for name in parts.commands:
            _wait_until_ready(data, name, parts, log)
        beside: dict[str, Process | Service] = {
            "broker": broker, "postgres": services.database, "influxdb": services.series, "hapi": services.record,
        }  # fmt: skip

        def runs() -> bool:
            return all(each.pid for each in beside.values())

        def processes() -> Mapping[str, int]:
            return parts.pids | {name: each.pid for name, each in beside.items()}

        record = FhirRecord(services.record.url)
        yield Stage(data, log, f"http://{LOOPBACK}:{http}", f"mqtt://{LOOPBACK}:{plain}", record, runs, processes)


def missing_services() -> str:
    """What this machine lacks for it; empty when it has all."""
    return "; ".join(filter(None, (each.missing() for each in (postgres, influx, hapi, mosquitto))))


@contextlib.contextmanager
def _services() -> Iterator[Services]:
    """All three at once: the record takes a quarter of a minute, the others seconds."""
    database, series, record = postgres.running(), influx.running(), hapi.running()
    with contextlib.ExitStack() as ends, ThreadPoolExecutor(3) as starting:
        begun = (
            starting.submit(database.__enter__),
            starting.submit(series.__enter__),
            starting.submit(record.__enter__),
        )
        for each in (database, series, record):
            ends.push(each)
        yield Services(begun[0].result(), begun[1].result(), begun[2].result())


def _make_secrets(folder: Path) -> None:
    command = [str(ROOT / "deploy" / "make-secrets"), "--any-user", "--folder", str(folder)]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode:
        raise CannotStart(f"deploy/make-secrets ended with code {made.returncode}: {made.stderr.strip()}")


def _take_secrets(folder: Path, services: Services) -> None:
    """Put the passwords that the servers here have made in the place of those that a container would take."""
    (folder / "ledger_password").write_text(services.database.password, "utf-8")
    (folder / "series_token").write_text(services.series.token, "utf-8")


@contextlib.contextmanager
def _broker(folder: Path, data: Path, secrets: Path, tls: int, plain: int) -> Iterator[Process]:
    """Mosquitto with the container's configuration, started by the container's script."""
    configuration = folder / "mosquitto.conf"
    configuration.write_text(broker_configuration(folder, data, secrets, tls, plain), "utf-8")
    trust = ssl.create_default_context(cafile=secrets / "broker_ca")

    def answers() -> bool:
        return knock((LOOPBACK, tls), "nobody", "none", tls=trust) == _REFUSED

    path = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"))
    words = ["/bin/sh", str(BROKER / "start"), str(configuration)]
    process = Process("Mosquitto", words, answers, folder / "mosquitto.log", environment={"PATH": path}, patience_s=30)
    try:
        process.start()
        yield process
    finally:
        process.stop()


def broker_configuration(folder: Path, data: Path, secrets: Path, tls: int, plain: int) -> str:
    """``mosquitto/compose.conf`` for these folders and ports; raises ValueError when it has changed too much."""
    text = (BROKER / "compose.conf").read_text("utf-8")
    for inside, here in (
        (DATA, str(data)),
        (SECRETS, str(secrets)),
        ("/tmp/mosquitto.pid", str(folder / "mosquitto.pid")),  # noqa: S108 - the container's own, in memory
        ("listener 8883", f"listener {tls} {LOOPBACK}"),
        ("listener 1883", f"listener {plain}"),
    ):
        if inside not in text:
            raise ValueError(f"the container's configuration has no longer: {inside}")
        text = text.replace(inside, here)
    # A container says who it runs as; here root, if nothing is said, would become somebody else.
    return f"{text}\nuser {getpass.getuser()}\n"


def _wait_until_ready(data: Path, name: str, parts: Kept, log: Path) -> None:
    end = time.monotonic() + _READY_S
    while (problem := status.unwell(data, name)) is not None:
        if parts.starts.get(name, 0) > _MOST_STARTS or time.monotonic() > end:
            raise CannotStart(f"The part {name} did not start: {problem}. Its words are in {log}.")
        time.sleep(_TURN_S)
