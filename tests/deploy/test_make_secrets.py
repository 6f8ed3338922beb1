"""deploy/make-secrets: which names it takes, what it leaves behind, what it says of a certificate that is there."""

import os
import subprocess
from pathlib import Path

import pytest

NAMES = ("readings.centre.example", "192.0.2.7", "2001:db8::7")


def made(root: Path, folder: Path, *names: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    """Run it."""
    command = [str(root / "deploy" / "make-secrets"), "--any-user", "--folder", str(folder), *names]
    return subprocess.run(command, check=False, capture_output=True, text=True, env={"PATH": path})


def alternatives(folder: Path) -> str:
    """Give the names in the certificate."""
    command = ["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", str(folder / "broker_certificate")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    "name",
    ["300.1.2.3", "1.2.3", "host:8883", "192.0.2.7:8883", "[2001:db8::7]:8883", "2001:db8:::1", "1::2::3", "12345::1",
     "1:2:3:4:5:6:7:8:9", "a b", "", "https://broker.example", "a,DNS:b", "-.example", "*.example", "x" * 64],
)  # fmt: skip
def test_what_is_no_name_is_refused_before_anything_is_made(root: Path, tmp_path: Path, name: str) -> None:
    """A wrong name is said in words, and neither folder nor file is made, though the others are right."""
    done = made(root, tmp_path / "secrets", "readings.centre.example", name)
    assert done.returncode == 2
    assert done.stderr
    assert "Nothing was made" in done.stderr
    assert not (tmp_path / "secrets").exists()


def test_names_and_addresses_are_in_the_certificate(root: Path, tmp_path: Path) -> None:
    """Names and addresses of both kinds hold, and the authority that devices get has signed it."""
    done = made(root, tmp_path, *NAMES, "broker-1", "::1")
    assert done.returncode == 0, done.stderr
    for name in (
        "DNS:readings.centre.example",
        "IP Address:192.0.2.7",
        "IP Address:2001:DB8:0:0:0:0:0:7",
        "DNS:broker-1",
    ):
        assert name in alternatives(tmp_path)
    command = ["openssl", "verify", "-CAfile", str(tmp_path / "broker_ca"), str(tmp_path / "broker_certificate")]
    subprocess.run(command, check=True, capture_output=True)


def test_another_run_says_what_the_certificate_holds_for(root: Path, tmp_path: Path) -> None:
    """A name that it has is fine however it is written, one that it lacks is named with what to do; nothing changes."""
    made(root, tmp_path, *NAMES)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    again = made(root, tmp_path, "READINGS.centre.example", "2001:db8:0::7")
    assert again.returncode == 0, again.stderr
    assert again.stderr == ""
    assert "IP:192.0.2.7" in again.stdout
    assert "until " in again.stdout
    other = made(root, tmp_path, "other.example", "192.0.2.7")
    assert other.returncode == 1
    assert "does not hold for other.example." in other.stderr
    assert "remove broker_certificate and broker_key" in other.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_fails_leaves_no_halves(root: Path, tmp_path: Path) -> None:
    """Where openssl fails in the middle it is said, no draft and no half of a pair stays, and the next run goes on."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "openssl").write_text(
        '#!/bin/sh\ncase $1 in x509) echo refused >&2; exit 1 ;; esac\nPATH=${PATH#*:} exec openssl "$@"\n'
    )
    (programs / "openssl").chmod(0o755)
    folder = tmp_path / "secrets"
    done = made(root, folder, *NAMES, path=f"{programs}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert "refused" in done.stderr
    assert "Not everything was made" in done.stderr
    names = {path.name for path in folder.iterdir()}
    assert {"broker_ca", "broker_ca_key", "ledger_password"} <= names
    assert not {name for name in names if "draft" in name or name in ("broker_key", "broker_certificate")}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())
    assert made(root, folder, *NAMES).returncode == 0
    assert "192.0.2.7" in alternatives(folder)


def test_a_token_of_another_record_stays(root: Path, tmp_path: Path) -> None:
    """The file for it is empty at first, and what is written into it is kept."""
    made(root, tmp_path)
    assert (tmp_path / "record_token").read_text() == ""
    (tmp_path / "record_token").write_text("of-theirs\n")
    assert made(root, tmp_path).returncode == 0
    assert (tmp_path / "record_token").read_text() == "of-theirs\n"
