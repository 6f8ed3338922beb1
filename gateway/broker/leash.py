"""Becomes the broker, tied to the life of its supervisor; run as a script, never imported.

In: `leash.py SUPERVISOR_PID PROGRAM ARGUMENT...`. Out: the same process, now running PROGRAM, which the
kernel kills when the supervisor dies, however it dies. Refuses to know: what the program is.

A broker that outlived its supervisor would keep the port, and the next start would talk to it unawares.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>; kept across exec, cleared for a set-user-id program
_PRIVATE = 0o077  # files 0600, folders 0700, whatever the program asks for


def main(supervisor: int, command: list[str]) -> None:
    """Tie this process to `supervisor` and replace it by `command`; return only if the supervisor is gone."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != supervisor:  # it died before the line above: no signal will ever come
        return
    os.umask(_PRIVATE)
    os.execv(command[0], command)  # noqa: S606 (exec of a verified path is this script's purpose)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
