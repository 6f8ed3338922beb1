"""The processes of an installation: paused, asked to end, started twice, started where they cannot run."""

from __future__ import annotations

import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.parts import only_one
from simulators import load
from simulators.devices.outbox import issued
from tests.faults.installation import READY, ROOT, Installation, runs, until
from tests.faults.oracle import check_ledger

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

_INTERRUPTED = {0, 130, -signal.SIGINT}
"""-2: the interpreter was not up yet, and the kernel ended it; a shell shows 130."""
_DELAYS = [0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0]


def test_a_paused_gateway_acknowledges_nothing_of_a_connection_that_is_gone(site: Installation, tmp_path: Path) -> None:
    """Paused while its broker is killed, the gateway goes on in the same process, and each reading is stored once."""
    with _under_load(site, tmp_path, count=900, rate=150) as running:
        until(lambda: site.serves("gateway"), "the gateway works")
        gateway = site.kill("gateway", signal.SIGSTOP)
        site.kill("broker")
        until(lambda: not site.is_ready(), "nobody calls a silent gateway ready", 15.0)
        until(lambda: "broker" in site.pids(), "the broker is back")
        os.kill(gateway, signal.SIGCONT)
        until(lambda: site.serves("gateway"), "the gateway works again")
        assert site.pids()["gateway"] == gateway
        assert running.result()["unanswered"] == 0
    assert site.stop() == 0
    check_ledger(site, list(issued(tmp_path / "load.outbox")))


def test_asked_to_end_under_load_it_drains_and_ends(site: Installation, tmp_path: Path) -> None:
    """SIGTERM under load ends everything with 0 within 10 s, and all that was answered is stored."""
    with _under_load(site, tmp_path, count=1500, rate=300) as running:
        until(lambda: _answered(tmp_path) > 200, "readings are being answered")
        pids = site.pids()
        began = time.monotonic()
        assert site.stop() == 0
        assert time.monotonic() - began < 10
        assert not any(map(runs, pids.values()))
        site.start()
        assert running.result()["unanswered"] == 0
    assert site.stop() == 0
    check_ledger(site, list(issued(tmp_path / "load.outbox")))
    assert "Traceback" not in site.words


def test_a_gateway_asked_to_end_drains_and_is_started_again(site: Installation, tmp_path: Path) -> None:
    """SIGTERM to the gateway alone lets it finish what it took; the supervisor starts another at once."""
    with _under_load(site, tmp_path, count=900, rate=300) as running:
        until(lambda: _answered(tmp_path) > 200, "readings are being answered")
        ended = site.kill("gateway", signal.SIGTERM)
        until(lambda: site.serves("gateway", after=ended), "another gateway works", 10.0)
        assert running.result()["unanswered"] == 0
    assert site.stop() == 0
    check_ledger(site, list(issued(tmp_path / "load.outbox")))
    assert "Traceback" not in site.words


def test_the_gateway_answers_while_the_office_is_killed(site: Installation, tmp_path: Path) -> None:
    """Killing the office again and again delays no receipt by more than 2 s, and leaves the gateway alone."""
    with _under_load(site, tmp_path, count=900, rate=150) as running:
        gateway = site.pids()["gateway"]
        while not running.done():
            killed = site.kill("office")
            until(lambda: running.done() or site.serves("office", after=killed), "the office is back")  # noqa: B023
        told = running.result()
        assert told["unanswered"] == 0
        assert told["latency_ms"]["max"] < 2000, told
        assert site.pids()["gateway"] == gateway
    until(lambda: site.serves("office"), "the office is back")
    assert site.stop() == 0
    check_ledger(site, list(issued(tmp_path / "load.outbox")))


def test_a_broker_whose_store_is_stuck_is_started_anew(site: Installation, tmp_path: Path) -> None:
    """After a write that failed the broker takes no messages; it is started anew within 30 s and nothing is lost."""
    with _under_load(site, tmp_path, count=2000, rate=200) as running:
        stuck = site.pids()["broker"]
        # Writes beyond so many bytes of a file fail, as on a full disk.
        resource.prlimit(stuck, resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
        until(lambda: site.pids().get("broker", stuck) != stuck, "another broker runs", 30.0)
        assert running.result()["unanswered"] == 0
    assert '"event": "broker takes no messages"' in site.words
    assert site.stop() == 0
    check_ledger(site, list(issued(tmp_path / "load.outbox")))


def test_a_second_up_refuses_and_leaves_the_first_alone(site: Installation, tmp_path: Path) -> None:
    """A second `up` on one folder ends with 1 and a sentence; the first goes on with the same processes."""
    site.start()
    pids = site.pids()
    second = _other(site, tmp_path / "second")
    code, words = _run(second)
    assert code == 1
    assert f"Constantes already runs on {site.data}" in words
    assert "Nothing was started" in words
    assert site.pids() == pids
    assert set(pids) == {"broker", "gateway", "office", "supervisor"}
    assert site.is_ready()
    assert site.stop() == 0


@pytest.mark.parametrize("door", ["http", "mqtt"])
def test_a_busy_port_is_named_and_nothing_is_left_running(site: Installation, door: str) -> None:
    """A port that another program uses ends the start with 1 and its number; with the port free, it starts."""
    port = getattr(site, door)
    with socket.create_server(("127.0.0.1", port)):
        code, words = _run(site)
    assert code == 1
    assert f"ort {port} of 127.0.0.1" in words
    assert "Traceback" not in words
    assert not site.pids()
    site.start()
    assert site.stop() == 0


def test_a_folder_that_cannot_be_written_is_named(site: Installation) -> None:
    """A file in the place of the data folder ends the start with 1, and the file is as it was."""
    site.data.write_text("something else")
    code, words = _run(site)
    assert code == 1
    assert f"The data folder {site.data} cannot be written" in words
    assert "Traceback" not in words
    assert site.data.read_text() == "something else"


@pytest.mark.parametrize(
    ("name", "value"),
    [("HTTP__PORT", "eighty"), ("HTTP__PROT", "80"), ("RECORD__URL", "ftp://127.0.0.1/fhir"), ("RECROD__URL", "x")],
)
def test_a_wrong_setting_is_wrong_use_and_is_named(site: Installation, name: str, value: str) -> None:
    """A setting that is unknown or cannot be used ends the start with 2, named, its value not shown."""
    site.settings[name] = value
    code, words = _run(site)
    assert code == 2
    assert f"CONSTANTES_{name}" in words
    assert len(value) < 4 or value not in words
    assert not site.data.exists()


def test_without_its_broker_the_gateway_says_so_and_tries_on(site: Installation) -> None:
    """With somebody else's broker away, `up` runs, is not ready, says why, and ends when asked."""
    site.settings["MQTT__URL"] = f"mqtt://127.0.0.1:{site.mqtt}"
    process = site.begin()
    until(lambda: site.serves("office"), "everything else works")
    told = site.told("gateway")
    assert told is not None
    assert not told.ready
    assert told.problem == "the broker cannot be reached"
    assert told.pid == site.pids()["gateway"]
    assert not site.is_ready()
    with socket.create_server(("127.0.0.1", site.mqtt)) as door:
        door.settimeout(35.0)
        line, _ = door.accept()  # it is still trying
        line.close()
    assert process.poll() is None
    assert "is ready" not in site.words
    assert "the broker cannot be reached" in site.words
    assert site.stop() == 0
    assert "Traceback" not in site.words


def test_a_killed_installation_starts_again_at_once(site: Installation) -> None:
    """Started in the moment after a kill -9 of its supervisor, it waits for the dying parts and is ready."""
    site.start()
    for _ in range(3):
        pids, killed = site.pids(), site.process
        site.kill("supervisor")
        site.start()
        assert killed is not None
        assert killed.wait() == -signal.SIGKILL
        assert not set(pids.values()) & set(site.pids().values())
    assert site.stop() == 0


def test_a_part_that_is_slow_to_die_is_waited_for(site: Installation) -> None:
    """A gateway of before that lets go within 3 s delays the start; one that stays is named, and nothing is started."""
    with only_one(site.data, "gateway"):
        code, words = _run(site)
        assert code == 1
        assert f"Constantes already runs on {site.data} (gateway)" in words
        process = site.begin()
        time.sleep(2.5)
        assert process.poll() is None
    until(lambda: READY in site.words, "it is ready")
    assert site.stop() == 0


def test_ctrl_c_at_any_moment_of_the_start_leaves_nothing(site: Installation) -> None:
    """Ctrl-C during the start ends it with 0 or 130, without traceback or process, and the folder can be used.

    Earlier than the program's first line Python itself may be interrupted, and says so in its own way.
    """
    for delay in _DELAYS:
        before = len(site.words)
        process = site.begin()
        time.sleep(delay)
        seen = site.pids()
        process.send_signal(signal.SIGINT)
        code = process.wait(20.0)
        words = site.words[before:]
        assert f'File "{ROOT / "app"}' not in words, (delay, code, words)
        assert code in _INTERRUPTED or "Traceback" in words, (delay, code, words)
        assert not site.pids(), delay
        assert not any(map(runs, seen.values())), delay
    site.start()
    assert site.is_ready()
    assert site.stop(signal.SIGINT) == 0


@contextmanager
def _under_load(site: Installation, folder: Path, *, count: int, rate: float) -> Iterator[Future[dict[str, Any]]]:
    """Start it, with five meters that measure; what is given is their account, once they have all receipts."""
    secrets = site.register(5)
    site.start()
    task = load.Load(
        site.url,
        tuple(secrets.items()),
        count=count,
        rate=rate,
        outbox=folder / "load.outbox",
        repeat_s=3.0,
        reconnect_s=0.5,
    )
    stop = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        try:
            yield thread.submit(load.run, task, stop)
        finally:
            stop.set()


def _answered(folder: Path) -> int:
    """How many readings the meters have settled, by their outbox."""
    path = folder / "load.outbox"
    return path.read_bytes().count(b"\n- ") if path.exists() else 0


def _other(site: Installation, folder: Path) -> Installation:
    """The same data folder, other ports, its words in a file of its own."""
    folder.mkdir()
    return Installation(folder, {"DATA": str(site.data)})


def _run(site: Installation) -> tuple[int, str]:
    """Start it where it cannot run; return its exit code and all it said."""
    return site.begin().wait(30.0), site.words
