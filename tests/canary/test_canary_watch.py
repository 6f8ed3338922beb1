"""The watch over health data finds what leaks on every channel, and says what it did not see."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.canary_watch import CARRIED, CHANNELS

ROOT = Path(__file__).parents[2]

LEAKS = """
import logging, subprocess, sys
import httpx, paho.mqtt.client as mqtt, structlog
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

NAME = "{name}"

def test_log():
    logging.getLogger("x").warning("patient %s", NAME)

def test_structured_log():
    structlog.get_logger("x").info("added", family=NAME)

def test_error_body_and_metrics():
    app = Starlette(routes=[
        Route("/refused", lambda request: PlainTextResponse(NAME, 422), methods=["POST"]),
        Route("/metrics", lambda request: PlainTextResponse("readings{{of=" + NAME + "}} 1")),
    ])
    with TestClient(app) as web:
        web.post("/refused", content=NAME)
        web.get("/metrics")

def test_address():
    try:
        httpx.get(f"http://127.0.0.1:9/Patient?family={{NAME}}", trust_env=False)
    except httpx.TransportError:
        pass

def test_topic():
    mqtt.Client(mqtt.CallbackAPIVersion.VERSION2).publish(f"constantes/{{NAME}}", b"")

def test_stderr(tmp_path):
    with (tmp_path / "log").open("wb") as log:
        subprocess.run([sys.executable, "-c", f"import sys; sys.stderr.write('{{NAME}}')"], stderr=log, check=True)

def test_file_name(tmp_path):
    (tmp_path / NAME).mkdir()
"""


def run(folder: Path, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run these tests in a project of their own, under the same watch."""
    (folder / "pytest.ini").write_text("[pytest]\ntestpaths = .\n")
    (folder / "test_leaks.py").write_text(LEAKS.format(name=name))
    plain = ("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "tests.support.canary_watch", "--basetemp=given")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *plain, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    shutil.rmtree(folder / "given", ignore_errors=True)  # this run's own watch looks at names too
    return ended


def test_a_leak_fails_the_run_on_every_channel(tmp_path: Path) -> None:
    """Each of the channels is named with the canary, and the run fails though every test passes."""
    ended = run(tmp_path, "EXEMPLE-FICTIF")
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    assert "7 passed" in ended.stdout
    for channel in CHANNELS:
        assert f"FAILED {channel}: EXEM" in ended.stdout, channel


def test_a_clean_run_passes(tmp_path: Path) -> None:
    """The same with a name that is no canary; a part of the suite says what it did not show."""
    ended = run(tmp_path, "nobody", "test_leaks.py")
    assert ended.returncode == pytest.ExitCode.OK, ended.stdout
    assert f"not shown by this part of the suite: {CARRIED}" in ended.stdout


def test_a_whole_run_that_saw_nothing_fails(tmp_path: Path) -> None:
    """Every test was asked for, and no canary went in: that proves nothing."""
    ended = run(tmp_path, "nobody")
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    assert f"a whole run saw nothing: {CARRIED}" in ended.stdout
