"""Faults of the embedded broker: its supervisor is killed, its disk is full."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.broker.credentials import gateway_credentials
from gateway.broker.embedded import EmbeddedBroker
from gateway.broker.embedded_gate import EmbeddedGate
from scripts.probes.brokers import Account, Site, free_port, until

SUPERVISOR = """
import sys, time
from pathlib import Path
from gateway.broker.embedded import EmbeddedBroker
broker = EmbeddedBroker(Path(sys.argv[1]), int(sys.argv[2]))
broker.start()
print(broker.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.faults
def test_no_broker_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    """A supervisor ended by kill -9 leaves no nats-server, and the next start finds folder and port free."""
    port = free_port()
    command = [sys.executable, "-c", SUPERVISOR, str(tmp_path), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as supervisor:
        assert supervisor.stdout is not None
        broker = int(supervisor.stdout.readline())
        assert Path(f"/proc/{broker}").exists()
        os.kill(supervisor.pid, signal.SIGKILL)
    again = EmbeddedBroker(tmp_path, port)
    again.start()
    until(lambda: not _runs(broker), "the broker has ended")
    again.stop()


@pytest.mark.faults
def test_a_full_disk_stops_publishers_until_a_restart_and_loses_nothing(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """After a failed write nobody gets a PUBACK, the gateway drains what it was promised, a restart mends it."""
    folder, account = tmp_path / "broker", Account("dev-one")
    site = Site(broker.address, EmbeddedGate(folder), gateway_credentials(folder), broker.start)
    site.gateway().leave()
    site.gate.admit([account.user])
    assert not broker.is_stuck()
    _limit_file_size(broker, 1_000_000)
    client = site.device(account)
    client.connect(site.address)
    sent = [f"{number:03}".encode().ljust(100_000, b".") for number in range(20)]
    taken = client.publish_all("constantes/v1/up/dev-one/reading", sent, 2)
    assert 0 < len(taken) < len(sent)
    until(broker.is_stuck, "the store says so")
    gateway = site.gateway()
    until(lambda: set(taken) <= set(gateway.payloads()), "every PUBACKed message")
    _limit_file_size(broker, resource.RLIM_INFINITY)
    assert broker.is_stuck()
    broker.stop()
    broker.start()
    assert not broker.is_stuck()
    again = site.device(account)
    again.connect(site.address)
    assert len(again.publish_all("constantes/v1/up/dev-one/reading", sent)) == len(sent)
    site.close()


def _limit_file_size(broker: EmbeddedBroker, size: int) -> None:
    """Make writes beyond `size` bytes of a file fail, as on a full disk."""
    pid = broker.pid
    assert pid is not None
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _runs(pid: int) -> bool:
    """Say whether a process is more than an entry that waits for its parent."""
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
