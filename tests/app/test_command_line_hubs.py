"""The command line about hubs, contents and the quarantine; and a folder without an installation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from app import wiring
from app.settings import Settings
from app.sockets import LOCK, InstanceLock
from ingest.ledger.port import State, Told
from ingest.ledger.relational import RelationalLedger
from tests.support.apart import DEVICE, inline, photograph, send
from tests.support.engines import in_a_file
from tests.support.ledgers import NOW, STREAM, reading, register

Run: TypeAlias = Callable[..., tuple[int, str, str]]


def test_a_hub_is_let_speak_listed_and_ended(run: Run) -> None:
    """With one document each, and words for people."""
    assert run("hub", "list") == (0, "No hub serves a device: `constantes hub serve`.\n", "")
    for device in ("hub-1", "bp-0001"):
        run("device", "add", device)
    code, out, err = run("hub", "serve", "hub-1", "bp-0001", "--from", "2026-01-01T00:00:00Z", "--json")
    made = {"hub": "hub-1", "device": "bp-0001", "start": "2026-01-01T00:00:00.000Z", "end": None}
    assert (code, json.loads(out), err) == (0, made, "")
    code, _, err = run("hub", "serve", "hub-1", "bp-0001", "--to", "2100-01-01T00:00:00Z")
    assert code == 1
    assert "`hub end hub-1 bp-0001 --at TIME`" in err
    assert json.loads(run("hub", "list", "--device", "bp-0001", "--json")[1]) == {"items": [made]}
    code, out, _ = run("hub", "end", "hub-1", "bp-0001", "--at", "2026-02-01T00:00:00Z")
    assert code == 0
    assert "2026-02-01T00:00:00.000Z" in out
    code, _, err = run("hub", "end", "hub-1", "bp-0001")
    assert code == 1
    assert "--at" in err
    code, _, err = run("hub", "serve", "hub-1", "bp-0009")
    assert (code, err) == (1, "No such device is registered. Nothing was changed. See `device list`, or register it.\n")


def test_a_device_behind_a_hub_that_is_gone_is_unreachable(run: Run, settings: Settings) -> None:
    """In words, with the hub it came by."""
    for device in ("hub-1", "bp-0001"):
        run("device", "add", device)
    told = [Told("hub-1", NOW, "a1b2c3d4", STREAM, 1), Told("bp-0001", NOW, "a1b2c3d4", STREAM, 1, hub="hub-1")]
    with wiring.ledger(settings) as file:
        RelationalLedger(file).commit([*told, State("hub-1", NOW, "a1b2c3d4", offline=True)], NOW).result()
    _, out, _ = run("device", "list")
    assert next(line for line in out.splitlines() if "bp-0001" in line).split()[-3:-1] == ["unreachable", "hub-1"]
    _, out, _ = run("device", "show", "bp-0001")
    assert "presence     unreachable\n" in out
    assert "via          hub-1\n" in out


def test_readings_with_contents_are_listed_in_words(run: Run, settings: Settings) -> None:
    """How long a recording is, whose eye, what is missing."""
    with wiring.ledger(settings) as file:
        register(file, DEVICE)
        send(file, photograph(file, 0), 1)
        inline(file, 1)
    _, out, _ = run("reading", "list")
    assert "left macula, 37856 of 300000 bytes missing" in out
    assert "2 leads 10 s" in out
    assert "pending" in out


def test_a_quarantined_message_is_shown_masked_unless_asked(run: Run, settings: Settings) -> None:
    """Why and where, then the message."""
    with wiring.ledger(settings) as file:
        RelationalLedger(file).commit([reading(0, systolic=9431)], NOW).result()
    code, out, err = run("quarantine", "show", "1")
    assert (code, err) == (0, "")
    assert "reason       value.impossible\n" in out
    assert '"unit": "mm[Hg]"' in out
    assert "9431" not in out
    assert "9431" in run("quarantine", "show", "1", "--values")[1]
    shown = json.loads(run("quarantine", "show", "1", "--json")[1])
    assert list(shown) == [
        "id", "device", "hub", "received_at", "key", "state", "reason", "pointer", "bytes", "cut", "text",
        "history",
    ]  # fmt: skip
    assert "9431" not in shown["text"]
    code, _, err = run("quarantine", "show", "2")
    assert code == 1
    assert "`quarantine list`" in err
    assert run("quarantine", "show", "first")[0] == 2


LOOKING = [
    ("device", "list"), ("device", "show", "bp-0001"), ("device", "revoke", "bp-0001"), ("device", "rotate", "bp-0001"),
    ("hub", "list"), ("hub", "serve", "hub-1", "bp-0001"), ("hub", "end", "hub-1", "bp-0001"), ("patient", "list"),
    ("assign", "bp-0001", "p"), ("unassign", "a"), ("assignments",), ("client", "list"), ("client", "revoke", "soft"),
    ("trace", "0" * 32), ("reading", "list"), ("quarantine", "list"), ("quarantine", "show", "1"), ("gaps", "list"),
    ("deliveries", "list"), ("ledger", "balance"), ("ledger", "verify"),
]  # fmt: skip


@in_a_file
@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_looking_into_an_empty_folder_makes_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """It is said that there is no installation, and what to do."""
    data = tmp_path / "elsewhere" / "data"
    monkeypatch.setenv("CONSTANTES_DATA", str(data))
    code, out, err = run(*words)
    assert (code, out) == (1, "")
    assert err.startswith(f"There is no installation in the folder {data}. Nothing was made.")
    assert "CONSTANTES_DATA" in err
    assert "constantes up" in err
    assert not data.parent.exists()


@in_a_file
def test_a_folder_whose_installation_never_started_holds_none(run: Run, settings: Settings) -> None:
    """Only the lock is there, and nobody holds it."""
    settings.ledger_path.unlink()
    (settings.data / LOCK).touch()
    code, _, err = run("device", "list")
    assert code == 1
    assert "There is no installation" in err
    assert not settings.ledger_path.exists()


@in_a_file
def test_an_installation_that_is_just_starting_is_waited_for(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the lock and has no ledger yet: that is not none."""
    monkeypatch.setattr("app.client._STARTING_S", 0.1)
    settings.ledger_path.unlink()
    with InstanceLock(settings.data) as lock:
        assert lock.take()
        code, _, err = run("device", "list")
    assert code == 1
    assert "does not answer on its socket" in err


@in_a_file
@pytest.mark.parametrize(
    "words",
    [
        ("device", "add", "bp-0001"),
        ("client", "add", "soft", "--scope", "operations"),
        (
            "patient", "add", "--family", "EXEMPLE-FICTIF", "--given", "Ada", "--birth-date", "1980-02-29", "--gender",
            "female",
        ),
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_the_first_registration_makes_the_installation(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Before anything ever ran."""
    data = tmp_path / "elsewhere" / "data"
    monkeypatch.setenv("CONSTANTES_DATA", str(data))
    assert run(*words)[0] == 0
    assert (data / "ledger.sqlite").exists()
    assert run("device", "list")[0] == 0
