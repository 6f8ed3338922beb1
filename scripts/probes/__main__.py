"""Holds both brokers against what the project expects of one: `python -m scripts.probes`.

In: nothing; Mosquitto is left out where it is not installed. Out: one table, and exit 1 when the embedded broker
fails an expectation. Mosquitto's column is for comparison. Takes about a minute; the outcome of one run is in
docs/explanations/decisions/0001-embedded-broker.md.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TypeAlias

from rich.console import Console
from rich.table import Table

from gateway.broker.nats_config import Limits
from scripts.probes.brokers import Site, embedded, free_port, mosquitto, until
from scripts.probes.expectations import EXPECTATIONS, Finding, full_store
from scripts.services.process import ServiceFailed, ServiceMissing

Opened: TypeAlias = Callable[[Path], AbstractContextManager[Site]]

_NOT_ASKED = None
_SMALL_STORE = Limits(store=32 * 1024**2)
_SUPERVISOR = """
import sys, time
from pathlib import Path
from gateway.broker.embedded import EmbeddedBroker
broker = EmbeddedBroker(Path(sys.argv[1]), int(sys.argv[2]))
broker.start()
print(broker.pid, flush=True)
time.sleep(60)
"""


def main() -> int:
    """Ask everything, print the table, return the exit code."""
    table = Table("expectation", "embedded", "", "Mosquitto", "")
    failed = 0
    for name, ask in EXPECTATIONS:
        ours, theirs = _asked(embedded, ask), _asked(mosquitto, ask)
        failed += _row(table, name, ours, theirs)
    small = partial(embedded, limits=_SMALL_STORE)
    failed += _row(table, "a full store", _asked(small, full_store), _NOT_ASKED)
    failed += _row(table, "kill -9 of the supervisor leaves no broker", _no_orphan(), _NOT_ASKED)
    Console(width=None if sys.stdout.isatty() else 170).print(table)
    return 1 if failed else 0


def _asked(opened: Opened, ask: Callable[[Site], Finding]) -> Finding | None:
    with tempfile.TemporaryDirectory(prefix="probe-") as folder:
        try:
            with opened(Path(folder) / "broker") as site:
                return ask(site)
        except ServiceMissing:
            return _NOT_ASKED
        except (ServiceFailed, TimeoutError, OSError, RuntimeError) as failed:
            return Finding(met=False, figure=str(failed))


def _no_orphan() -> Finding:
    with tempfile.TemporaryDirectory(prefix="probe-") as folder:
        command = [sys.executable, "-c", _SUPERVISOR, folder, str(free_port())]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as supervisor:
            pid = int(supervisor.stdout.readline() if supervisor.stdout else 0)
            began = time.monotonic()
            os.kill(supervisor.pid, signal.SIGKILL)
            try:
                until(lambda: not _runs(pid), "the broker's end")
            except TimeoutError as failed:
                os.kill(pid, signal.SIGKILL)
                return Finding(met=False, figure=str(failed))
            return Finding(met=True, figure=f"ended within {(time.monotonic() - began) * 1000:.0f} ms")


def _runs(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text("ascii")  # a zombie only waits for its parent
    except FileNotFoundError:
        return False


def _row(table: Table, name: str, ours: Finding | None, theirs: Finding | None) -> bool:
    """Add a row; return whether the embedded broker failed."""
    table.add_row(name, *_cells(ours), *_cells(theirs))
    return not (ours and ours.met)


def _cells(finding: Finding | None) -> tuple[str, str]:
    if finding is None:
        return "-", ""
    return "ok" if finding.met else "NO", finding.figure


if __name__ == "__main__":
    sys.exit(main())
