"""What a part of the installation is while it runs: one per folder, ended by signals, seen by its status.

Comes in: a data folder, a part's name. Goes out: its lock, its stop event. Refuses to know: what the part does.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GATEWAY = "gateway"
OFFICE = ("inspect", "export", "project", "api")
"""What runs beside the gateway: together, or each as a process of its own."""


class CannotStart(Exception):  # noqa: N818 - it names what was found, and is caught by that name
    """A part cannot be started here; the text says what happened, what is safe and what to do."""


@contextmanager
def only_one(data: Path, part: str) -> Iterator[None]:
    """Hold the lock of a part of this folder; raises CannotStart when another process holds it or nobody can.

    Two gateways of one folder would take turns in throwing each other out of the broker.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(data / f"{part}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotStart(
            f"The data folder {data} cannot be written: {error.strerror}. Nothing was started. "
            "Give this user write access to it, or name another folder with CONSTANTES_DATA."
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise CannotStart(
            f"Constantes already runs on {data} ({part}). Nothing was started and nothing was changed. "
            "Stop that one first, or name another folder with CONSTANTES_DATA."
        ) from None
    try:
        yield
    finally:
        os.close(file)


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set; called from the main thread."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
