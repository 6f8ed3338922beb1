"""The cast: people and devices are registered as an operator would, then the devices play, a thread each.

Comes in: a scenario, the API. Goes out: what the registration gave; running devices, and their reports. Refuses to
know: what becomes of the readings.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path

from app.client import Api
from app.demo.evidence import outbox, receipts
from app.demo.scenario import FAMILY, GRID, Act, Player, Scenario
from app.demo.typed import recording
from simulators.devices.kinds import KINDS, eui64_of
from simulators.devices.tally import Manner
from simulators.simulate import Report, Simulation, run

_BEFORE = timedelta(minutes=5)
"""The first assignment begins before the first reading: meters tell whole seconds."""
_AFTER_S = 0.2
"""So long after the patient has changed, the device measures the next one."""


@dataclass(frozen=True, slots=True)
class Cast:
    """``patients`` are the ids of the scenario's people, in their order; ``token`` is a reading client's.

    ``began`` is second 0 of the scenario.
    """

    patients: tuple[str, ...]
    began: datetime
    secrets: Mapping[str, str] = field(repr=False)
    token: str = field(repr=False)


def register(api: Api, scenario: Scenario) -> Cast:
    """Register everybody, and one client that may read everything; raises ClientFault."""
    patients = tuple(
        api.post("/patients", {
            "family": FAMILY, "given": [person.given], "birth_date": person.birth_date, "gender": person.gender,
            "identifiers": list(person.identifiers), "test": True,
        })["patient"]
        for person in scenario.people
    )  # fmt: skip
    secrets = {player.device: _device(api, player, scenario) for player in scenario.players}
    client = api.post("/clients", {"client": "demo", "scopes": ["system/*.rs"]})
    began = datetime.now(UTC)
    for player in scenario.players:
        _assign(api, player, patients, began)
    return Cast(patients, began, secrets, client["token"])


def _device(api: Api, player: Player, scenario: Scenario) -> str:
    made = api.post("/devices", {
        "device": player.device, "method": KINDS[player.kind].method, "site": scenario.rooms[player.room].place,
        "simulated": True, "eui64": eui64_of(player.device) if player.has_eui64 else None,
    })  # fmt: skip
    return str(made["secret"])


def _assign(api: Api, player: Player, patients: Sequence[str], began: datetime) -> None:
    """The device for each of its people, until the next one's turn."""
    turns = [began - _BEFORE, *(_turn(act, began) for act in player.acts[1:])]
    for act, start, end in zip_longest(player.acts, turns, turns[1:]):
        api.post("/assignments", {
            "device": player.device, "patient": patients[act.person], "start": start.isoformat(),
            "end": end.isoformat() if end else None,
        })  # fmt: skip


def _turn(act: Act, began: datetime) -> datetime:
    return began + timedelta(seconds=act.begins_s)


@contextmanager
def performing(scenario: Scenario, cast: Cast, mqtt: str, folder: Path) -> Iterator[Sequence[Future[list[Report]]]]:
    """Let every device play; those still at it are stopped at the end of the block."""
    stop = threading.Event()

    def play(player: Player) -> list[Report]:
        return list(_acts(player, scenario, cast, mqtt, folder, stop))

    with ThreadPoolExecutor(len(scenario.players)) as threads:
        try:
            yield [threads.submit(play, player) for player in scenario.players]
        finally:
            stop.set()


def _acts(
    player: Player, scenario: Scenario, cast: Cast, mqtt: str, folder: Path, stop: threading.Event
) -> Iterator[Report]:
    for act in player.acts:
        waits_s = (_turn(act, cast.began) - datetime.now(UTC)).total_seconds() + _AFTER_S
        if act.begins_s:
            stop.wait(max(waits_s, 0))
        yield run(_simulation(player, act, scenario, cast, mqtt, folder), stop)


def _simulation(player: Player, act: Act, scenario: Scenario, cast: Cast, mqtt: str, folder: Path) -> Simulation:
    person = scenario.people[act.person]
    return Simulation(
        kind=player.kind, url=mqtt, device=player.device, secret=cast.secrets[player.device], rate=act.rate,
        count=act.count, seed=player.seed, person=person.body, faults=player.faults,
        outbox=outbox(folder, player.device), deadline_s=act.count / act.rate + scenario.patience_s,
        eui64="auto" if player.has_eui64 else None, awaits_record=True, settings=act.settings,
        recording=recording(person, folder) if player.kind == "ecg" and "mode" in act.settings else None,
        manner=Manner(part=GRID, reconnect_s=player.away_s, receipts_log=receipts(folder, player.device)),
    )  # fmt: skip
