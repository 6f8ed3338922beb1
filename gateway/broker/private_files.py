"""Files that only this user may read, written whole or not at all; and the lock of a folder's writers.

In: a path and a text. Out: a file of mode 0600 that survives a power cut and is never seen half written.
Refuses to know: what the text means.
"""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

_LOCK_NAME = "accounts.lock"
_PAUSE_S = 0.02


def write_private(path: Path, text: str) -> None:
    """Put `text` in the place of `path`; whoever reads finds the old text or the new one."""
    draft = _draft(path, text)
    draft.replace(path)
    _sync_folder(path.parent)


def create_private(path: Path, text: str) -> str:
    """Return the text of `path`, which is made with `text` unless it exists: of several makers one wins."""
    if not path.exists():
        draft = _draft(path, text)
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
        _sync_folder(path.parent)
    return path.read_text("utf-8")


@contextlib.contextmanager
def folder_lock(folder: Path, patience_s: float) -> Iterator[None]:
    """Hold the folder's lock, across threads and processes; `TimeoutError` after `patience_s` seconds."""
    private_folder(folder)
    opened = os.open(folder / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(opened, time.monotonic() + patience_s)
        yield
    finally:
        os.close(opened)  # and with it the lock


def private_folder(folder: Path) -> None:
    """Make `folder`, and what is above it, unless it exists."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _lock(opened: int, end: float) -> None:
    while True:
        try:
            return fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise TimeoutError("the lock of the broker's folder is held by another process") from None
            time.sleep(_PAUSE_S)


def _draft(path: Path, text: str) -> Path:
    private_folder(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
