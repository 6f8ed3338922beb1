"""The command line and a running instance: over the Unix socket, from other processes, and never a second writer."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app import wiring
from app.client import ApiRefused, InstanceSilent, connected
from app.parts import CannotStart
from app.server import Server
from app.settings import Settings, load
from app.sockets import ELSEWHERE, InstanceLock, listen, socket_path
from ingest.ledger.files import OpenLedger
from tests.support.engines import in_a_file


@pytest.fixture
def free_port(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network side of the instance takes a free port."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        monkeypatch.setenv("CONSTANTES_HTTP__PORT", str(door.getsockname()[1]))


@pytest.fixture
def instance(free_port: None) -> Iterator[Settings]:
    """An instance that serves the folder, as ``up`` does."""
    settings, stop = load(), threading.Event()
    with InstanceLock(settings.data) as lock, wiring.ledger(settings) as file:
        assert lock.take()
        server = Server(settings, file)
        thread = threading.Thread(target=server.run, args=(stop,))
        thread.start()
        end = time.monotonic() + 10
        while not server.is_open and time.monotonic() < end:
            time.sleep(0.01)
        yield settings
        stop.set()
        thread.join()


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "app", *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def test_commands_go_through_the_instance(instance: Settings) -> None:
    """From other processes, at the same time; the operator needs no token."""
    with connected(instance) as api:
        assert not api.in_process
        assert api.post("/devices", {"device": "bp-0001"})["device"] == "bp-0001"
        with pytest.raises(ApiRefused) as refused:
            api.post("/devices", {"device": "bp-0001"})
        assert (refused.value.status, refused.value.code) == (409, "device.exists")
    done = [command("device", "list", "--json"), command("device", "add", "bp-0001")]
    assert [one.returncode for one in done] == [0, 1]
    assert json.loads(done[0].stdout)["items"][0]["device"] == "bp-0001"
    assert done[1].stderr.startswith("The device bp-0001 is registered already.")


@in_a_file
def test_the_network_side_wants_a_token(instance: Settings) -> None:
    """The operator's rights are the socket's alone."""
    import httpx

    answer = httpx.get(f"{instance.http_url}/api/v1/devices", trust_env=False)
    assert answer.status_code == 401


@in_a_file
def test_only_this_user_opens_the_socket(instance: Settings) -> None:
    """Mode 0600."""
    assert stat.S_IMODE(socket_path(instance.data).stat().st_mode) == 0o600


@in_a_file
def test_two_commands_at_once_take_turns(settings: Settings) -> None:
    """Without an instance each serves itself, one after the other: both succeed."""
    words = [sys.executable, "-m", "app", "device", "add"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    started = [
        subprocess.Popen([*words, f"bp-000{n}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        for n in range(3)
    ]
    assert [(one.communicate(timeout=60)[1], one.returncode) for one in started] == [(b"", 0)] * 3
    listed = json.loads(command("device", "list", "--json").stdout)["items"]
    assert [item["device"] for item in listed] == ["bp-0000", "bp-0001", "bp-0002"]


@in_a_file
def test_what_a_killed_instance_left_is_no_obstacle(
    settings: Settings, run: Callable[..., tuple[int, str, str]]
) -> None:
    """Its socket file is still there; its lock is not."""
    listen(settings.data).close()
    assert socket_path(settings.data).exists()
    assert run("device", "list")[0] == 0


@in_a_file
def test_an_instance_that_hangs_up_is_said(settings: Settings) -> None:
    """Whether it was done is not known, and that is what is said."""
    with listen(settings.data) as door:

        def hang_up() -> None:
            door.accept()[0].close()  # the probe
            door.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with connected(settings) as api, pytest.raises(InstanceSilent, match="may or may not"):
            api.post("/devices", {"device": "bp-0001"})
        thread.join()


@in_a_file
def test_a_folder_with_a_long_name_has_its_socket_elsewhere(
    tmp_path: Path, file: OpenLedger, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Unix socket's path has about 107 bytes; a file in the folder says where it is."""
    runtime = tmp_path / "r"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    far = tmp_path / ("x" * 120)
    far.mkdir()
    with listen(far):
        monkeypatch.delenv("XDG_RUNTIME_DIR")
        path = socket_path(far)
        assert len(os.fsencode(path)) < 107 or len(os.fsencode(tmp_path)) > 60
        assert (far / ELSEWHERE).read_text() == str(path)
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(path))


def test_a_place_that_others_can_look_into_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens the socket is the operator."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / f"constantes-{os.getuid()}").mkdir(mode=0o755)
    far = tmp_path / ("x" * 120)
    far.mkdir()
    with pytest.raises(CannotStart, match="not a private folder"):
        listen(far)
