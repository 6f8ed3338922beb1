"""The one instance of a data folder: its lock, and the Unix socket that commands reach it by.

Comes in: the data folder. Goes out: a held lock, a listening socket, the socket's path. Refuses to know: what is
said over it.

A Unix socket's path may have about 107 bytes (unix(7); 103 on macOS). In a folder with a longer name the socket lies
in the user's runtime folder, or in a private one below the folder for temporary files, and ``api.sock.path`` says
where.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import Self

from app.parts import CannotStart

SOCKET, ELSEWHERE, LOCK = "api.sock", "api.sock.path", "instance.lock"
_LONGEST = 100
_BACKLOG = 128


class InstanceLock:
    """The data folder's lock: whoever holds it serves the API, and nobody else does."""

    def __init__(self, data: Path) -> None:
        """Make the folder if it is not there; raises CannotStart when it cannot be written."""
        try:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(data / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CannotStart(
                f"The data folder {data} cannot be written: {error.strerror}. Nothing was changed. "
                "Give this user write access to it, or name another folder with CONSTANTES_DATA."
            ) from None

    def take(self) -> bool:
        """Whether the lock is ours now; does not wait."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Give the lock back."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def socket_path(data: Path) -> Path:
    """Where the folder's socket is, or would be."""
    near = data.resolve() / SOCKET
    if len(os.fsencode(near)) <= _LONGEST:
        return near
    try:
        return Path((data / ELSEWHERE).read_text("utf-8"))
    except FileNotFoundError:
        return near


def listen(data: Path) -> socket.socket:
    """Listen on the folder's socket, which only this user can open; the caller holds the folder's lock.

    Raises CannotStart when a private place for it cannot be had.
    """
    path = _place(data)
    path.unlink(missing_ok=True)  # left behind by an instance that was killed: its lock is ours
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
    finally:
        os.umask(before)
    listening.listen(_BACKLOG)
    return listening


def _place(data: Path) -> Path:
    near = data.resolve() / SOCKET
    if len(os.fsencode(near)) <= _LONGEST:
        return near
    name = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:16]
    far = _private_folder() / f"{name}.sock"
    (data / ELSEWHERE).write_text(str(far), "utf-8")
    return far


def _private_folder() -> Path:
    """A folder with a short name that only this user can look into."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(runtime or tempfile.gettempdir()) / f"constantes-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise CannotStart(
            f"{folder} exists and is not a private folder of this user. Nothing was started. "
            "Remove it, or name a data folder with a shorter path with CONSTANTES_DATA."
        )
    return folder
