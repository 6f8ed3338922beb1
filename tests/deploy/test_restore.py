"""What deploy/backup dumps is what the page's restore brings back, on a real PostgreSQL."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from scripts.services import cluster
from scripts.services.postgres import Server

DUMP = "pg_dump -h 127.0.0.1 -U postgres -Fc"
RESTORE = "pg_restore -h 127.0.0.1 -U postgres --clean --if-exists -d"
RENAME = ("ledger", "restored")


def asked(root: Path, data: Path, server: Server, *words: str) -> Any:  # noqa: ANN401 - a JSON document
    """What a command answers on a ledger of this server."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONSTANTES_")}
    environment |= {"PYTHONPATH": str(root), "CONSTANTES_DATA": str(data), **server.environment}
    command = [sys.executable, "-m", "app", *words, "--json"]
    return json.loads(subprocess.run(command, check=True, cwd=data, env=environment, capture_output=True).stdout)


def administered(server: Server, words: str, *more: str, given: bytes = b"") -> bytes:
    """What one of PostgreSQL's programs writes, run as the administrator."""
    program, *options = words.split()
    password = (server.folder / "postgres_password").read_text()
    return subprocess.run(
        [cluster.program(program), *options, *more, "-p", str(server.port)], check=True, input=given,
        capture_output=True, env={"PGPASSWORD": password, "PATH": os.environ["PATH"]},
    ).stdout  # fmt: skip


@pytest.mark.services
def test_a_dump_brings_the_ledger_back(
    root: Path, tmp_path: Path, native_postgres: Callable[[], AbstractContextManager[Server]]
) -> None:
    """Restored into a new server whose tables are there already, everything is what it was, and the role owns it."""
    assert DUMP in (root / "deploy" / "backup").read_text()
    page = (root / "docs" / "how-to" / "install-with-compose.md").read_text()
    assert RESTORE in " ".join(page.replace("\\\n", " ").split())
    order = ('"$B/data.tar"\n', f"run --rm -T api {' '.join(RENAME)}", "up --detach --wait\ndocker")
    assert sorted(order, key=page.index) == list(order)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with native_postgres() as old, native_postgres() as new:
        asked(root, tmp_path / "one", old, "device", "add", "dev-one")
        asked(root, tmp_path / "two", new, "device", "add", "dev-other")
        dump = administered(old, DUMP, "constantes")
        administered(new, RESTORE, "constantes", given=dump)
        shutil.rmtree(tmp_path / "two" / "blobs")
        shutil.copytree(tmp_path / "one" / "blobs", tmp_path / "two" / "blobs")
        names = asked(root, tmp_path / "two", new, *RENAME)
        assert names["before"] != names["ledger"]
        devices = asked(root, tmp_path / "two", new, "device", "list")["items"]
        assert [device["device"] for device in devices] == ["dev-one"]
        assert asked(root, tmp_path / "two", new, "ledger", "verify") == asked(
            root, tmp_path / "one", old, "ledger", "verify"
        )
        asked(root, tmp_path / "two", new, "device", "add", "dev-two")
