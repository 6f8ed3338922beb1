"""The images that are built here, and the script that pins those that are not."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

DIGEST = "sha256:" + "a1" * 32


def lines(path: Path) -> list[str]:
    """Give the instructions of a Dockerfile, each on one line, without comments."""
    text = re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE)
    return [line.strip() for line in re.sub(r"\\\n\s*", "", text).splitlines() if line.strip()]


def test_the_lock_is_installed_hash_by_hash(root: Path) -> None:
    """Dependencies come from the lock with their hashes, the project without any, and nothing is fetched by ADD."""
    said = lines(root / "Dockerfile")
    installs = [line for line in said if "pip install" in line]
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert "--requirement /src/requirements/run.lock" in installs[0]
    assert {"--no-deps", "--no-index", "--no-build-isolation"} <= set(installs[1].split())
    assert not any(re.match("ADD|.*(curl|wget|https?:)", line) for line in said)


def test_the_image_runs_as_nobody_special(root: Path) -> None:
    """The last stage ends as a user that is not root, without a compiler's stage, and says how it is."""
    said = lines(root / "Dockerfile")
    last = said[max(place for place, line in enumerate(said) if line.startswith("FROM")) :]
    assert "USER 1000:1000" in last
    assert [line for line in last if line.startswith("HEALTHCHECK")]
    assert not any("pip install" in line for line in last)
    assert [line for line in lines(root / "deploy" / "hapi" / "Dockerfile") if line.startswith("USER")] == [
        "USER 1000:1000"
    ]


def test_everything_that_is_copied_is_there_and_ships(root: Path) -> None:
    """The builder is sent what the image is made of, all of it, and nothing else."""
    copied = {
        name
        for line in lines(root / "Dockerfile")
        if line.startswith("COPY") and "--from" not in line
        for name in line.split()[1:-1]
    }
    assert all((root / name).exists() for name in copied)
    ignored = (root / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    packages = re.search(r"^packages = \[(.+)\]", (root / "pyproject.toml").read_text(), re.MULTILINE)
    assert packages
    assert {name.strip(' "') for name in packages[1].split(",")} <= copied


def copied_files(root: Path, folder: Path) -> dict[str, Path]:
    """Give copies of the files that name images."""
    names = ("docker-compose.yml", "Dockerfile", "deploy/hapi/Dockerfile")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, folder / name)
    return {name: folder / name for name in names}


def pin(root: Path, folder: Path, command: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    """Run the script on copies."""
    words = [str(root / "deploy" / "pin-images"), "--root", str(folder), *(["--with", command] if command else [])]
    return subprocess.run(words, check=False, capture_output=True, text=True, env={"PATH": path})


def test_digests_are_written_behind_tags(root: Path, tmp_path: Path) -> None:
    """Every image of others gets its digest, twice gives the same, and nothing else in the files changes."""
    files = copied_files(root, tmp_path)
    before = {name: path.read_text() for name, path in files.items()}
    for _ in range(2):
        assert pin(root, tmp_path, f"echo {DIGEST}").returncode == 1  # it says the image behind the digest too
        assert pin(root, tmp_path, f"printf {DIGEST}\\n").returncode == 0
    for name, path in files.items():
        assert path.read_text().replace(f"@{DIGEST}", "") == re.sub("@sha256:[0-9a-f]{64}", "", before[name])
    pinned = "".join(path.read_text() for path in files.values())
    assert len(re.findall(f"^(?:FROM|    image:) +[a-z].*@{DIGEST}", pinned, re.MULTILINE)) == 7
    assert not re.search("constantes[a-z-]*:[0-9.]+@", pinned)


@pytest.mark.parametrize("command", ["false", "echo sha256:short"])
def test_without_a_registry_nothing_is_changed(root: Path, tmp_path: Path, command: str) -> None:
    """Where no digest is to be had, the script says so in words, ends with 1 and leaves the files."""
    files = copied_files(root, tmp_path)
    done = pin(root, tmp_path, command)
    assert done.returncode == 1
    assert "No digest for" in done.stderr
    assert "Nothing was changed." in done.stderr
    assert all(path.read_text() == (root / name).read_text() for name, path in files.items())
