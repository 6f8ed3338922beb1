"""Becomes a service, under another user if asked, tied to the life of its parent; run as a script, never imported.

In: `leash.py PARENT_PID UID:GID PROGRAM ARGUMENT...` (`-` for UID:GID keeps the user). Out: the same process, now
running PROGRAM, which the kernel kills when the parent dies, however it dies. Refuses to know: what the program is.

The order matters: the kernel forgets the parent-death signal when the user changes, so the user is changed first.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>; kept across exec, cleared by a change of user
_PRIVATE = 0o077


def main(parent: int, user: str, command: list[str]) -> None:
    """Tie this process to `parent` and replace it by `command`; return only if the parent is gone."""
    if user != "-":
        uid, gid = map(int, user.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it died before the line above: no signal will ever come
        return
    os.umask(_PRIVATE)
    os.execv(command[0], command)  # noqa: S606 (exec of a verified path is this script's purpose)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
