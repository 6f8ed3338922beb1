"""A service's process is tied to its parent, says why it failed, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from scripts.services import __main__ as command
from scripts.services import hapi, influx, mosquitto, postgres
from scripts.services.process import Process, ServiceFailed, place

PYTHON = sys.executable
SLEEPS = [PYTHON, "-c", "import time; time.sleep(600)"]


def process(folder: Path, *code: str, answers: Callable[[], bool] = lambda: True, patience_s: float = 10.0) -> Process:
    """A process of Python code that is a service."""
    return Process(
        "the service", [PYTHON, "-c", *code] if code else SLEEPS, answers, folder / "log", patience_s=patience_s
    )


def is_alive(pid: int) -> bool:
    """Whether the process runs: a zombie, which only waits to be counted, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int, patience_s: float = 15.0) -> bool:
    """Whether the process ends in time."""
    end = time.monotonic() + patience_s
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not is_alive(pid)


def test_a_service_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    """The kernel takes a thread's end for a parent's: services are started by one that stays."""
    ready = tmp_path / "ready"
    service = process(tmp_path, f"import time; open({str(ready)!r}, 'w'); time.sleep(600)", answers=ready.exists)
    starter = threading.Thread(target=service.start)
    starter.start()
    starter.join()
    time.sleep(0.1)  # the signal, if any, needs a moment
    assert is_alive(service.pid)
    service.kill()


def test_a_service_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    """What it wrote is in the error."""
    service = process(tmp_path, "raise SystemExit('no such option')", answers=lambda: False, patience_s=1.0)
    with pytest.raises(ServiceFailed, match=r"the service does not answer(.|\n)*no such option"):
        service.start()


def test_a_service_that_stays_silent_is_ended(tmp_path: Path) -> None:
    """A start that failed leaves no process behind."""
    service = process(tmp_path, answers=lambda: False, patience_s=0.5)
    with pytest.raises(ServiceFailed, match="does not answer"):
        service.start()
    assert service.pid == 0


def test_a_service_that_does_not_stop_is_killed_and_told(tmp_path: Path) -> None:
    """It is not left running, and nobody takes it for a good end."""
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open({!r}, 'w'); time.sleep(600)"
    ready = tmp_path / "ready"
    service = process(tmp_path, deaf.format(str(ready)), answers=ready.exists, patience_s=1.0)
    service.start()
    pid = service.pid
    with pytest.raises(ServiceFailed, match="had to be killed"):
        service.stop()
    assert not is_alive(pid)


def test_a_temporary_place_goes_and_a_named_one_stays(tmp_path: Path) -> None:
    """Data that somebody asked to keep is kept."""
    with place("x", None) as made, place("x", tmp_path / "named") as named:
        assert made.is_dir()
    assert (made.exists(), named.exists()) == (False, True)


def below(pid: int) -> list[int]:
    """Every process that this one started, and theirs; those that end meanwhile are left out."""
    children: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += [int(child) for child in (task / "children").read_text().split()]
    return [*children, *(grandchild for child in children for grandchild in below(child))]


@contextmanager
def started(name: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A parent of `python -m scripts.services NAME` that has printed its settings, and where it makes its folders."""
    if words := missing(name):
        pytest.skip(words)
    program = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'scripts.services', sys.argv[1]])"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # PostgreSQL's user has to pass
        surroundings = {**os.environ, "TMPDIR": folder}
        arguments = [PYTHON, "-c", program, name]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=surroundings) as parent:
            try:
                assert parent.stdout is not None
                lines = list(iter(parent.stdout.readline, "# ready\n"))
                assert lines
                assert all(line.startswith("CONSTANTES_") for line in lines)
                yield parent, Path(folder)
            finally:
                parent.kill()


@pytest.mark.services
@pytest.mark.timeout(300)  # HAPI's start
@pytest.mark.parametrize("name", command.SERVICES)
def test_a_service_of_the_command_ends_with_the_parent_of_the_command(name: str) -> None:
    """Parent, command and service: when the first is killed, the others end and their folders go."""
    with started(name) as (parent, folder):
        others = below(parent.pid)
        assert len(others) >= 2
        assert list(folder.iterdir())
        parent.kill()
        assert [pid for pid in others if not gone(pid)] == []
        assert list(folder.iterdir()) == []


@pytest.mark.services
@pytest.mark.parametrize("name", ["postgres", "mosquitto", "influxdb"])
def test_a_service_ends_when_what_started_it_is_killed(name: str) -> None:
    """Nobody is left to tidy up after SIGKILL, so the kernel ends the service."""
    with started(name) as (parent, _):
        others = below(parent.pid)
        os.kill(below(parent.pid)[0], signal.SIGKILL)
        assert [pid for pid in others if not gone(pid)] == []


@pytest.mark.services
def test_the_command_runs_another_with_the_settings_of_its_services() -> None:
    """The exit code is the other command's; its environment leads to the service."""
    if words := missing("postgres"):
        pytest.skip(words)
    code = "import os, sys; sys.exit(7 if os.environ['CONSTANTES_LEDGER__URL'].startswith('postgresql') else 1)"
    arguments = [PYTHON, "-m", "scripts.services", "postgres", "--", PYTHON, "-c", code]
    assert subprocess.run(arguments, check=False).returncode == 7


def missing(name: str) -> str:
    """What this machine lacks for a service."""
    ways = {
        "postgres": postgres.missing,
        "mosquitto": mosquitto.missing,
        "influxdb": influx.missing,
        "hapi": hapi.missing,
    }
    return ways[name]()
