"""Finds the nats-server of a folder among the machine's processes.

In: the folder. Out: a process id that is certainly it, its API's port, or None. Refuses to know: who started
it.

A number in a file proves nothing: the process may be gone and its number given to another. What the kernel
says of the process (program, arguments) decides.
"""

import json
import os
import time
from pathlib import Path

CONFIGURATION = "broker.json"
PID_FILE = "broker.pid"

_PROC = Path("/proc")


def running_broker(folder: Path) -> int | None:
    """Return the process id of the nats-server that runs with this folder's configuration."""
    try:
        pid = int((folder / PID_FILE).read_text("ascii"))
        program = (_PROC / str(pid) / "exe").readlink()
        arguments = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    configuration = os.fsencode(folder.resolve() / CONFIGURATION)
    return pid if program.name.startswith("nats-server") and configuration in arguments else None


def has_no_room(folder: Path, pid: int, patience_s: float) -> bool:
    """Say whether that process made its file of ports so long ago, and could not write into it: a full disk."""
    try:
        told = (folder / f"nats-server_{pid}.ports").stat()
    except OSError:
        return False
    return told.st_size == 0 and time.time() - told.st_mtime > patience_s


def api_port(folder: Path, pid: int) -> int | None:
    """Return the loopback port of the JetStream API of that process; None until it has told."""
    try:
        told = json.loads((folder / f"nats-server_{pid}.ports").read_text("utf-8"))
        return int(told["nats"][0].rpartition(":")[2])
    except (OSError, ValueError):  # written by nats-server a moment after it opens its ports
        return None
