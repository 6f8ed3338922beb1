"""The command after a restore: another name, only while nothing runs, and what follows in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from app.parts import OFFICE, only_one
from app.settings import Settings
from tests.support.engines import Place, in_a_database, in_a_file

Run: TypeAlias = Callable[..., tuple[int, str, str]]


def name(place: Place) -> str:
    """Give the ledger's name as it is now."""
    with place.open() as file:
        return file.name


def test_a_restored_ledger_has_another_name(run: Run, place: Place) -> None:
    """The name that receipts carry is another one afterwards; both are told, as JSON and for people."""
    before = name(place)
    code, out, err = run("ledger", "restored", "--json")
    assert (code, err) == (0, "")
    made = json.loads(out)
    assert list(made) == ["before", "ledger"]
    assert (made["before"], made["ledger"]) == (before, name(place))
    assert before != made["ledger"]
    code, out, err = run("ledger", "restored")
    assert code == 0
    assert name(place) in out
    for said in ("offers again", "cursors are refused", "filled anew"):
        assert said in err


@in_a_file
@pytest.mark.parametrize("part", ["instance", "gateway", "office", *OFFICE])
def test_not_while_a_part_runs(run: Run, place: Place, settings: Settings, part: str) -> None:
    """A part would go on with the old name: the command is refused, and the name stays."""
    before = name(place)
    with only_one(settings.data, part):
        code, _, err = run("ledger", "restored")
    assert (code, name(place)) == (1, before)
    assert f"already runs on {settings.data} ({part})" in err
    assert "nothing was changed" in err


@in_a_database
def test_not_while_another_machine_uses_the_database(run: Run, place: Place) -> None:
    """A part on another machine holds no lock of this folder; its line to the database is seen."""
    with place.open() as other:
        other.writer.write(lambda _connection: None)
        code, _, err = run("ledger", "restored")
        before = other.name
    assert code == 1
    assert "Somebody else uses the ledger's database" in err
    assert name(place) == before


@in_a_file
def test_where_nothing_is_nothing_is_made(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In a wrong folder the command makes no ledger."""
    monkeypatch.setenv("CONSTANTES_DATA", str(tmp_path / "other"))
    code, _, err = run("ledger", "restored")
    assert (code, (tmp_path / "other").exists()) == (1, False)
    assert "There is no installation" in err
    assert settings.data.exists()
