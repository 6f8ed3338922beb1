"""The demonstration from its first line to its exit code.

Comes in: whether to end by itself. Goes out: 0 when everything shown was checked and holds, else 1; 130 when it was
stopped before. Refuses to know: how any scene is made.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

from app.client import Api, connected
from app.demo import morning, story
from app.demo.asked import NotTold, ask
from app.demo.cast import Cast, register
from app.demo.checks import Facts, findings
from app.demo.contents import Sent
from app.demo.finding import Finding
from app.demo.folder import DATA, TOKEN, fresh
from app.demo.scenario import MORNING, Scenario
from app.demo.stage import Stage, stage
from gateway.broker.private_files import write_private

_HELLO = "A morning on Reunion island: {rooms} rooms, {devices} devices, {people} test patients, a record to write to."
_TURN_S = 0.5
_GONE_S = 5.0
_INTERRUPTED = 130  # what a shell expects of a program that SIGINT ended


Shape: TypeAlias = Callable[[Path], AbstractContextManager[Stage]]
"""Starts an installation and a record in an empty folder, and ends both with its block."""


def play(*, once: bool, scenario: Scenario = MORNING, folder: Path = Path("demo-output"), shape: Shape = stage) -> int:
    """Play the morning; without ``once`` everything stays up until Ctrl-C. Raises CannotStart or ClientFault.

    ``shape`` is what it is played on: on embedded defaults, unless another is given.
    """
    began = time.monotonic()
    with _stopped_by_signals():
        try:
            results = _whole(scenario, fresh(folder), shape, once=once)
        except KeyboardInterrupt:
            _say("", "Stopped. Everything that was started has ended.")
            return _INTERRUPTED
        except NotTold as why:
            _say(f"NOT ok  {why}")
            return 1
    wrong = sum(result.problem is not None for result in results)
    sum_ = f"{wrong} of {len(results)} checks fail" if wrong else f"All {len(results)} checks hold"
    _say("", f"{sum_}. {time.monotonic() - began:.0f} s.")
    return 1 if wrong else 0


def _whole(scenario: Scenario, folder: Path, shape: Shape, *, once: bool) -> list[Finding]:
    _say(_HELLO.format(rooms=len(scenario.rooms), devices=len(scenario.players), people=len(scenario.people)))
    _say(*(f"  room {number}: {room.title}" for number, room in enumerate(scenario.rooms, 1)))
    began = time.monotonic()
    with shape(folder.resolve()) as running:
        _say(f"Everything is up after {time.monotonic() - began:.1f} s. Data, log and files to open: {folder}/", "")
        with connected(running.settings) as api:
            cast = register(api, scenario)
            results = _shown(scenario, running, cast, api, folder)
        last = [] if once else [_stay(running, cast, folder)]
        processes = running.processes()
    last.append(_ended(processes))
    _say(*(f"  {result.line}" for result in last))
    return [*results, *last]


def _shown(scenario: Scenario, running: Stage, cast: Cast, api: Api, folder: Path) -> list[Finding]:
    """Play, tell, check."""
    played = morning.play(scenario, running, cast, api)
    told = ask(api, f"{running.http}/fhir", cast.token, cast.patients, running.record)
    _scene("The ledger's balance", story.balance(told, folder))
    _scene("What a client pulls", story.pulled(told, cast.patients[0], folder))
    _scene("The ECG on paper", story.ecg(told, folder))
    _scene("The fundus, as it left the camera", story.fundus(told, folder))
    _scene("The numbers of one person", story.together(scenario, played.accounts))
    _scene("The way of one reading, and of one that was set aside", story.traces(api, played.accounts))
    results = findings(Facts(played.accounts, told, played.whose, Sent.of(played.reports), played.cut))
    _scene("Checks", (result.line for result in results))
    return results


def _stay(running: Stage, cast: Cast, folder: Path) -> Finding:
    """Until Ctrl-C, or until something ends by itself."""
    write_private(folder / TOKEN, f"Authorization: Bearer {cast.token}\n")
    _scene("It stays up until Ctrl-C", (
        f"API              {running.http}/docs",
        f"FHIR             {running.http}/fhir/metadata",
        f"devices          {running.mqtt}",
        f"try              curl -H @{folder / TOKEN} \\",
        f"                   '{running.http}/fhir/Observation?patient={cast.patients[0]}'",
        f"and              CONSTANTES_DATA={folder / DATA} {_program()} device list",
    ))  # fmt: skip
    what = "everything stayed up until it was asked to end"
    try:
        while running.runs:
            time.sleep(_TURN_S)
    except KeyboardInterrupt:
        return Finding(what)
    return Finding(
        what, "a part ended by itself", f"What was stored is safe. The words of all parts are in {running.log}."
    )


def _program() -> str:
    """The command beside this Python, as one would type it here."""
    path = Path(sys.executable).with_name("constantes")
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _ended(processes: Mapping[str, int]) -> Finding:
    """Whether everything that was started has ended."""
    end = time.monotonic() + _GONE_S
    while (left := [name for name, pid in processes.items() if _lives(pid)]) and time.monotonic() < end:
        time.sleep(_TURN_S / 10)
    what = f"no process is left of {len(processes)}: {', '.join(processes)}"
    ids = ", ".join(f"{name} {processes[name]}" for name in left)
    return Finding(what, f"{ids} still run" if left else None, "End them by their process ids.")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM end it once; further ones do not disturb the ending."""
    wanted = (signal.SIGINT, signal.SIGTERM)

    def stop(*_: object) -> None:
        for number in wanted:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = [signal.signal(number, stop) for number in wanted]
    try:
        yield
    finally:
        for number, handler in zip(wanted, before, strict=True):
            signal.signal(number, handler)


def _scene(title: str, lines: Iterable[str]) -> None:
    _say("", title, *(f"  {line}" for line in lines))


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
