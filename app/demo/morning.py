"""The morning itself: the devices play, the table shows how it stands, the record begins to misbehave.

Comes in: a stage, a registered cast. Goes out: what each device wrote down, and how its run went. Refuses to know: what
the checks will say.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from app.client import Api
from app.demo.cast import Cast, performing
from app.demo.evidence import Account, account
from app.demo.scenario import Scenario
from app.demo.stage import Stage
from app.demo.table import Board, Moment
from simulators.simulate import Report

_TURN_S = 0.5
_STILL_S = 4.0
"""So long nothing changes although everything is stored and delivered, and no more receipts will come."""


@dataclass(frozen=True, slots=True)
class Played:
    """``whose`` is the patient on whom each reading was made; ``reports`` are those of all runs."""

    accounts: Sequence[Account]
    whose: Mapping[str, str]
    reports: Sequence[Report]

    @property
    def cut(self) -> frozenset[str]:
        """The devices whose line was cut."""
        return frozenset(report.device for report in self.reports if report.tally.cuts)


def play(scenario: Scenario, running: Stage, cast: Cast, api: Api) -> Played:
    """Let the devices play to their end, showing how it stands; raises ClientFault when the installation is gone."""
    folder = running.data / "simulators"
    folder.mkdir(mode=0o700)
    with performing(scenario, cast, running.mqtt, folder) as playing, Board(scenario) as board:
        _watch(scenario, running, api, folder, playing, board)
    accounts = [account(folder, player.device) for player in scenario.players]
    whose = {
        reading: cast.patients[player.person(made.seq)]
        for player, found in zip(scenario.players, accounts, strict=True)
        for reading, made in found.made.items()
    }
    return Played(accounts, whose, [report for one in playing for report in one.result()])


def _watch(
    scenario: Scenario, running: Stage, api: Api, folder: Path, playing: Sequence[Future[list[Report]]], board: Board
) -> None:
    began = changed = time.monotonic()
    before, fails = None, False
    while True:
        at_s = time.monotonic() - began
        over = all(one.done() for one in playing)
        if scenario.record_faults and at_s >= scenario.record_fails_at_s and not fails:
            fails = True
            running.record.misbehave(scenario.record_faults)
            board.say(f"{at_s:4.0f} s  the record begins to misbehave: it stores, and cuts the line without an answer")
        moment = _moment(scenario, folder, api, at_s)
        board.show(moment)
        if moment.accounts != before:
            before, changed = moment.accounts, time.monotonic()
        if over or (time.monotonic() - changed > _STILL_S and _settled(scenario, moment, api)):
            return
        time.sleep(_TURN_S)


def _moment(scenario: Scenario, folder: Path, api: Api, at_s: float) -> Moment:
    online = {str(one["device"]): bool(one["online"]) for one in api.get("/devices")["items"]}
    return Moment([account(folder, player.device) for player in scenario.players], online, at_s)


def _settled(scenario: Scenario, moment: Moment, api: Api) -> bool:
    """Everything made, answered and delivered."""
    answered = all(
        len(account.made) == player.count and not account.waiting
        for player, account in zip(scenario.players, moment.accounts, strict=True)
    )
    return answered and not api.get("/deliveries", limit=1)["items"]
