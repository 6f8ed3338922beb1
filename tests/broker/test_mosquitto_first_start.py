"""The first start beside a Mosquitto of somebody else, which may not run yet or may not be told."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import broker
from app.gateway_process import Doorman
from app.office import office
from app.setting_parts import MqttSettings
from app.settings import Settings
from gateway.broker.faults import ReloadNotSeen
from gateway.broker.mosquitto import PASSWORDS
from ingest.ledger.files import OpenLedger, open_ledger
from registry.devices import NewDevice
from registry.operations import Registrar
from scripts.probes.brokers import free_port, until


@dataclass(frozen=True)
class Place:
    """An installation whose broker nobody runs."""

    settings: Settings
    file: OpenLedger

    def with_reload(self, command: str) -> "Place":
        """Give the same with another reload command."""
        mqtt = self.settings.mqtt.model_copy(update={"reload_command": command})
        return Place(self.settings.model_copy(update={"mqtt": mqtt}), self.file)

    @property
    def registrar(self) -> Registrar:
        """The registry's verbs at this door."""
        return office(self.settings, self.file).registrar

    def lists(self, name: str) -> bool:
        """Say whether Mosquitto would let in `name` at its next start."""
        return f"\n{name}:" in "\n" + (self.settings.broker_folder / PASSWORDS).read_text("utf-8")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Give an installation with a Mosquitto elsewhere: nothing proves a reload but its command."""
    settings = Settings(data=tmp_path, mqtt=MqttSettings(url="mqtt://broker.invalid:1883", reload_command="true"))
    with open_ledger(settings.ledger_path) as file:
        yield Place(settings, file)


def test_a_broker_that_cannot_be_told_does_not_end_the_gateway(place: Place) -> None:
    """Before the first subscription a failing reload is a problem that is told, and the files shut devices out."""
    place.registrar.add_device(NewDevice("dev-one"))
    doorman = Doorman(place.with_reload("false").settings, place.file)
    doorman.shut_before_first()
    assert doorman.problem == "The reload command ended with code 1."
    assert not place.lists("dev-one")


def test_a_broker_that_was_not_told_is_told_again(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reload is tried until it works; devices are let in at the subscription and not before."""
    monkeypatch.setattr("app.gateway_process._TRY_AGAIN_S", 0.05)
    place.registrar.add_device(NewDevice("dev-one"))
    doorman = Doorman(place.with_reload(f"cat {tmp_path / 'runs'}").settings, place.file)
    doorman.shut_before_first()
    assert doorman.problem is not None
    stop = threading.Event()
    thread = threading.Thread(target=doorman.run, args=(stop,))
    thread.start()
    try:
        (tmp_path / "runs").touch()
        until(lambda: doorman.problem is None, "Mosquitto is told")
        assert not place.lists("dev-one")
        doorman.knock()
        until(lambda: place.lists("dev-one"), "the device is let in")
    finally:
        stop.set()
        thread.join()


def test_who_registers_before_the_first_subscription_is_told(place: Place) -> None:
    """Adding and revoking say when devices are let in."""
    words = "let in when the gateway has subscribed for the first time"
    assert words in (place.registrar.add_device(NewDevice("dev-one")).notice or "")
    assert words in (place.registrar.revoke_device("dev-one") or "")


def test_who_registers_without_a_reload_command_is_told(place: Place) -> None:
    """The files are written, and the notice says what is left to do."""
    broker.account(place.settings)
    broker.note_subscription(place.settings)
    assert place.registrar.add_device(NewDevice("dev-one")).notice is None
    notice = place.with_reload("").registrar.revoke_device("dev-one")
    assert notice is not None
    assert "Mosquitto was not told: set CONSTANTES_MQTT__RELOAD_COMMAND" in notice
    assert not place.lists("dev-one")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_reload_on_this_machine_needs_a_proof(place: Place, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """A command that ends well is not believed where the witness can knock."""
    monkeypatch.setattr("gateway.broker.mosquitto._RELOAD_S", 0.1)
    mqtt = place.settings.mqtt.model_copy(update={"url": f"mqtt://{host}:{free_port()}"})
    with pytest.raises(ReloadNotSeen, match="did not use the new accounts"):
        broker.gate(place.settings.model_copy(update={"mqtt": mqtt})).admit([])
