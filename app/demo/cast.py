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
from pathlib import Path

from app.client import Api
from app.demo.evidence import outbox, receipts
from app.demo.scenario import FAMILY, Player, Scenario
from simulators.devices.kinds import eui64_of
from simulators.devices.tally import Manner
from simulators.simulate import Report, Simulation, run

_BEFORE = timedelta(minutes=5)
"""An assignment begins before the first reading: meters tell whole seconds."""


@dataclass(frozen=True, slots=True)
class Cast:
    """``patients`` are the ids of the scenario's people, in their order; ``token`` is a reading client's."""

    patients: tuple[str, ...]
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
    secrets = {player.device: _device(api, player, patients[player.person]) for player in scenario.players}
    client = api.post("/clients", {"client": "demo", "scopes": ["system/*.rs"]})
    return Cast(patients, secrets, client["token"])


def _device(api: Api, player: Player, patient: str) -> str:
    made = api.post("/devices", {
        "device": player.device, "method": player.method, "simulated": True,
        "eui64": eui64_of(player.device) if player.has_eui64 else None,
    })  # fmt: skip
    start = (datetime.now(UTC) - _BEFORE).isoformat(timespec="seconds")
    api.post("/assignments", {"device": player.device, "patient": patient, "start": start})
    return str(made["secret"])


@contextmanager
def performing(scenario: Scenario, cast: Cast, mqtt: str, folder: Path) -> Iterator[Sequence[Future[Report]]]:
    """Let every device play; those still at it are stopped at the end of the block."""
    stop = threading.Event()
    with ThreadPoolExecutor(len(scenario.players)) as threads:
        try:
            yield [
                threads.submit(run, _simulation(player, scenario, cast, mqtt, folder), stop)
                for player in scenario.players
            ]
        finally:
            stop.set()


def _simulation(player: Player, scenario: Scenario, cast: Cast, mqtt: str, folder: Path) -> Simulation:
    return Simulation(
        kind=player.kind, url=mqtt, device=player.device, secret=cast.secrets[player.device], rate=player.rate,
        count=player.count, seed=player.seed, faults=player.faults, outbox=outbox(folder, player.device),
        deadline_s=scenario.lasts_s + scenario.patience_s, eui64="auto" if player.has_eui64 else None,
        awaits_record=True,
        manner=Manner(reconnect_s=player.away_s, receipts_log=receipts(folder, player.device)),
    )  # fmt: skip
