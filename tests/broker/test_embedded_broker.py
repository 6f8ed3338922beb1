"""The embedded broker: a real nats-server, started, stopped, killed and reloaded."""

import os
import shutil
import signal
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.broker import pinned
from gateway.broker.credentials import gateway_account, gateway_credentials, steward_account
from gateway.broker.embedded import EmbeddedBroker
from gateway.broker.embedded_gate import EmbeddedGate
from gateway.broker.faults import BinaryRefused, ListNotWritten, OrphanFound, PortBusy, ReloadNotSeen, StoreRefused
from gateway.broker.jetstream import tend_store
from gateway.broker.nats_config import Limits
from gateway.broker.nats_process import PID_FILE, api_port, running_broker
from gateway.broker.nats_store import has_subscription
from gateway.broker.private_files import folder_lock
from scripts.probes.brokers import Account, Client, Site, free_port, until


def _site(broker: EmbeddedBroker, folder: Path) -> Site:
    return Site(broker.address, EmbeddedGate(folder), gateway_credentials(folder), broker.start)


def _pid(broker: EmbeddedBroker) -> int:
    pid = broker.pid
    assert pid is not None
    return pid


def test_devices_wait_outside_until_the_gateway_has_subscribed(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """A list given too early is kept, and holds from the first call after the subscription."""
    site, device = _site(broker, tmp_path / "broker"), Account("dev-one")
    site.gate.admit([device.user])
    assert not site.is_let_in(device)
    site.gateway()
    site.gate.admit([device.user])
    assert site.is_let_in(device)
    site.close()


def test_a_restart_keeps_users_and_waiting_messages(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """After a kill the same devices are let in at once, and what was acknowledged still waits."""
    site, device = _site(broker, tmp_path / "broker"), Account("dev-one")
    gateway = site.gateway()
    site.gate.admit([device.user])
    gateway.leave()
    client = site.device(device)
    client.connect(site.address)
    client.publish("constantes/v1/up/dev-one/reading", b"waits")
    os.kill(_pid(broker), signal.SIGKILL)
    assert broker.wait(5) == -signal.SIGKILL
    assert broker.pid is None
    broker.start()
    assert site.is_let_in(device)
    again = site.gateway()
    until(lambda: again.payloads() == [b"waits"], "the waiting message")
    site.close()


def test_a_store_that_vanished_shuts_devices_out_again(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """Without its store the broker keeps nothing for the gateway, so nobody may publish yet."""
    site, device = _site(broker, tmp_path / "broker"), Account("dev-one")
    site.gateway()
    site.gate.admit([device.user])
    site.close()
    broker.stop()
    shutil.rmtree(tmp_path / "broker" / "store")
    broker.start()
    assert not site.is_let_in(device)
    site.gateway()
    site.gate.admit([device.user])
    assert site.is_let_in(device)
    site.close()


def test_a_list_given_while_nothing_runs_holds_at_the_next_start(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """Adding and revoking devices needs no running broker."""
    site, device = _site(broker, tmp_path / "broker"), Account("dev-one")
    site.gateway()
    site.close()
    broker.stop()
    site.gate.admit([device.user])
    broker.start()
    assert site.is_let_in(device)


def test_the_session_of_a_lost_gateway_keeps_nothing(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """When the gateway's credentials are made anew, the old client id's queue is removed at the next start."""
    folder = tmp_path / "broker"
    site = _site(broker, folder)
    site.gateway()
    site.close()
    broker.stop()
    old = gateway_credentials(folder).client_id
    (folder / "gateway.json").unlink()
    broker.start()
    assert not has_subscription(folder / "store", old)
    assert not has_subscription(folder / "store", gateway_credentials(folder).client_id)


def test_an_older_session_gets_the_present_window(
    broker: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session made under another configuration is brought up to the present one, once."""
    folder = tmp_path / "broker"
    broker.stop()
    monkeypatch.setattr("gateway.broker.nats_config.WINDOW", 1500)
    broker.start()
    _site(broker, folder).gateway().leave()
    port = api_port(folder, _pid(broker))
    assert port is not None
    secret, client_id = steward_account(folder).secret, gateway_account(folder).client_id
    assert tend_store(port, secret, Limits(), client_id).refreshed > 0
    assert tend_store(port, secret, Limits(), client_id).refreshed == 0


def test_the_api_tells_a_wrong_secret(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """The store's limits are set by the steward only, and a refusal is one sentence."""
    port = api_port(tmp_path / "broker", _pid(broker))
    assert port is not None
    with pytest.raises(StoreRefused, match=r"[Aa]uthorization"):
        tend_store(port, "wrong", Limits(), "nobody")


def test_a_folder_with_accents_and_spaces_is_a_folder(tmp_path: Path) -> None:
    """The broker starts, and reads other accounts, in a data folder of any name."""
    folder = tmp_path / "d é à 2"
    broker = EmbeddedBroker(folder, free_port())
    broker.start()
    try:
        site, device = _site(broker, folder), Account("dev-one")
        site.gateway()
        site.gate.admit([device.user])
        assert site.is_let_in(device)
        site.close()
    finally:
        broker.stop()


def test_a_disk_that_takes_no_list_is_told(tmp_path: Path) -> None:
    """Whatever keeps the accounts from the disk is one fault for a person, not the system's error."""
    (tmp_path / "accounts.json").mkdir()
    with pytest.raises(ListNotWritten, match=r"could not be written: .* disk of the data folder has room"):
        EmbeddedGate(tmp_path).admit([])


def test_two_callers_at_once_do_not_mix_their_lists(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """Whoever comes last wins whole, and each call sees its own reload."""
    site = _site(broker, tmp_path / "broker")
    site.gateway()
    accounts = [Account(f"dev-{number:02}") for number in range(6)]
    with ThreadPoolExecutor() as callers:
        list(callers.map(lambda account: EmbeddedGate(tmp_path / "broker").admit([account.user]), accounts))
    assert sum(map(site.is_let_in, accounts)) == 1
    site.close()


def test_a_broker_that_does_not_follow_is_told(
    broker: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that sleeps through the signal makes the call fail, with the list on disk."""
    monkeypatch.setattr("gateway.broker.embedded_gate._RELOAD_S", 0.3)
    monkeypatch.setattr("gateway.broker.knock.knock.__defaults__", (0.1,))
    gate, pid = EmbeddedGate(tmp_path / "broker"), _pid(broker)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(ReloadNotSeen, match="were written"):
            gate.admit([])
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_busy_port_is_refused_in_plain_words(tmp_path: Path) -> None:
    """Nothing is started where another program listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        late = EmbeddedBroker(tmp_path, other.getsockname()[1])
        with pytest.raises(PortBusy, match=r"Another program already listens .* CONSTANTES_BROKER__PORT"):
            late.start()
        assert late.pid is None


def test_a_second_broker_of_the_folder_is_refused(
    broker: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that still runs is named, not joined."""
    monkeypatch.setattr("gateway.broker.embedded._DYING_S", 0.1)
    with pytest.raises(OrphanFound, match=f"kill {broker.pid}"):
        EmbeddedBroker(tmp_path / "broker", free_port()).start()


def test_a_program_of_other_bytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the nats-server whose behaviour was measured is started."""
    monkeypatch.setattr(pinned, "SHA256", dict.fromkeys(pinned.SHA256, "0" * 64))
    broker = EmbeddedBroker(tmp_path, free_port())
    with pytest.raises(BinaryRefused, match="SHA-256"):
        broker.start()


def test_start_is_refused_outside_the_main_thread(tmp_path: Path) -> None:
    """The kernel would end the broker together with the thread."""
    caught: list[RuntimeError] = []

    def run() -> None:
        try:
            EmbeddedBroker(tmp_path, free_port()).start()
        except RuntimeError as refused:
            caught.append(refused)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert len(caught) == 1


def test_a_process_number_in_a_file_proves_nothing(tmp_path: Path) -> None:
    """A living process that is not this folder's nats-server is never signalled."""
    (tmp_path / PID_FILE).write_text(str(os.getpid()))
    assert running_broker(tmp_path) is None
    EmbeddedGate(tmp_path).admit([])


def test_the_lock_of_the_folder_is_waited_for_no_longer_than_said(tmp_path: Path) -> None:
    """A second holder gives up, and comes in once the first has left."""
    with folder_lock(tmp_path, 0.1), pytest.raises(TimeoutError), folder_lock(tmp_path, 0.05):
        pass
    with folder_lock(tmp_path, 0.1):
        pass


def test_secrets_are_not_in_the_configuration_or_the_command_line(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """The broker's files hold hashes, and its command line names a file."""
    folder = tmp_path / "broker"
    secrets = (gateway_account(folder).secret, steward_account(folder).secret)
    told = (folder / "broker.json").read_text() + Path(f"/proc/{broker.pid}/cmdline").read_text()
    assert not any(secret in told for secret in secrets)
    assert {path.stat().st_mode & 0o077 for path in folder.iterdir()} == {0}


@pytest.mark.parametrize("megabytes", [1.2, 7])
def test_a_message_over_the_contracts_limit_reaches_the_gateway(
    broker: EmbeddedBroker, tmp_path: Path, megabytes: float
) -> None:
    """The gateway, not a cut connection, answers a device that sends too much."""
    site, device = _site(broker, tmp_path / "broker"), Account("dev-one")
    gateway = site.gateway()
    site.gate.admit([device.user])
    client: Client = site.device(device)
    client.connect(site.address)
    client.publish("constantes/v1/up/dev-one/reading", bytes(int(megabytes * 1e6)))
    until(lambda: [len(m.payload) for m in gateway.received] == [int(megabytes * 1e6)], "the large message")
    site.close()


def test_a_child_that_ends_at_once_is_told_with_its_own_words(tmp_path: Path) -> None:
    """A store that cannot be opened stops the start, and leaves no process."""
    folder = tmp_path / "broker"
    folder.mkdir()
    (folder / "store").write_text("a file where a folder should be")
    broker = EmbeddedBroker(folder, free_port())
    with pytest.raises(Exception, match="ended with code"):
        broker.start()
    assert subprocess.run(["pgrep", "-f", str(folder)], check=False, stdout=subprocess.PIPE).stdout == b""
