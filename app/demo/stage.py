"""The stage: a record and an installation, as processes of their own, for as long as the demonstration lasts.

Comes in: an empty folder. Goes out: a ``Stage`` that is ready; everything ends with the block. Refuses to know: what is
played on it.

Both processes are tied to this one by the kernel (``gateway.broker.leash``), so that none is left behind however this
one ends. The user's own settings do not reach them: a demonstration must not write to a record that is somebody's.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import app
from app.demo.asked import Record
from app.demo.record import Simulated
from app.parts import CannotStart
from app.settings import PREFIX, Settings
from app.status import folder as status_folder
from gateway.broker import leash

_LOOPBACK = "127.0.0.1"
_HTTP_PORT, _MQTT_PORT = 8000, 1883
_PATIENCE_S = 20.0
_RECORD_READY, _READY = "record ready on ", "Constantes is ready"


@dataclass(frozen=True, slots=True)
class Stage:
    """Addresses of what runs, here or in another shape. ``log`` is where the installation writes what it does."""

    data: Path
    log: Path
    http: str
    mqtt: str
    record: Record
    _runs: Callable[[], bool]
    _processes: Callable[[], Mapping[str, int]]

    @property
    def settings(self) -> Settings:
        """What a command needs to reach the installation: its data folder, whatever the environment says."""
        return Settings.model_construct(data=self.data)

    @property
    def runs(self) -> bool:
        """Whether the installation and the record still run."""
        return self._runs()

    def processes(self) -> Mapping[str, int]:
        """Every process of the stage by name."""
        return self._processes()


@contextlib.contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Start both, each when the one before is ready; called from the main thread. Raises CannotStart."""
    data, log = folder / "data", folder / "constantes.log"
    http, mqtt = _port(_HTTP_PORT), _port(_MQTT_PORT)
    with contextlib.ExitStack() as ends, log.open("w") as errors:
        record = ends.enter_context(running(["simulators.record"], clean(), folder, errors))
        address = _ready(record, _RECORD_READY, log).removeprefix(_RECORD_READY)
        settings = {
            "DATA": str(data), "HTTP__PORT": str(http), "BROKER__PORT": str(mqtt), "RECORD__URL": address,
            "RECORD__PATIENTS": "write", "CLOCK__DISCIPLINED": "yes",
        }  # fmt: skip
        environment = clean() | {f"{PREFIX}{name}": value for name, value in settings.items()}
        up = ends.enter_context(running(["app", "up"], environment, folder, errors))
        _ready(up, _READY, log)

        def runs() -> bool:
            return up.poll() is None and record.poll() is None

        def processes() -> Mapping[str, int]:
            parts: dict[str, int] = json.loads((status_folder(data) / "processes").read_text("utf-8"))
            return {**parts, "record": record.pid}

        yield Stage(
            data, log, f"http://{_LOOPBACK}:{http}", f"mqtt://{_LOOPBACK}:{mqtt}",
            Simulated(f"{address.removesuffix('/fhir')}/_inspect"), runs, processes,
        )  # fmt: skip


@contextlib.contextmanager
def running(
    module: list[str], environment: Mapping[str, str], folder: Path, errors: object
) -> Iterator[subprocess.Popen[str]]:
    """``python -m MODULE...`` until the end of the block; its folder is one without a ``.env``.

    Called from the main thread: the kernel ties the process to the thread that starts it.
    """
    command = [sys.executable, leash.__file__, str(os.getpid()), sys.executable, "-m", *module]
    process = subprocess.Popen(
        command, env=environment, cwd=folder, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=errors,  # type: ignore[call-overload]  # an open file, whose type is the reader's business
        start_new_session=True,  # Ctrl-C at the terminal reaches the demonstration alone, which ends them in order
    )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _ready(process: subprocess.Popen[str], word: str, log: Path) -> str:
    """The line by which a process says that it is ready; it ends by itself when it cannot be."""
    for line in process.stdout or ():
        if line.startswith(word):
            return line.strip()
    raise CannotStart(
        "The demonstration could not start all it needs. Nothing outside its folder was touched. "
        f"What went wrong is said in {log}: mend it and start again."
    )


def clean() -> dict[str, str]:
    """The environment without settings, in which this very program is found from any folder."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    root = str(Path(app.__path__[0]).resolve().parent)
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, (root, kept.get("PYTHONPATH"))))}


def _port(usual: int) -> int:
    """The usual port if it is free, else any free one."""
    for wanted in (usual, 0):
        with contextlib.suppress(OSError), socket.create_server((_LOOPBACK, wanted)) as door:
            return int(door.getsockname()[1])
    raise CannotStart("No free port was found on 127.0.0.1. Nothing was started. End some programs and start again.")
