"""The demonstration as its users start it: a process with an exit code, that leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.demo.folder import fresh
from app.parts import CannotStart
from app.sockets import InstanceLock

ROOT = Path(__file__).parents[2]
FAILING = """
from dataclasses import replace
from app.demo import play
from app.demo.scenario import MORNING, Act
cuff = replace(MORNING.players[0], acts=(Act(0, 3, 5.0),), faults=())
quick = replace(MORNING, players=(cuff,), record_faults=("refuse422:1",), record_fails_at_s=0.0, patience_s=3.0)
raise SystemExit(play(once=True, scenario=quick))
"""


def begun(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    """The demonstration, started in a folder of its own with settings that must not reach it."""
    environment = os.environ | {"CONSTANTES_RECORDS__OTHER__URL": "http://127.0.0.1:9/fhir", "PYTHONPATH": str(ROOT)}
    (tmp_path / ".env").write_text("CONSTANTES_NOT_A_SETTING=1\n")
    return subprocess.Popen(
        [sys.executable, *words], cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def ended(process: subprocess.Popen[str], within_s: float = 150) -> str:
    """Everything it wrote, once it has ended; it is killed when it does not."""
    try:
        return process.communicate(timeout=within_s)[0]
    finally:
        process.kill()


def working_in(folder: Path) -> list[str]:
    """The commands of all processes that stand in a folder, or name it."""
    return list(_commands(str(folder)))


def _commands(folder: str) -> Iterator[str]:
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_text().replace("\0", " ")
            if entry.name.isdigit() and ((entry / "cwd").readlink().is_relative_to(folder) or folder in command):
                yield command
        except OSError:
            continue


@pytest.mark.faults
@pytest.mark.timeout(180)
def test_the_morning_is_played_checked_and_leaves_nothing_running(tmp_path: Path) -> None:
    """`demo --once` exits 0, has a line for each check, writes the files it names, and no process is left."""
    process = begun(tmp_path, "-m", "app", "demo", "--once")
    said = ended(process)
    assert process.returncode == 0, said
    assert len(re.findall(r"^ +ok ", said, re.MULTILINE)) == 16, said
    assert "All 16 checks hold" in said
    assert "NOT ok" not in said
    assert "EXEMPLE" not in said
    assert "cuff-1: its network is gone" in said
    assert re.search(r"cuff-1: its network is back; [1-9]", said)
    assert re.search(r"unit\.not_allowed /values/weight/unit", said)
    assert max(len(line) for line in said.splitlines()) <= 100
    marks = {
        "bundle.json": '"searchset"',
        "ecg.svg": 'data-lead="aVR"',
        "record.ndjson": "}\n{",
        "balance.json": "true",
    }
    for name, mark in marks.items():
        assert mark in (tmp_path / "demo-output" / name).read_text()
    for eye, field in ((eye, field) for eye in ("left", "right") for field in ("macula", "disc")):
        assert (tmp_path / "demo-output" / f"fundus-{eye}-{field}.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert working_in(tmp_path) == []


@pytest.mark.faults
@pytest.mark.timeout(180)
def test_a_check_that_fails_is_said_and_gives_1(tmp_path: Path) -> None:
    """With a record that takes nothing, the checks about the record fail and the exit code is 1."""
    process = begun(tmp_path, "-c", FAILING)
    said = ended(process)
    assert process.returncode == 1, said
    assert re.search(r"NOT ok +each stored reading is in the record .*missing 3 of them", said)
    assert re.search(r"NOT ok +the devices were told .*not told for 3 of them", said)
    assert re.search(r"^ +ok +3 readings made = 3 stored \+ 0 quarantined", said, re.MULTILINE)
    assert working_in(tmp_path) == []


@pytest.mark.faults
@pytest.mark.timeout(120)
@pytest.mark.parametrize("sent", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM,)], ids=["Ctrl-C twice", "TERM"])
def test_it_can_be_stopped_at_any_time(tmp_path: Path, sent: tuple[signal.Signals, ...]) -> None:
    """A signal in the middle of the play ends it with 130, without a traceback, and no process is left."""
    process = begun(tmp_path, "-m", "app", "demo")
    until_played = time.monotonic() + 60
    while not list(tmp_path.glob("demo-output/data/simulators/*.receipts")) and time.monotonic() < until_played:
        time.sleep(0.05)
    for number in sent:
        os.killpg(process.pid, number)
        time.sleep(0.1)  # as fast as a hand on the keyboard
    said = ended(process, 60)
    assert process.returncode == 130, said
    assert said.splitlines()[-1] == "Stopped. Everything that was started has ended."
    assert "Traceback" not in said
    assert working_in(tmp_path) == []


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    """While an installation runs on the folder's data, nothing in it is touched; afterwards it begins anew."""
    (kept := fresh(tmp_path) / "data" / "ledger.sqlite").touch()
    with InstanceLock(tmp_path / "data") as lock:
        assert lock.take()
        with pytest.raises(CannotStart, match="already"):
            fresh(tmp_path)
        assert kept.exists()
    fresh(tmp_path)
    assert not kept.exists()
