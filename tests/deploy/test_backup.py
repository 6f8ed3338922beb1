"""The nightly copy: in which order, with what, and what is said when a piece is missing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

DOCKER = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$*" in *"$FAILS"*) exit 1 ;; esac
echo content
"""


@pytest.fixture
def installation(root: Path, tmp_path: Path) -> Path:
    """Give a folder with the script, settings, a secret, and a `docker` that writes down what it is asked."""
    (tmp_path / "deploy" / "secrets").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    shutil.copy(root / "deploy" / "backup", tmp_path / "deploy" / "backup")
    shutil.copy(root / "docker-compose.yml", tmp_path)
    (tmp_path / ".env").write_text("CONSTANTES_LANGUAGE=fr\n")
    (tmp_path / "deploy" / "secrets" / "broker_key").write_text("key")
    (tmp_path / "bin" / "docker").write_text(DOCKER)
    (tmp_path / "bin" / "docker").chmod(0o755)
    return tmp_path


def backup(place: Path, fails: str = "nothing") -> subprocess.CompletedProcess[str]:
    """Run it."""
    return subprocess.run(
        [str(place / "deploy" / "backup"), str(place / "copies")], check=False, capture_output=True, text=True,
        env={"PATH": f"{place / 'bin'}:{os.environ['PATH']}", "CALLS": str(place / "calls"), "FAILS": fails},
    )  # fmt: skip


def test_the_ledger_is_copied_before_its_contents(installation: Path) -> None:
    """A row of the dump finds its content in the copy: contents are copied last. Only the owner may read any of it."""
    assert backup(installation).returncode == 0
    calls = (installation / "calls").read_text().splitlines()
    assert ["pg_dump" in call for call in calls] == [True, True, False]
    assert [call.rsplit(maxsplit=1)[-1] for call in calls[:2]] == ["constantes", "record"]
    assert "tar -C /var/lib/constantes" in calls[2]
    (copy,) = (installation / "copies").iterdir()
    names = {path.name for path in copy.iterdir()}
    assert names == {"constantes.dump", "record.dump", "data.tar", "settings.tar", "SHA256SUMS"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in (copy, *copy.iterdir()))
    subprocess.run(["sha256sum", "--quiet", "--check", "SHA256SUMS"], cwd=copy, check=True)


def test_a_copy_that_is_not_whole_says_so(installation: Path) -> None:
    """When any piece fails the script ends with an error, and without the sums of a whole copy."""
    done = backup(installation, fails="tar -C")
    assert done.returncode != 0
    assert "The backup is not whole" in done.stderr
    assert not list(installation.glob("copies/*/SHA256SUMS"))
