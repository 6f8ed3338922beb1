"""Starts, watches and stops the nats-server that `constantes up` brings along.

In: a folder, a port, limits. Out: a broker that is up, limited and safe to publish to; or one `BrokerFault`
that says why not. Refuses to know: who the devices are (they lie in the folder, see `embedded_gate`), when to
start again.

    checks (program, orphan, port) ─▶ leash ─▶ nats-server ─▶ lets the gateway in ─▶ store tended

The supervising loop calls `start` from its main thread, then `wait` in turns; when that returns an exit code
it calls `start` again, and when `is_stuck` says so it calls `stop` and `start`. Devices are let in only when
the store shows that the gateway has subscribed.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

from gateway.broker import leash
from gateway.broker.credentials import gateway_account, steward_account
from gateway.broker.embedded_gate import doors
from gateway.broker.faults import KEPT_BY_DEVICES, BrokerDidNotStart, BrokerFault, OrphanFound, PortBusy
from gateway.broker.jetstream import store_is_stuck, tend_store
from gateway.broker.knock import ACCEPTED, knock
from gateway.broker.nats_config import LOOPBACK, Endpoints, Limits, render
from gateway.broker.nats_process import CONFIGURATION, api_port, has_no_room, running_broker
from gateway.broker.pinned import nats_server
from gateway.broker.private_files import folder_lock, write_private

_COMPLAINT = "broker.stderr"
_PAUSE_S = 0.02
_WRITING_S = 2.0  # of a file of one line
_DYING_S = 2.0  # a broker whose supervisor was just killed is being killed too
_NOTHING_CHANGED = f"Nothing was started. {KEPT_BY_DEVICES}"


class EmbeddedBroker:
    """One nats-server of one folder. Made by the process that supervises it; not shared between threads."""

    def __init__(self, folder: Path, mqtt_port: int, limits: Limits | None = None, patience_s: float = 30.0) -> None:
        self._at = Endpoints(folder.resolve(), mqtt_port)
        self._limits = limits or Limits()
        self._patience_s = patience_s
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port for MQTT."""
        return LOOPBACK, self._at.mqtt_port

    @property
    def pid(self) -> int | None:
        """The process id of the running broker, None when there is none."""
        return self._process.pid if self._process and self.poll() is None else None

    def start(self) -> None:
        """Start the broker and return when it may be published to.

        Called from the main thread only: the kernel ends the broker with the thread that started it. Raises
        `OrphanFound`, `PortBusy`, `BinaryRefused`, `BrokerDidNotStart` or `StoreRefused`; nothing runs then.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("the broker ends with its starting thread: call start from the main thread")
        program = nats_server()
        try:
            with folder_lock(self._at.folder, self._patience_s):
                self._refuse_company()
                self._write_configuration()
                self._process = self._spawn(program)
                self._tend(self._wait_until_open(self._process))
        except BrokerFault:
            self.stop()
            raise
        except OSError as failed:  # the lock's `TimeoutError` too
            self.stop()
            raise self._did_not_start(f"could not be prepared: {failed.strerror or failed}") from failed

    def poll(self) -> int | None:
        """Return None while the broker runs, then its exit code (negative: the signal that ended it)."""
        return self._process.poll() if self._process else None

    def wait(self, timeout_s: float) -> int | None:
        """Wait for the broker's end for at most `timeout_s` seconds; return what `poll` would."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s) if self._process else None
        return None

    def stop(self, deadline_s: float = 10.0) -> int | None:
        """End the broker, by force after `deadline_s` seconds; return its exit code, None if none was."""
        if self._process is None:
            return None
        self._process.send_signal(signal.SIGTERM)
        if self.wait(deadline_s) is None:
            self._process.kill()
        return self._process.wait()

    def is_stuck(self) -> bool:
        """Say whether a failed write (a full disk) has stopped the store for good: stop and start, with room.

        Asked every few seconds by the supervising loop. `StoreRefused` when the broker does not answer.
        """
        port = api_port(self._at.folder, self.pid or 0)
        return port is not None and store_is_stuck(port, steward_account(self._at.folder).secret)

    def _refuse_company(self) -> None:
        end = time.monotonic() + _DYING_S
        while orphan := running_broker(self._at.folder):
            if time.monotonic() > end:
                raise OrphanFound(
                    f"A broker of this folder is still running, as process {orphan}.",
                    _NOTHING_CHANGED,
                    f"If no other `constantes up` uses this folder: `kill {orphan}`, then start again.",
                )
            time.sleep(_PAUSE_S)
        if not _is_free(self.address):
            raise PortBusy(
                f"Another program already listens on port {self._at.mqtt_port} of {LOOPBACK}.",
                _NOTHING_CHANGED,
                "End that program, or set CONSTANTES_BROKER__PORT to a free port.",
            )

    def _write_configuration(self) -> None:
        for stale in self._at.folder.glob("nats-server_*.ports"):  # left behind by a killed broker
            stale.unlink()
        admitted, _ = doors(self._at.folder)
        write_private(self._at.folder / CONFIGURATION, render(self._at, self._limits, admitted))

    def _spawn(self, program: Path) -> subprocess.Popen[bytes]:
        configuration = str(self._at.folder / CONFIGURATION)
        command = [sys.executable, leash.__file__, str(os.getpid()), str(program), "-c", configuration]
        with _private_output(self._at.folder / _COMPLAINT) as complaint:
            # A session of its own: Ctrl-C at the terminal reaches the gateway, which stops the broker last.
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=complaint,
                stderr=complaint,
                start_new_session=True,
            )

    def _wait_until_open(self, process: subprocess.Popen[bytes]) -> int:
        """Return the port of the JetStream API."""
        gateway = gateway_account(self._at.folder)
        end = time.monotonic() + self._patience_s
        while True:
            port = api_port(self._at.folder, process.pid)
            if port is not None and knock(self.address, gateway.username, gateway.secret) == ACCEPTED:
                return port
            if process.poll() is not None:
                raise self._did_not_start(f"ended with code {process.returncode}: {self._complaint()}")
            if has_no_room(self._at.folder, process.pid, _WRITING_S):
                raise self._did_not_start("could not write down its ports")
            if time.monotonic() > end:
                raise self._did_not_start(f"did not answer within {self._patience_s:.0f} s")
            time.sleep(_PAUSE_S)

    def _tend(self, port: int) -> None:
        secret = steward_account(self._at.folder).secret
        tend_store(port, secret, self._limits, gateway_account(self._at.folder).client_id)

    def _complaint(self) -> str:
        lines = (self._at.folder / _COMPLAINT).read_text("utf-8", errors="replace").splitlines()
        return lines[-1] if lines else "it gave no reason"

    def _did_not_start(self, how: str) -> BrokerDidNotStart:
        return BrokerDidNotStart(
            f"The embedded broker {how}.",
            KEPT_BY_DEVICES,
            f"Look at broker.log and {_COMPLAINT} in {self._at.folder}, see that the disk has room.",
        )


def _is_free(address: tuple[str, int]) -> bool:
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as nats-server does
        try:
            door.bind(address)
        except OSError:
            return False
    return True


def _private_output(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
