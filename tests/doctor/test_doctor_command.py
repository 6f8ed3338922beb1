"""The command: which looks, exit codes, both languages, bounded time, and looks that break."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.doctor.finding import Finding, found
from app.doctor.looks import LOOKS, run
from app.settings import Settings, load

Ask = Callable[..., Any]


def test_a_look_that_is_not_there_is_wrong_use() -> None:
    """Exit code 2, and those that there are."""
    result = CliRunner().invoke(app, ["doctor", "--only", "weather"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert all(name in result.stderr for name in LOOKS)


def test_all_looks_are_done_when_none_is_named() -> None:
    """Each tells on standard error how long it took; nothing of an error ends with 0."""
    result = CliRunner().invoke(app, ["doctor"], env={"CONSTANTES_CLOCK__DISCIPLINED": "yes"})
    assert result.exit_code == 0, result.stdout
    assert {line.split()[0] for line in result.stderr.splitlines()} == set(LOOKS)
    assert result.stdout.splitlines()[-1].startswith("errors: 0, ")


def test_it_speaks_the_language_of_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """French is the default; codes are the same."""
    monkeypatch.delenv("CONSTANTES_LANGUAGE")
    french = CliRunner().invoke(app, ["doctor", "--only", "destination"])
    assert "Aucun dossier partagé" in french.stdout
    assert french.stdout.splitlines()[-1] == "erreurs: 0, avertissements: 0, remarques: 1"
    english = CliRunner().invoke(app, ["doctor", "--only", "destination"], env={"CONSTANTES_LANGUAGE": "en"})
    assert "No record is set." in english.stdout
    assert "· destination.none" in english.stdout
    assert "· destination.none" in french.stdout


def test_the_document_has_the_keys_that_are_promised(ask: Ask) -> None:
    """Of each finding: code, severity, look, and three sentences."""
    (item,) = ask("destination").items
    assert list(item) == ["code", "severity", "look", "happened", "safe", "remedy"]
    assert (item["code"], item["severity"], item["look"]) == ("destination.none", "note", "destination")


def test_errors_come_first(data: Path, ask: Ask) -> None:
    """Whatever look they are of."""
    data.chmod(0o755)
    (data / "ledger.sqlite").write_bytes(b"no ledger" * 100)
    told = ask("destination", "disk", "ledger")
    severities = [item["severity"] for item in told.items]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert told.code == 1


def test_a_look_that_hangs_or_breaks_hides_nothing() -> None:
    """Both are told by name, within the bound; what the others found is there."""
    gate = threading.Event()

    def hangs(_: Settings) -> Iterator[Finding]:
        gate.wait(20.0)
        yield from ()

    def breaks(_: Settings) -> Iterator[Finding]:
        raise ZeroDivisionError("a-canary")

    def finds(_: Settings) -> Iterator[Finding]:
        yield found("destination.none")

    begun = time.monotonic()
    looks = {"broker": hangs, "disk": breaks, "clock": finds}
    reports = {report.look: report.findings for report in run(load(), list(looks), 0.5, looks)}
    assert time.monotonic() - begun < 5.0
    gate.set()
    assert reports == {
        "broker": (found("doctor.unfinished", look="broker", seconds="0.5"),),
        "disk": (found("doctor.broken", look="disk", error="ZeroDivisionError"),),
        "clock": (found("destination.none"),),
    }


def test_it_works_as_a_program_where_nothing_is_installed(tmp_path: Path) -> None:
    """And makes nothing there."""
    words = [sys.executable, "-m", "app", "doctor", "--json"]
    empty = tmp_path / "empty"
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "CONSTANTES_DATA": str(empty),
        "CONSTANTES_CLOCK__DISCIPLINED": "yes",
        "CONSTANTES_BROKER__PORT": "9",
    }
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["errors"] == 0
    assert not empty.exists()
