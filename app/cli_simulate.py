"""``constantes simulate``: finds or makes the devices' credentials, then lets the simulators run.

Comes in: what was asked on the command line. Goes out: a report a device. Refuses to know: how a device behaves.

A device that is not registered is registered as a simulated one; its secret lies in the data folder below
``simulators``, with its outbox. The simulators themselves know nothing of this installation: they get an address, a
name and a secret.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.cli_output import fail, notice, session
from app.client import Api, ApiRefused
from app.settings import Settings, load, secret_of
from gateway.broker.private_files import private_folder, write_private
from simulators.devices.kinds import KINDS
from simulators.faults import parse
from simulators.simulate import Report, Silence, Simulation, UnknownKindError, run_all

_PATIENCE_S = 60.0
"""How long after the last reading is due a run without --deadline waits for answers."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The command's words; ``count`` None measures until stopped."""

    kinds: tuple[str, ...]
    device: str | None
    rate: float
    count: int | None
    seed: int
    faults: tuple[str, ...]
    secret_file: Path | None
    url: str | None
    deadline: float | None


def play(asked: Asked) -> list[Report]:
    """Run a device of each kind; raises UnknownKindError or UnknownFaultError before anything is registered."""
    if not set(asked.kinds) <= set(KINDS):
        raise UnknownKindError(f"There is no simulator for this kind. Possible are: {', '.join(KINDS)}.")
    for fault in asked.faults:
        parse(fault)
    names = _names(asked)
    settings = load()
    secrets = _secrets(asked, settings, names)
    folder = settings.data / "simulators"
    private_folder(folder)
    plans = [
        Simulation(
            kind=kind, url=asked.url or settings.mqtt_url, device=name, secret=secrets[name], rate=asked.rate,
            count=asked.count, seed=asked.seed + place, person=asked.seed + person, faults=asked.faults,
            outbox=folder / f"{name}.outbox", deadline_s=asked.deadline or _longest(asked),
        )
        for place, (name, kind, person) in enumerate(_people(names))
    ]  # fmt: skip
    return run_all(plans, _said_once())


def without_patient(reports: Sequence[Report]) -> dict[str, int]:
    """Device to readings that nobody can be given, for devices that are assigned to nobody."""
    found: dict[str, int] = {}
    with session(new=True) as (api, _):
        waiting = {item["device"]: int(item["readings"]) for item in api.get("/inbox")["items"]}
        for report in reports:
            # The office looks at a reading a moment after its receipt: what was stored just now may not wait there yet.
            count = max(waiting.get(report.device, 0), report.tally.verdicts["stored"])
            if count and not api.get("/assignments", device=report.device)["items"]:
                found[report.device] = count
    return found


def _longest(asked: Asked) -> float | None:
    """Seconds for the whole run: until the last reading is due, and time for its answer; None runs until stopped."""
    return None if asked.count is None else asked.count / asked.rate + _PATIENCE_S


def _said_once() -> Silence:
    """A sentence on standard error the first time a device reaches no broker."""
    first = threading.Lock()

    def silence(url: str, problem: str) -> None:
        if not first.acquire(blocking=False):
            return
        if "refused the connection" in problem:
            happened = f"The broker at {url} does not let the device in."
            remedy = "Give its secret with --secret-file, or see `constantes device show`."
        else:
            happened = f"No broker answers at {url}."
            remedy = "Start `constantes up`, or name another with --url."
        notice(f"{happened} The readings are kept. {remedy}")

    return silence


def _names(asked: Asked) -> dict[str, str]:
    """Device id to kind: one device of each kind that was named, or more when it was named again."""
    if asked.device is not None and len(asked.kinds) > 1:
        fail("--device names one device, and several kinds were given. Give one kind, or leave it out.", code=2)
    if asked.secret_file is not None and asked.device is None:
        fail("--secret-file goes with --device: a secret belongs to one device.", code=2)
    if asked.device is not None:
        return {asked.device: asked.kinds[0]}
    names: dict[str, str] = {}
    for kind in asked.kinds:
        number = sum(known == kind for known in names.values()) + 1
        names[f"sim-{kind}-{number}"] = kind
    return names


def _people(names: dict[str, str]) -> Iterator[tuple[str, str, int]]:
    """Device, kind, and whom it measures: one person has one device of each kind, the next of a kind is another's."""
    worn: Counter[str] = Counter()
    for name, kind in names.items():
        yield name, kind, worn[kind]
        worn[kind] += 1


def _secrets(asked: Asked, settings: Settings, names: dict[str, str]) -> dict[str, str]:
    if asked.secret_file is not None:
        return {name: secret_of(asked.secret_file, "--secret-file") for name in names}
    kept = {name: settings.data / "simulators" / f"{name}.secret" for name in names}
    missing = [name for name, path in kept.items() if not path.exists()]
    if missing:
        with session(new=True) as (api, _):
            for name in missing:
                write_private(kept[name], _register(api, name, names[name]))
    return {name: secret_of(path, f"the secret of {name}") for name, path in kept.items()}


def _register(api: Api, name: str, kind: str) -> str:
    body = {"device": name, "method": KINDS[kind].method, "simulated": True}
    try:
        made = api.post("/devices", body)
    except ApiRefused as refused:
        if refused.code != "device.exists":
            raise
        fail(
            f"The device {name} is registered and its secret is not in the data folder. Nothing was changed. "
            f"Give the secret with --secret-file, or a new one with `constantes device rotate {name}`."
        )
    notice(made["notice"])
    return str(made["secret"])
