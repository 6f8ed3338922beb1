"""The doctor at real brokers: what it finds with default settings, and that it leaves nothing behind."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest

from app.doctor.broker_file import by_text
from app.doctor.visitor import Broken
from gateway.broker.embedded_gate import EmbeddedGate
from gateway.broker.knock import knock
from scripts.probes.brokers import Account, Client, Site, embedded, free_port, until
from scripts.services import mosquitto

Ask = Callable[..., Any]
services = pytest.mark.services


@contextmanager
def stranger(folder: Path, *lines: str) -> Iterator[int]:
    """Run a Mosquitto with these lines and nothing else; gives its port."""
    if words := mosquitto.missing():
        pytest.skip(words)
    port = free_port()
    file = folder / "stranger.conf"
    file.write_text("\n".join((f"listener {port} 127.0.0.1", *lines, "")))
    command = [mosquitto.program(), "-c", str(file)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: knock(("127.0.0.1", port), "x", "x") is not None, "it answers")
            yield port
        finally:
            process.terminate()


@contextmanager
def shipped(folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str]) -> Iterator[mosquitto.Server]:
    """Run Mosquitto with the shipped configuration after a change to its text, as an installation's broker."""
    if words := mosquitto.missing():
        pytest.skip(words)
    changed = folder / "shipped.conf"
    changed.write_text(change(mosquitto.SHIPPED.read_text("utf-8")))
    monkeypatch.setattr(mosquitto, "SHIPPED", changed)
    with mosquitto.running(folder / "data") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


def without(*names: str) -> Callable[[str], str]:
    """Leave out the lines that set these."""
    return lambda text: "\n".join(line for line in text.splitlines() if line.split(" ")[0] not in names) + "\n"


@services
def test_the_queue_limit_of_a_default_mosquitto_is_found(tmp_path: Path, ask: Ask) -> None:
    """Of 1,200 acknowledged messages 1,000 come back; the window of 20 and the open door are told too."""
    with stranger(tmp_path, "allow_anonymous true") as port:
        told = ask("broker", MQTT__URL=f"mqtt://127.0.0.1:{port}")
    assert told.code == 1
    assert told.bad == {"broker.anonymous", "broker.queue_short", "broker.window_small", "broker.retains"}
    assert "Of 1200 messages" in told.words("broker.queue_short")
    assert "kept 1000 only" in told.words("broker.queue_short")
    assert "leaves 20 messages" in told.words("broker.window_small")
    assert "broker.persistence_unseen" in told.codes


@services
@pytest.mark.parametrize("is_interrupted", [False, True])
def test_nothing_of_it_stays_at_the_broker(
    is_interrupted: bool,  # noqa: FBT001 - a case
    tmp_path: Path,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No session, no subscription, no retained message: Mosquitto's own counts are what they were."""
    if is_interrupted:
        monkeypatch.setattr("app.doctor.probes.Probes._queue", refusing)
    with stranger(tmp_path, "allow_anonymous true", "sys_interval 1") as port:
        watcher = Client("watcher", "", "watcher")
        watcher.connect(("127.0.0.1", port))
        watcher.subscribe("$SYS/broker/#")
        before = counted(watcher)
        told = ask("broker", MQTT__URL=f"mqtt://127.0.0.1:{port}")
        assert ("broker.interrupted" in told.codes) is is_interrupted
        assert counted(watcher) == before
        watcher.leave()


def refusing(_: object) -> None:
    """A broker that no longer plays along, in the midst of it."""
    raise Broken


def counted(watcher: Client) -> dict[str, bytes]:
    """What Mosquitto says that it holds, once it has said so twice more."""
    heard = [message.topic for message in watcher.received].count("$SYS/broker/uptime")
    until(lambda: [each.topic for each in watcher.received].count("$SYS/broker/uptime") > heard + 2, "it says so")
    newest = {message.topic.removeprefix("$SYS/broker/"): bytes(message.payload) for message in watcher.received}
    return {name: newest[name] for name in ("clients/total", "subscriptions/count", "retained messages/count")}


@services
def test_the_shipped_configuration_is_clean(tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the note that a refused publish is acknowledged, which no setting changes."""
    with shipped(tmp_path, monkeypatch, str) as server:
        before = [(server.accounts / name).read_text() for name in ("passwords", "acl")]
        told = ask("broker")
        after = [(server.accounts / name).read_text() for name in ("passwords", "acl")]
    assert (told.code, told.codes) == (0, {"broker.denied_acknowledged"})
    assert after == before, "its accounts are gone with the look"


@services
@pytest.mark.parametrize(
    ("left_out", "code"),
    [
        ("max_queued_messages", "broker.queue_short"),
        ("max_inflight_messages", "broker.window_small"),
        ("use_username_as_clientid", "broker.takeover"),
        ("retain_available", "broker.retains"),
        ("persistence", "broker.not_persistent"),
        ("autosave_interval", "broker.saves_seldom"),
        ("acl_file", "broker.rights_open"),
    ],
)
def test_each_line_left_out_of_the_shipped_configuration_is_found(
    left_out: str, code: str, tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, one finding, and no other."""
    with shipped(tmp_path, monkeypatch, without(left_out)):
        assert ask("broker").bad == {code}


@services
def test_a_packet_limit_below_the_contract_is_found(tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message of 1,000,000 bytes has to pass."""
    with shipped(tmp_path, monkeypatch, lambda text: text.replace("8388608", "500000")):
        assert ask("broker").bad == {"broker.too_small"}


@services
def test_a_session_that_expires_at_once_is_found(tmp_path: Path, ask: Ask) -> None:
    """A broker that forgets who is away loses all that comes meanwhile; here one that restarts between."""
    with stranger(tmp_path, "allow_anonymous true") as port, Forgetful(port) as forgetful:
        told = ask("broker", MQTT__URL=f"mqtt://127.0.0.1:{forgetful.port}")
    assert "broker.session_lost" in told.bad


@services
def test_what_waits_for_the_gateway_is_not_touched(tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that is away finds its session and its messages; one that is there is not thrown out."""
    with shipped(tmp_path, monkeypatch, str) as server:
        check_gateway_untouched(Site(server.address, server.gate, server.credentials, server.kill), ask)


def test_the_embedded_broker_is_clean_and_left_as_it_was(data: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes only; its configuration, and what waits for the gateway, are what they were."""
    with embedded(data / "broker") as site:
        monkeypatch.setenv("CONSTANTES_BROKER__PORT", str(site.address[1]))
        before = json.loads((data / "broker" / "broker.json").read_text())
        told = ask("broker")
        assert (told.code, told.bad) == (0, set())
        assert told.codes == {"broker.denied_acknowledged", "broker.takeover_ours", "broker.retains_ours"}
        assert json.loads((data / "broker" / "broker.json").read_text()) == before
        check_gateway_untouched(site, ask)


def check_gateway_untouched(site: Site, ask: Ask) -> None:
    """Ask while the gateway is away and again while it is there; it gets exactly what a device sent."""
    gateway = site.gateway(acks=False)
    device = Account("bp-0001")
    site.gate.admit([device.user])
    sender = site.device(device)
    assert sender.connect(site.address) == 0
    gateway.leave()
    sender.publish("constantes/v1/up/bp-0001/reading", b"one")
    assert ask("broker").bad == set()
    own = site.credentials
    again = Client(own.username, own.secret, own.client_id, clean=False)
    assert again.connect(site.address) == 0
    until(lambda: again.payloads() == [b"one"], "the message that waited", 20.0)
    assert ask("broker").bad == set()
    assert again.cuts == 0
    assert again.payloads() == [b"one"], "nothing of the doctor's reaches the gateway"
    assert sender.cuts == 0, "devices stay connected"
    again.leave()


def test_devices_that_are_shut_out_stay_out(data: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the gateway's first subscription a device would be acknowledged for nothing: the look opens no door."""
    with embedded(data / "broker") as site:
        device = Account("bp-0001")
        EmbeddedGate(data / "broker").admit([device.user])
        monkeypatch.setenv("CONSTANTES_BROKER__PORT", str(site.address[1]))
        assert not site.is_let_in(device)
        assert ask("broker").bad == set()
        assert not site.is_let_in(device)


def test_a_broker_that_is_not_there_is_told(ask: Ask) -> None:
    """The embedded one by a note, for nothing runs; another one as an error."""
    port = str(free_port())
    assert ask("broker", BROKER__PORT=port).codes == {"broker.not_running"}
    told = ask("broker", MQTT__URL=f"mqtt://127.0.0.1:{port}")
    assert (told.code, told.codes) == (1, {"broker.unreachable"})


def test_a_broker_that_never_answers_is_told_in_time(ask: Ask) -> None:
    """It takes the line and says nothing: told as not there, within seconds."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        begun = time.monotonic()
        told = ask("broker", MQTT__URL=f"mqtt://127.0.0.1:{door.getsockname()[1]}")
    assert told.codes == {"broker.unreachable"}
    assert time.monotonic() - begun < 10.0


@services
def test_without_a_reload_command_the_broker_is_not_tried(
    tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway's own account is never used for trying: a clean connection of it would delete its queue."""
    with shipped(tmp_path, monkeypatch, str):
        monkeypatch.delenv("CONSTANTES_MQTT__RELOAD_COMMAND")
        assert ask("broker").bad == {"broker.no_account"}


@services
def test_a_reload_that_does_nothing_is_found(tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account is written, and is not let in; the files are what they were afterwards."""
    with shipped(tmp_path, monkeypatch, str) as server:
        before = (server.accounts / "passwords").read_text()
        assert ask("broker", MQTT__RELOAD_COMMAND="true").bad == {"broker.reload_not_seen"}
        assert (server.accounts / "passwords").read_text() == before


def test_what_a_configuration_says_of_keeping() -> None:
    """Absent is Mosquitto's default: not kept, saved every half an hour; of two lines the later holds."""
    path = Path("x.conf")
    codes = [
        [finding.code for finding in by_text(text, path)]
        for text in (
            "",
            "persistence true\n",
            "persistence true\nautosave_interval 5\n",
            "persistence true\nautosave_interval 0\n",
            "persistence true\nautosave_interval 5\npersistence false\n",
        )
    ]
    assert codes == [
        ["broker.not_persistent"],
        ["broker.saves_seldom"],
        [],
        ["broker.saves_seldom"],
        ["broker.not_persistent"],
    ]


class Forgetful:
    """Passes bytes on to a broker and makes every session a clean one."""

    def __init__(self, port: int) -> None:
        self._far = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._lines: list[socket.socket] = [self._door]

    def __enter__(self) -> Self:
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for line in self._lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                far = socket.create_connection(("127.0.0.1", self._far))
                self._lines += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(*ends, ends[0] is near), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket, up: bool) -> None:  # noqa: FBT001 - which way
        first = up
        with suppress(OSError):
            while data := one.recv(65536):
                if first:  # CONNECT: its flags stand behind MQTT's name and level (MQTT 3.1.1, section 3.1.2)
                    at = data.index(b"MQTT") + 5
                    data = data[:at] + bytes([data[at] | 2]) + data[at + 1 :]
                    first = False
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
