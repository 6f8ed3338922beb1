"""What only Mosquitto does: its client ids, its reload command, the values of its configuration."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.broker.faults import ListNotWritten, ReloadNotSeen
from gateway.broker.mosquitto import PASSWORDS, MosquittoGate
from scripts.probes.brokers import Account, Site, free_port, until
from scripts.services.mosquitto import SHIPPED
from tests.support.servers import mosquitto_site


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Site]:
    """Give a Mosquitto with the shipped configuration."""
    with mosquitto_site(tmp_path / "broker") as site:
        yield site


@pytest.mark.services
def test_the_client_id_is_the_account_whatever_is_asked(running: Site) -> None:
    """Even who knows the gateway's client id cannot take over its connection or its queue."""
    gateway, thief = running.gateway(), Account("dev-thief")
    running.gate.admit([thief.user])
    robber = running.device(thief, client_id=running.credentials.client_id)
    assert robber.connect(running.address) == 0
    robber.publish("constantes/v1/up/dev-thief/state", b"here")
    until(lambda: gateway.payloads() == [b"here"], "the gateway still hears")
    assert gateway.cuts == 0


@pytest.mark.services
def test_a_forbidden_publish_does_not_cut_the_device(running: Site) -> None:
    """A device that is cut would repeat the message at each connection and never get to its readings."""
    running.gateway()
    account = Account("dev-one")
    running.gate.admit([account.user])
    device = running.device(account)
    device.connect(running.address)
    device.publish("constantes/v1/up/dev-other/reading", b"forbidden")
    device.publish("constantes/v1/up/dev-one/reading", b"own")
    assert device.cuts == 0


@pytest.mark.parametrize(
    ("command", "words"),
    [(["false"], "ended with code 1"), (["/nonexistent/reload"], "FileNotFoundError")],
)
def test_a_reload_command_that_fails_is_told(tmp_path: Path, command: list[str], words: str) -> None:
    """The list is on disk, and the error says so and what to do."""
    with pytest.raises(ReloadNotSeen, match=f"{words}.* is on disk"):
        MosquittoGate(tmp_path, command).admit([Account("dev-one").user])
    assert "dev-one:" in (tmp_path / PASSWORDS).read_text()


def test_a_disk_that_takes_no_passwords_is_told(tmp_path: Path) -> None:
    """Whatever keeps the accounts from the disk is one fault for a person, not the system's error."""
    (tmp_path / PASSWORDS).mkdir()
    with pytest.raises(ListNotWritten, match="could not be written"):
        MosquittoGate(tmp_path, ["true"]).admit([])


def test_a_reload_that_nobody_saw_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that ends well proves nothing when the witness is not let in."""
    monkeypatch.setattr("gateway.broker.mosquitto._RELOAD_S", 0.1)
    with pytest.raises(ReloadNotSeen, match="did not use the new accounts"):
        MosquittoGate(tmp_path, ["true"], ("127.0.0.1", free_port())).admit([])


@pytest.mark.parametrize(
    "line",
    [
        "allow_anonymous false",
        "listener 1883 127.0.0.1",
        "use_username_as_clientid true",
        "retain_available false",
        "max_packet_size 8388608",
        "persistence true",
    ],
)
def test_the_shipped_configuration_has_a_reason_above_each_setting(line: str) -> None:
    """Every setting that the guarantees rest on is there, below a comment that says why."""
    blocks = [block.splitlines() for block in SHIPPED.read_text("utf-8").split("\n\n")]
    block = next(lines for lines in blocks if line in lines)
    assert block[0].startswith("# ")
