"""What PostgreSQL writes into its log: settings in the compose file, on the page, and of the server of the tests."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scripts.services.postgres import SETTINGS, Server

QUIET = {
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
_INSERT = "INSERT INTO person VALUES (%s, %s)"


def test_the_log_names_no_patient_by_setting(root: Path, services: dict[str, Any]) -> None:
    """The same four settings stand in the compose file, on the page, and in the tests' server."""
    command = services["postgres"]["command"]
    given = dict(word.split("=", 1) for before, word in pairwise(command) if before == "-c")
    page = (root / "docs" / "how-to" / "keep-the-ledger-in-postgresql.md").read_text()
    told = dict(re.findall(r"^\| `(log_\w+) = (\w+)` \|", page, re.MULTILINE))
    assert told == QUIET
    assert {name: given.get(name) for name in QUIET} == QUIET
    assert {name: SETTINGS.get(name) for name in QUIET} == QUIET


@pytest.mark.services
def test_a_failed_statement_leaves_no_value_in_the_log(
    native_postgres: Callable[[], AbstractContextManager[Server]],
) -> None:
    """Errors are logged, without the row, the statement or its values, also where statements are logged."""
    with native_postgres() as server:
        server.execute("ALTER SYSTEM SET log_min_duration_statement = 0")
        server.execute("SELECT pg_reload_conf()")
        with psycopg.connect(server.url.replace("+psycopg", ""), password=server.password, autocommit=True) as line:
            line.execute("CREATE TABLE person (family text PRIMARY KEY, born date CHECK (born > '1900-01-01'))")
            line.execute(_INSERT, ["EXEMPLE-FICTIF", "1980-02-29"])
            for row in (["EXEMPLE-FICTIF", "1980-02-29"], ["ENCORE-FICTIF", "1800-02-28"]):
                with pytest.raises(psycopg.Error):
                    line.execute(_INSERT, row)
        log = (server.folder / "log").read_text()
    assert "INSERT INTO person VALUES ($1, $2)" in log
    assert "violates unique constraint" in log
    assert "violates check constraint" in log
    assert all(word not in log for word in ("DETAIL", "FICTIF", "1980", "1800"))
