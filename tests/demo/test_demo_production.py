"""The demonstration on the production shape, against the same on embedded defaults."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from deploy.shape import missing_services

ROOT = Path(__file__).parents[2]
CHECKS = 16
PATIENCE_S = 230
SETTLED = {"stored": 42, "quarantined": 2, "dismissed": 0, "pending": 0}
"""What the devices made; how often something came twice depends on when a part is killed."""


def begun(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A demonstration that ends by itself, its files below the folder."""
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONSTANTES_")}
    return subprocess.Popen(
        [sys.executable, "-m", *words], cwd=folder, env=environment | {"PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def balance(folder: Path) -> Any:  # noqa: ANN401 - a JSON document
    """The balance that it left."""
    return json.loads((folder / "demo-output" / "balance.json").read_text())


@pytest.mark.services
@pytest.mark.timeout(PATIENCE_S + 10)
def test_both_shapes_end_with_the_same_balance(tmp_path: Path) -> None:
    """A process for each part, on Mosquitto, PostgreSQL, InfluxDB and HAPI: every check holds, nothing differs."""
    if words := missing_services():
        pytest.skip(words)
    shapes = {"production": ("deploy.native", "--once"), "embedded": ("app", "demo", "--once")}
    processes = {name: begun(tmp_path / name, *words) for name, words in shapes.items()}
    try:
        said = {name: process.communicate(timeout=PATIENCE_S)[0] for name, process in processes.items()}
    finally:
        for process in processes.values():
            process.kill()
    for name, process in processes.items():
        assert process.returncode == 0, said[name]
        assert f"All {CHECKS} checks hold" in said[name]
    assert "no process is left of 9: gateway, inspect, project, export, api, broker" in said["production"]
    assert balance(tmp_path / "production") == balance(tmp_path / "embedded")


def pid_of(part: str, folder: Path) -> int:
    """The process of a part of the installation below a folder, as soon as it runs."""
    end = time.monotonic() + 30
    while not (found := [place for place in Path("/proc").glob("[0-9]*") if _is(place, part, folder)]):
        assert time.monotonic() < end, f"no {part}"
        time.sleep(0.05)
    return int(found[0].name)


def _is(place: Path, part: str, folder: Path) -> bool:
    try:
        words = (place / "cmdline").read_bytes().split(b"\0")
        return words[1:4] == [b"-m", b"app", part.encode()] and (place / "cwd").readlink().is_relative_to(folder)
    except OSError:
        return False


@pytest.mark.faults
@pytest.mark.timeout(PATIENCE_S + 10)
def test_parts_that_are_killed_lose_nothing(tmp_path: Path) -> None:
    """Gateway, exporter, inspector, projector are killed while devices send and started again: every check holds."""
    if words := missing_services():
        pytest.skip(words)
    said: list[str] = []
    killed = iter(("gateway", "export", "inspect", "project", "gateway"))
    with begun(tmp_path / "production", "deploy.native", "--once") as process:
        try:
            for line in process.stdout or ():
                said.append(line)
                if re.match(" +[0-9]+ s ", line) and (part := next(killed, None)) is not None:
                    os.kill(pid_of(part, tmp_path), signal.SIGKILL)
            assert process.wait(PATIENCE_S) == 0, "".join(said)
        finally:
            process.kill()
    assert next(killed, None) is None
    assert f"All {CHECKS} checks hold" in "".join(said)
    counts = balance(tmp_path / "production")
    assert counts["balanced"]
    assert {name: counts[name] for name in SETTLED} == SETTLED
