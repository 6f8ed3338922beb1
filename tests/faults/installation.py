"""A whole installation in processes of its own, which tests may kill like any stranger.

Comes in: a folder. Goes out: an `Installation` that is started, killed, stopped and looked at from outside only: by
signals, by its status files, over HTTP, and, while it is down, by its commands' own way in.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from app.client import Api, connected
from app.setting_parts import BrokerSettings, HttpSettings
from app.settings import Settings
from app.status import Status, read
from scripts.probes.brokers import free_port

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0
READY = "Constantes is ready"


def until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S, pause_s: float = 0.02) -> None:
    """Wait for `condition`; raise `TimeoutError` naming `what` when `patience_s` seconds were not enough."""
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {patience_s:g} s: {what}")
        time.sleep(pause_s)


def runs(pid: int | None) -> bool:
    """Say whether a process is more than an entry that waits for its parent."""
    try:
        return pid is not None and ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@dataclass(slots=True)
class Installation:
    """`constantes up` on `data`; `settings` are names without the prefix, such as `RECORD__URL`."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    http: int = field(default_factory=free_port)
    mqtt: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """Where devices connect."""
        return f"mqtt://127.0.0.1:{self.mqtt}"

    @property
    def words(self) -> str:
        """All that its processes wrote, since the first start."""
        path = self.folder / "up.log"
        return path.read_text("utf-8") if path.exists() else ""

    @property
    def environment(self) -> dict[str, str]:
        """What its processes see: nothing of the settings of whoever runs the tests."""
        own = {
            "DATA": str(self.data),
            "HTTP__PORT": str(self.http),
            "BROKER__PORT": str(self.mqtt),
            "CLOCK__DISCIPLINED": "yes",
            **self.settings,
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CONSTANTES_")}
        return kept | {f"CONSTANTES_{name}": value for name, value in own.items()}

    def begin(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a command (`up` when none is given) in a session of its own; return at once."""
        self.starts += 1
        with (self.folder / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", *(command or ("up",))],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.process

    def start(self) -> None:
        """Start, and wait until it says that it is ready."""
        before = self.words.count(READY)
        process = self.begin()
        until(lambda: self.words.count(READY) > before or process.poll() is not None, "it is ready", 60.0)
        if process.poll() is not None:
            raise RuntimeError(f"it ended with {process.returncode}: {self.words[-2000:]}")

    def stop(self, number: int = signal.SIGTERM, patience_s: float = 20.0) -> int:
        """Ask it to end and return its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        return self.process.wait(patience_s)

    def pids(self) -> dict[str, int]:
        """The parts that run now, the supervisor included."""
        try:
            noted: dict[str, int | None] = json.loads((self.data / "run" / "processes").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return {name: pid for name, pid in noted.items() if pid is not None and runs(pid)}

    def kill(self, part: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to one part, once it runs; return its process id."""
        until(lambda: part in self.pids(), f"the {part} runs")
        pid = self.pids()[part]
        os.kill(pid, number)
        return pid

    def kill_all(self) -> None:
        """End the supervisor by kill -9, which must end every part, and start again."""
        pids = self.pids()
        self.kill("supervisor")
        if self.process is not None:
            self.process.wait()
        until(lambda: not any(map(runs, pids.values())), "no part outlives its supervisor", 5.0)
        self.start()

    def told(self, part: str) -> Status | None:
        """What a part last said of itself."""
        return read(self.data, part)

    def serves(self, part: str, after: int | None = None) -> bool:
        """Whether a part is ready, in another process than `after`."""
        told = self.told(part)
        return told is not None and told.ready and told.is_fresh and told.pid != after and runs(told.pid)

    def is_ready(self) -> bool:
        """What `/readyz` says; False when nobody answers."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.http}/readyz", timeout=2.0, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    @contextmanager
    def api(self) -> Iterator[Api]:
        """The API, as commands reach it, whether it runs or not."""
        settings = Settings(data=self.data, http=HttpSettings(port=self.http), broker=BrokerSettings(port=self.mqtt))
        with connected(settings) as api:
            yield api

    def register(self, devices: int) -> dict[str, str]:
        """Register so many simulated meters, each for a person of its own; return their secrets."""
        names = [f"bp7-{number:04}" for number in range(1, devices + 1)]
        with self.api() as api:
            return {name: _registered(api, name) for name in names}

    def end(self) -> None:
        """Leave nothing behind, whatever happened."""
        pids = self.pids()
        if self.process is not None and self.process.poll() is None:
            for pid in pids.values():
                _resume(pid)
            self.process.kill()
            self.process.wait()
        until(lambda: not any(map(runs, pids.values())), "no part outlives its supervisor", 5.0)


def _registered(api: Api, name: str) -> str:
    person: Mapping[str, object] = {
        "family": "EXEMPLE-FICTIF",
        "given": [name],
        "birth_date": "1980-01-01",
        "gender": "female",
    }
    patient = api.post("/patients", person)["patient"]
    secret = str(api.post("/devices", {"device": name, "method": "cuff", "simulated": True})["secret"])
    api.post("/assignments", {"device": name, "patient": patient})
    return secret


def _resume(pid: int) -> None:
    """A stopped process does not die of a signal of its parent's death alone on every kernel."""
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return
