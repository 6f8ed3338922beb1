"""The command line, without an instance: fixed JSON, exit codes, and words for people."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

import pytest

from app import wiring
from app.cli_simulate import without_patient
from app.processes import addresses
from app.settings import Settings, load
from app.sockets import InstanceLock
from fhir_export.pull.served import TYPES
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.schema import INBOX
from ingest.model import Key
from registry.clients import SERVED
from simulators.devices.tally import Tally
from simulators.simulate import Report
from tests.support.engines import in_a_file
from tests.support.ledgers import NOW, STREAM, reading

Run: TypeAlias = Callable[..., tuple[int, str, str]]
PERSON = (
    "patient", "add", "--family", "EXEMPLE-FICTIF", "--given", "Ada", "--birth-date", "1980-02-29",
    "--gender", "female", "--identifier", "urn:oid:2.999.1.4|1234",
)  # fmt: skip


def document(done: tuple[int, str, str]) -> dict[str, object]:
    """The one JSON document of a command that went well, and said nothing else."""
    code, out, err = done
    assert (code, err) == (0, "")
    found: dict[str, object] = json.loads(out)
    return found


def keep(settings: Settings) -> None:
    """Two readings and a quarantined one are in the ledger."""
    with wiring.ledger(settings) as file:
        items = [reading(0), reading(1), reading(2, systolic=9000)]
        RelationalLedger(file).commit(items, NOW).result()


def test_every_document_has_exactly_the_keys_that_are_promised(run: Run, settings: Settings) -> None:
    """Those of the interface, and no other."""
    made = document(run("device", "add", "bp-0001", "--site", "Nord", "--method", "cuff", "--json"))
    assert list(made) == ["device", "username", "secret", "mqtt_url"]
    assert made["username"] == "bp-0001"
    patient = document(run(*PERSON, "--json"))
    assert list(patient) == ["patient"]
    assigned = document(run("assign", "bp-0001", str(patient["patient"]), "--from", "2026-01-01T00:00:00Z", "--json"))
    assert list(assigned) == ["assignment"]
    client = document(run("client", "add", "soft", "--scope", "system/*.rs", "--scope", "operations", "--json"))
    assert list(client) == ["client", "token"]
    keep(settings)
    traced = document(run("trace", Key("bp-0001", STREAM, 0).reading, "--json"))
    assert list(traced) == ["reading", "device", "stream", "seq", "kind", "stages"]
    assert isinstance(traced["stages"], list)
    assert [list(stage) for stage in traced["stages"]] == [["stage", "at", "outcome", "reason"]] * 7
    balance = document(run("ledger", "balance", "--json"))
    assert balance == {
        "received": 3, "stored": 2, "duplicate": 0, "quarantined": 1, "dismissed": 0, "pending": 0, "balanced": True,
    }  # fmt: skip
    assert document(run("ledger", "verify", "--json")) == {"rows": 5, "blobs": 0, "head": None, "faults": []}
    quarantine = document(run("quarantine", "list", "--json"))
    assert isinstance(quarantine["items"], list)
    assert [list(item) for item in quarantine["items"]] == [
        ["id", "device", "received_at", "reason", "pointer", "bytes"]
    ]


def test_lists_are_tables_for_people(run: Run, settings: Settings) -> None:
    """With what is registered in them, or a sentence when there is nothing."""
    assert run("device", "list")[1] == "No device is registered: `constantes device add ID`.\n"
    run("device", "add", "bp-0001", "--site", "Nord")
    run(*PERSON)
    run("client", "add", "soft", "--scope", "system/*.rs")
    keep(settings)
    for words, expected in {
        ("device", "list"): "Nord",
        ("device", "show", "bp-0001"): "active",
        ("patient", "list"): "EXEMPLE-FICTIF",
        ("client", "list"): "system/*.rs",
        ("reading", "list"): "systolic 128 mm[Hg]",
        ("quarantine", "list"): "value.impossible",
        ("gaps", "list"): "There is no gap.",
        ("deliveries", "list"): "No record is configured",
        ("assignments",): "No device is assigned",
        ("trace", f"bp-0001:{STREAM}:2"): "value.impossible /values/systolic/value",
        ("ledger", "balance"): "balanced     yes",
        ("ledger", "verify"): "0 faults",
    }.items():
        code, out, err = run(*words)
        beside = "2 readings are kept and not published yet" if words == ("deliveries", "list") else ""
        assert (code, err[: len(beside) or None]) == (0, beside)
        assert expected in out


@in_a_file
def test_a_secret_is_for_one_pair_of_eyes(run: Run, settings: Settings) -> None:
    """Shown once; nothing in the data folder holds it."""
    secret = str(document(run("device", "add", "bp-0001", "--json"))["secret"])
    renewed = str(document(run("device", "rotate", "bp-0001", "--json"))["secret"])
    assert renewed != secret
    assert secret not in run("device", "show", "bp-0001", "--json")[1]
    kept = b"".join(path.read_bytes() for path in settings.data.rglob("*") if path.is_file())
    assert secret.encode() not in kept
    assert renewed.encode() not in kept


@in_a_file
def test_the_broker_lets_in_who_is_registered(run: Run, settings: Settings) -> None:
    """Its accounts follow add and revoke, also before it ever ran."""
    run("device", "add", "bp-0001")
    run("device", "add", "bp-0002")
    run("device", "revoke", "bp-0001")
    accounts = json.loads((settings.broker_folder / "accounts.json").read_text())
    assert [account["name"] for account in accounts] == ["bp-0002"]


@in_a_file
def test_a_refusal_is_a_sentence_and_exit_code_1(run: Run) -> None:
    """What happened, what is safe, what to do; nothing on standard output, no traceback, no input."""
    run("device", "add", "bp-0001")
    for words in (
        ("device", "add", "bp-0001"),
        ("device", "add", "BP-0001"),
        ("device", "show", "bp-0009"),
        ("device", "revoke", "bp-0009"),
        ("device", "show", "../patients"),
        ("assign", "bp-0001", "nobody"),
        ("assign", "bp-0001", "nobody", "--from", "yesterday"),
        ("unassign", "nothing"),
        ("trace", "nothing"),
        ("trace", "0" * 32),
        ("client", "add", "soft", "--scope", "patient/*.read"),
        ("client", "revoke", "soft"),
        (*PERSON[:-1], "urn:oid:1.2.250.1.213.1.4.10|280019741199931"),
        ("reading", "list", "--since", "yesterday"),
    ):
        code, out, err = run(*words, "--json")
        assert (code, out) == (1, ""), words
        assert err.count("\n") == 1
        assert "Nothing was changed." in err
        assert "280019741199931" not in err


@in_a_file
@pytest.mark.parametrize(
    "words",
    [
        ("nothing",),
        ("device", "add"),
        ("device", "add", "bp-0001", "--colour", "red"),
        ("patient", "add", "--family", "EXEMPLE-FICTIF"),
        ("reading", "list", "--limit", "0"),
        ("client", "add", "soft"),
        ("simulate", "phrenology"),
        ("simulate", "ecg", "--fault", "phrenology"),
        ("simulate", "ecg", "blood_pressure", "--device", "sim-1"),
        ("record", "serve", "--fault", "phrenology"),
    ],
)
def test_wrong_use_is_exit_code_2(run: Run, words: tuple[str, ...]) -> None:
    """And says what would be right."""
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err


@in_a_file
def test_a_wrong_setting_is_exit_code_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its name, before anything is touched."""
    monkeypatch.setenv("CONSTANTES_HTTP__PROT", "8000")
    code, _, err = run("device", "list")
    assert code == 2
    assert err.startswith("CONSTANTES_HTTP__PROT: ")


@in_a_file
def test_a_misspelt_setting_is_answered_with_the_near_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a command that starts nothing does not speak of a start."""
    monkeypatch.setenv("CONSTANTES_HTTP__PROT", "8000")
    err = run("device", "list")[2]
    assert "CONSTANTES_HTTP__PORT is. Nothing was done." in err
    assert "Nothing was started." in run("up")[2]


@in_a_file
def test_a_number_out_of_range_is_told_with_its_range(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """In plain words, whatever is wrong with the number."""
    for wrong in ("many", "0", "70000", "1.5"):
        monkeypatch.setenv("CONSTANTES_HTTP__PORT", wrong)
        assert "must be a whole number from 1 to 65535." in run("device", "list")[2]


@in_a_file
def test_the_version_is_told(run: Run) -> None:
    """That of the installed package."""
    assert run("--version") == (0, f"constantes {version('constantes')}\n", "")


def test_no_delivery_is_not_taken_for_everything_delivered(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a record exports wait; with one, readings without a patient are counted."""
    assert run("deliveries", "list")[1] == "No record is configured (CONSTANTES_RECORD__URL); exports wait.\n"
    monkeypatch.setenv("CONSTANTES_RECORD__URL", "http://127.0.0.1:9/fhir")
    assert run("deliveries", "list")[1] == "Nothing waits for delivery.\n"
    with wiring.ledger(settings) as file:
        row = {"position": 1, "device": "bp-0001", "why": "assignment.none", "since": NOW}
        file.writer.write(lambda connection: connection.execute(INBOX.insert().values(row)))
    told = "Nothing waits for delivery. 1 readings wait without a patient: `constantes reading list`.\n"
    assert run("deliveries", "list")[1] == told


@in_a_file
def test_a_scope_about_a_type_that_is_not_served_is_refused(run: Run) -> None:
    """With the types that are, which are those of the pull."""
    assert set(SERVED) == set(TYPES)
    code, _, err = run("client", "add", "soft", "--scope", "system/Encounter.rs")
    assert code == 1
    assert ", ".join(SERVED) in err


@in_a_file
def test_devices_without_a_broker_say_so_and_end(run: Run) -> None:
    """Once, whatever their number; the readings are kept."""
    with socket.socket() as held:  # bound and not listening: whoever connects is refused
        held.bind(("127.0.0.1", 0))
        url = f"mqtt://127.0.0.1:{held.getsockname()[1]}"
        words = ("simulate", "blood_pressure", "blood_pressure", "--count", "1", "--url", url, "--deadline", "3.5")
        code, _, err = run(*words)
    assert code == 1
    assert err.count(f"No broker answers at {url}. The readings are kept.") == 1


def test_simulated_readings_of_an_unassigned_device_are_counted(run: Run) -> None:
    """Those that were just stored too; an assignment ends it."""
    run("device", "add", "bp-0001")
    tally = Tally()
    tally.verdicts["stored"] = 2
    reports = [Report("blood_pressure", "bp-0001", 0, 1.0, Counter(), 0.0, tally)]
    assert without_patient(reports) == {"bp-0001": 2}
    patient = str(document(run(*PERSON, "--json"))["patient"])
    run("assign", "bp-0001", patient)
    assert without_patient(reports) == {}


@in_a_file
def test_a_record_that_parks_exports_is_announced_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of `up` say it for lookup, and not for write."""
    monkeypatch.setenv("CONSTANTES_RECORD__URL", "http://127.0.0.1:9/fhir")
    assert "exports are parked in this version" in addresses(load())
    monkeypatch.setenv("CONSTANTES_RECORD__PATIENTS", "write")
    assert "parked" not in addresses(load())


@pytest.mark.unbalanced("rows are changed to see that it is told")
def test_a_changed_row_is_told_and_exit_code_1(run: Run, settings: Settings) -> None:
    """By table and place, in the document too."""
    run("device", "add", "bp-0001")
    keep(settings)
    with wiring.ledger(settings) as file:
        file.writer.write(
            lambda connection: connection.exec_driver_sql("UPDATE journal SET size = 1 WHERE position = 2")
        )
        file.writer.write(lambda connection: connection.exec_driver_sql("DELETE FROM quarantine"))
    code, out, err = run("ledger", "verify", "--json")
    assert code == 1
    assert {"table": "journal", "position": 2, "what": "row_hash"} in json.loads(out)["faults"]
    assert "keep the data folder" in err
    code, out, _ = run("ledger", "balance", "--json")
    assert (code, json.loads(out)["balanced"]) == (1, False)


@in_a_file
def test_a_folder_that_is_held_and_silent_is_said(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody writes beside the one who holds the lock."""
    monkeypatch.setattr("app.client._STARTING_S", 0.1)
    with InstanceLock(settings.data) as lock:
        assert lock.take()
        code, _, err = run("device", "list")
    assert code == 1
    assert "does not answer on its socket" in err


@in_a_file
def test_a_folder_that_cannot_be_written_is_said(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("CONSTANTES_DATA", str(tmp_path / "taken" / "data"))
    code, _, err = run("device", "add", "bp-0001")
    assert code == 1
    assert "CONSTANTES_DATA" in err
    assert "Traceback" not in err


def test_help_is_there_at_once() -> None:
    """Nothing that takes long to load is loaded for it; each command explains itself."""
    heavy = "{'sqlalchemy', 'fastapi', 'httpx', 'pydantic', 'paho', 'numpy', 'bcrypt', 'app.settings'}"
    code = f"import sys, app.cli; sys.exit(', '.join(sorted({heavy} & set(sys.modules))) or 0)"
    began = time.monotonic()
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert time.monotonic() - began < 5  # a machine may be busy: what is loaded is the promise above
    done = subprocess.run([sys.executable, "-m", "app", "device", "add", "--help"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
