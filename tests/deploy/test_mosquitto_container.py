"""Mosquitto as the container runs it: the same values as on a host, TLS for all, and accounts read again by itself."""

import contextlib
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import broker
from app.setting_parts import MqttSettings
from app.settings import Settings, WrongSetting, load
from deploy.shape import BROKER, broker_configuration
from gateway.broker.credentials import gateway_credentials
from gateway.broker.faults import ReloadNotSeen
from gateway.broker.knock import ACCEPTED, knock
from gateway.broker.mosquitto import MosquittoGate, Reload
from scripts.probes.brokers import Account, free_port
from scripts.services import mosquitto

REFUSED = 5
PATH = "/usr/bin:/bin:/usr/sbin:/usr/local/sbin"
PLACES = {"user", "listener", "certfile", "keyfile", "tls_version", "persistence_location", "pid_file"}
"""What has to differ between a host and a container."""
WORDS = {"log_dest", "log_type", "connection_messages"}
"""What a host's Mosquitto leaves to its package's defaults."""


def test_host_and_container_have_the_same_values(mosquitto_settings: dict[str, dict[str, list[str]]]) -> None:
    """Every setting that decides what is kept and who may do what is the same in both files."""
    host, container = (
        {k: v for k, v in each.items() if k not in PLACES | WORDS} for each in mosquitto_settings.values()
    )
    assert host == container
    assert host["allow_anonymous"] == ["false"]


def test_no_secret_crosses_a_network_in_the_clear(mosquitto_settings: dict[str, dict[str, list[str]]]) -> None:
    """The container's listeners are TLS 1.2 or newer, or its own loopback; the host's is loopback."""
    assert mosquitto_settings["compose.conf"]["listener"] == ["8883", "1883 127.0.0.1"]
    assert mosquitto_settings["compose.conf"]["tls_version"] == ["tlsv1.2"]
    assert mosquitto_settings["constantes.conf"]["listener"] == ["1883 127.0.0.1"]


@dataclass
class Container:
    """The container's Mosquitto as a process: its files are those of the container, its places are not."""

    folder: Path
    tls: int
    plain: int
    process: subprocess.Popen[str]

    @property
    def settings(self) -> Settings:
        """What an installation beside it would be told."""
        url = f"mqtts://localhost:{self.tls}"
        mqtt = MqttSettings(url=url, ca_file=self.folder / "secrets" / "broker_ca", reloads_itself=True)
        return Settings(data=self.folder / "data", mqtt=mqtt)

    @property
    def trust(self) -> ssl.SSLContext:
        """What a device trusts that was given the authority's certificate."""
        return ssl.create_default_context(cafile=self.folder / "secrets" / "broker_ca")

    def code(self, name: str, secret: str) -> int | None:
        """What it answers to an account."""
        return knock(("localhost", self.tls), name, secret, tls=self.trust)


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    """Give a started container that waits for its accounts."""
    if words := mosquitto.missing():
        pytest.skip(words)
    tls, plain = free_port(), free_port()
    make = [str(BROKER.parent / "make-secrets"), "--any-user", "--folder", str(tmp_path / "secrets")]
    subprocess.run(make, check=True, capture_output=True)
    text = broker_configuration(tmp_path, tmp_path / "data", tmp_path / "secrets", tls, plain)
    (tmp_path / "mosquitto.conf").write_text(text)
    process = subprocess.Popen(
        ["/bin/sh", str(BROKER / "start"), str(tmp_path / "mosquitto.conf")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={"PATH": PATH},
    )  # fmt: skip
    with process:
        try:
            yield Container(tmp_path, tls, plain, process)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)


@pytest.mark.services
def test_it_follows_its_accounts(container: Container) -> None:
    """It starts once the gateway has written them, and lets in and shuts out whoever they say, without a signal."""
    gate, account = broker.gate(container.settings), Account("dev-one")
    assert container.process.stdout
    assert "Waiting for it" in container.process.stdout.readline()
    gate.admit(())
    own = gateway_credentials(container.settings.broker_folder)
    assert container.code(own.username, own.secret) == ACCEPTED
    assert container.code("dev-one", account.secret) == REFUSED
    gate.admit([account.user])
    assert container.code("dev-one", account.secret) == ACCEPTED
    gate.admit(())
    assert container.code("dev-one", account.secret) == REFUSED
    assert knock(("127.0.0.1", container.plain), "health", "none") == REFUSED


@pytest.mark.services
def test_it_ends_when_asked(container: Container) -> None:
    """SIGTERM ends it within seconds, with what waits saved, both while it waits and while it runs."""
    broker.gate(container.settings).admit(())
    began = time.monotonic()
    container.process.send_signal(signal.SIGTERM)
    assert container.process.wait(10) == 0
    assert time.monotonic() - began < 10
    assert (container.settings.broker_folder / "queue" / "mosquitto.db").exists()


@pytest.mark.services
def test_it_ends_when_asked_before_it_has_begun(container: Container) -> None:
    """SIGTERM ends it while it waits for the accounts."""
    assert container.process.stdout
    container.process.stdout.readline()
    container.process.send_signal(signal.SIGTERM)
    assert container.process.wait(10) == 0


@pytest.mark.services
def test_the_certificate_is_looked_at(container: Container) -> None:
    """A secret is not shown to a broker whose certificate is somebody else's, or for another name."""
    broker.gate(container.settings).admit(())
    own = gateway_credentials(container.settings.broker_folder)
    assert container.code(own.username, own.secret) == ACCEPTED
    address = ("localhost", container.tls)
    assert knock(address, own.username, own.secret, tls=ssl.create_default_context()) is None
    assert knock(("127.0.0.2", container.tls), own.username, own.secret, tls=container.trust) is None


def test_a_broker_that_does_not_follow_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a command nothing is believed either: the witness has to be let in."""
    monkeypatch.setattr("gateway.broker.mosquitto._RELOAD_S", 0.1)
    gate = MosquittoGate(tmp_path, Reload(by_itself=True, address=("127.0.0.1", free_port())))
    with pytest.raises(ReloadNotSeen, match="did not use the new accounts"):
        gate.admit([Account("dev-one").user])


def test_what_cannot_be_proven_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A broker elsewhere without TLS cannot be asked with a secret, so it may not be said to reload by itself."""
    monkeypatch.setenv("CONSTANTES_MQTT__RELOADS_ITSELF", "yes")
    for url, good in (("mqtt://broker.invalid", False), ("mqtts://broker.invalid", True), ("mqtt://127.0.0.1", True)):
        monkeypatch.setenv("CONSTANTES_MQTT__URL", url)
        with contextlib.nullcontext() if good else pytest.raises(WrongSetting, match="RELOADS_ITSELF"):
            assert broker.can_reload(load(tmp_path / "none"))


def test_a_wrong_authority_is_named(tmp_path: Path) -> None:
    """A file that holds no certificate stops whoever needs it, by the setting's name."""
    (tmp_path / "ca").write_text("no certificate")
    mqtt = MqttSettings(url="mqtts://broker.invalid", ca_file=tmp_path / "ca", reloads_itself=True)
    with pytest.raises(WrongSetting, match="CONSTANTES_MQTT__CA_FILE"):
        broker.gate(Settings(data=tmp_path, mqtt=mqtt))


def test_the_start_is_for_any_shell() -> None:
    """The script that starts it needs nothing but a POSIX shell, which the image has."""
    text = (BROKER / "start").read_text()
    assert text.startswith("#!/bin/sh\n")
    assert subprocess.run(["/bin/sh", "-n", str(BROKER / "start")], check=False).returncode == 0
    assert "[[" not in text
