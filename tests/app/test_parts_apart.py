"""The parts as processes of their own: they wait for a server that is not there yet, say how they are, and end soon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from app import status
from app.office_process import run as run_office
from app.parts import OFFICE, CannotStart, only_one
from app.settings import Settings
from scripts.probes.brokers import free_port, until
from scripts.services.postgres import Server

ROOT = Path(__file__).parents[2]
AWAY = "postgresql+psycopg://constantes@127.0.0.1:{port}/constantes"


@contextmanager
def running(data: Path, part: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """Give a part that runs on a data folder, its words on a pipe."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONSTANTES_")}
    environment |= {"CONSTANTES_DATA": str(data), "PYTHONPATH": str(ROOT)}
    environment |= {f"CONSTANTES_{name}": value for name, value in settings.items()}
    with subprocess.Popen(
        [sys.executable, "-m", "app", part], cwd=data, env=environment, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def asked(data: Path, *parts: str) -> tuple[int, str]:
    """Give the exit code and the words of `constantes healthy`."""
    command = [sys.executable, "-m", "app", "healthy", *parts]
    environment = os.environ | {"CONSTANTES_DATA": str(data), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=data, env=environment, check=False, capture_output=True, text=True)
    return done.returncode, done.stderr


def test_health_is_what_a_part_said_just_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part is well when it says so, and not when it says why not, says nothing, or has been silent."""
    assert asked(tmp_path, "gateway") == (1, "gateway has not said anything yet\n")
    status.tell(tmp_path, "gateway", ready=True)
    assert asked(tmp_path, "gateway") == (0, "")
    status.tell(tmp_path, "office", ready=False, problem="the record is away")
    assert asked(tmp_path) == (1, "office: the record is away\n")
    code, words = asked(tmp_path, "nonsense")
    assert (code, words.split(".")[0]) == (2, "No such part: nonsense")
    assert "gateway, inspect, project, export, api, office" in words
    monkeypatch.setattr(status, "FRESH_S", -1.0)
    assert str(status.unwell(tmp_path, "gateway")).startswith("gateway has been silent for")


@pytest.mark.parametrize("part", ["office", *OFFICE])
def test_a_part_runs_once_on_a_folder(settings: Settings, part: str) -> None:
    """The office is refused where itself or one of its parts runs already: no work is done twice."""
    (stop := threading.Event()).set()
    with only_one(settings.data, part), pytest.raises(CannotStart, match="already runs"):
        run_office(settings, stop)


@pytest.mark.parametrize("part", ["gateway", *OFFICE])
def test_a_part_waits_for_its_ledger(tmp_path: Path, part: str) -> None:
    """Without its database a part stays, says once in words what it waits for, is not well, and ends at SIGTERM."""
    with running(tmp_path, part, LEDGER__URL=AWAY.format(port=free_port()), HTTP__PORT=str(free_port())) as process:
        until(lambda: status.read(tmp_path, part) is not None, "it says something", 30)
        first = status.read(tmp_path, part)
        until(lambda: status.read(tmp_path, part) != first, "it says so again", 30)
        said = status.read(tmp_path, part)
        assert said is not None
        assert not said.ready
        assert said.problem
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        words = process.stderr.read() if process.stderr else ""
    assert words.count("waits for the ledger") == 1
    assert "Traceback" not in words


def test_a_file_that_cannot_be_opened_ends_it(tmp_path: Path) -> None:
    """A ledger file is mended by a person: the part ends at once and says what is wrong."""
    (tmp_path / "ledger.sqlite").write_bytes(b"no ledger" * 100)
    with running(tmp_path, "inspect") as process:
        assert process.wait(30) == 1


@pytest.mark.services
def test_a_part_goes_on_when_its_database_comes(
    tmp_path: Path, native_postgres: Callable[[], AbstractContextManager[Server]]
) -> None:
    """Started before their database, all at once, parts work as soon as it answers, and have made one schema."""
    with native_postgres() as server, ExitStack() as ends:
        server.stop()
        place = {"LEDGER__URL": server.url, "LEDGER__PASSWORD_FILE": str(server.password_file)}
        processes = [
            ends.enter_context(running(tmp_path, part, HTTP__PORT=str(free_port()), **place)) for part in OFFICE
        ]
        until(lambda: all(status.read(tmp_path, part) for part in OFFICE), "all wait", 60)
        assert all(status.unwell(tmp_path, part) for part in OFFICE)
        server.start()
        until(lambda: not any(status.unwell(tmp_path, part) for part in OFFICE), "all work", 60)
        for process in processes:
            process.send_signal(signal.SIGTERM)
        end = time.monotonic() + 10
        assert [process.wait(end - time.monotonic()) for process in processes] == [0, 0, 0, 0]


def test_the_gateway_ends_although_no_broker_comes(tmp_path: Path) -> None:
    """At its first start the gateway waits for a broker to shut devices out; who stops it need not wait with it."""
    mqtt = {"MQTT__URL": f"mqtt://127.0.0.1:{free_port()}", "MQTT__RELOADS_ITSELF": "yes"}
    with running(tmp_path, "gateway", **mqtt) as process:
        until((tmp_path / "broker" / "acl").exists, "it asks the broker to shut devices out", 30)
        until(lambda: status.read(tmp_path, "gateway") is not None, "it says that it waits", 30)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - began < 5
