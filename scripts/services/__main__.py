"""Real servers for the desk and for scripts: `python -m scripts.services NAME... [-- COMMAND...]`.

In: names of services and perhaps a command. Out: the services on free ports with temporary folders. Without a command
it prints the project's settings that lead to them, one `NAME=value` a line and `# ready` as the last, and stays until
Ctrl-C, SIGTERM or the end of its parent; with one it runs it with those settings and ends with its exit code.
Refuses to know: what they are used for.
"""

import argparse
import contextlib
import ctypes
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import FrameType
from typing import Final, NoReturn, Protocol

from scripts.services import hapi, influx, mosquitto, postgres
from scripts.services.process import ServiceFailed, ServiceMissing

_PR_SET_PDEATHSIG: Final = 1  # <sys/prctl.h>


class Service(Protocol):
    """What every service tells."""

    @property
    def environment(self) -> dict[str, str]:
        """The project's settings that lead to it."""


SERVICES: Final[Mapping[str, Callable[[], AbstractContextManager[Service]]]] = {
    "postgres": postgres.running,
    "mosquitto": mosquitto.running,
    "influxdb": influx.running,
    "hapi": hapi.running,
}


def main(arguments: list[str]) -> int:
    """Run what the command line names; see the module's own words."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(prog="python -m scripts.services", description=__doc__.partition("\n")[0])
    parser.add_argument("services", nargs="+", choices=SERVICES, metavar="NAME", help=", ".join(SERVICES))
    names, command = parser.parse_args(arguments[:at]).services, arguments[at + 1 :]
    _end_with_parent()
    try:
        with contextlib.ExitStack() as stack:
            found: dict[str, str] = {}
            for name in dict.fromkeys(names):
                found |= stack.enter_context(SERVICES[name]()).environment
            return _run(command, found) if command else _stay(found)
    except (ServiceMissing, ServiceFailed) as fault:
        sys.stderr.write(f"Nothing runs: {fault}\n")
        return 1


def _stay(settings: Mapping[str, str]) -> int:
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in settings.items()]
    sys.stdout.write("".join([*lines, "# ready\n"]))
    sys.stdout.flush()
    while True:
        signal.pause()


def _run(command: list[str], settings: Mapping[str, str]) -> int:
    with subprocess.Popen(command, env={**os.environ, **settings}) as process:
        try:
            return process.wait()
        finally:
            process.terminate()


def _end_with_parent() -> None:
    """SIGTERM, also when the parent dies, and Ctrl-C unwind the stack: each service ends and its folder goes."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        _leave(signal.SIGTERM, None)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    for again in (signal.SIGTERM, signal.SIGINT):  # once is enough: the next one would interrupt the tidying
        signal.signal(again, signal.SIG_IGN)
    sys.exit(0 if number == signal.SIGINT else 128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
