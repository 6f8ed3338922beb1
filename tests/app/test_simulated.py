"""Readings of simulated devices stay on this machine, unless a setting says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from app.parts import CannotStart
from app.setting_parts import DeploymentSettings, RecordSettings
from app.settings import Settings
from app.supervisor import Supervisor
from ingest.ledger.files import open_ledger
from registry.devices import Account, NewDevice
from registry.faults import Conflict
from registry.operations import Registrar, Secret

ELSEWHERE = "https://record.example.org/fhir"


class OpenDoor:
    """A gate that lets everybody in."""

    def admit(self, users: Sequence[Account]) -> None:
        """Nothing to do."""


def settings(folder: Path, *, allowed: bool = False, url: str = ELSEWHERE) -> Settings:
    """An installation with a record."""
    record = RecordSettings(url=url, allow_simulated=allowed)
    return Settings(data=folder, record=record, deployment=DeploymentSettings(oid="1.2.3.4"))


def registrar(of: Settings, folder: Path) -> Registrar:
    """The registry's verbs of that installation."""
    file = open_ledger(folder / "ledger.sqlite")
    return Registrar(file, OpenDoor(), lambda: 1, lambda: Secret("plain", "hash"), simulated=of.takes_simulated)


@pytest.mark.parametrize(
    ("url", "allowed", "takes"),
    [(ELSEWHERE, False, False), (ELSEWHERE, True, True), ("http://127.0.0.1:9/fhir", False, True)],
)
def test_whether_simulated_devices_are_taken(tmp_path: Path, url: str, *, allowed: bool, takes: bool) -> None:
    """Only a record on this machine takes them unasked."""
    assert settings(tmp_path, allowed=allowed, url=url).takes_simulated is takes


def test_a_simulated_device_is_not_added_beside_a_record_elsewhere(tmp_path: Path) -> None:
    """The refusal names the setting; a real device is added."""
    verbs = registrar(settings(tmp_path), tmp_path)
    with verbs.file:
        with pytest.raises(Conflict, match="CONSTANTES_RECORD__ALLOW_SIMULATED"):
            verbs.add_device(NewDevice("bp-0001", simulated=True))
        assert verbs.add_device(NewDevice("bp-0001")).secret == "plain"


def test_up_refuses_a_record_elsewhere_while_simulated_devices_are_registered(tmp_path: Path) -> None:
    """A record that is added later does not get what was simulated."""
    here = settings(tmp_path, url="http://127.0.0.1:9/fhir")
    verbs = registrar(here, tmp_path)
    with verbs.file:
        verbs.add_device(NewDevice("bp-0001", simulated=True))
    with pytest.raises(CannotStart, match="1 simulated"):
        Supervisor(settings(tmp_path))._prepare()  # noqa: SLF001 - what happens before anything is started
