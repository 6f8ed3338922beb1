"""What is told after the morning: balance, what a client pulls, ECG and fundus as files, the way of two readings.

Comes in: what was asked, the folder for files. Goes out: lines, and files to open. Refuses to know: checks.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.client import Api
from app.demo import asked, contents
from app.demo.asked import Json, Told
from app.demo.ecg_paper import Strip, draw
from app.demo.evidence import Account, Made
from app.demo.folder import BALANCE, BUNDLE, ECG, FUNDUS, RECORD
from app.demo.scenario import Scenario
from app.demo.tracing import is_tracing, leads
from simulators.person import Person
from simulators.physiology.body import Body

_TRACE = "  {stage:<11} {at:<12} {outcome:<12} {reason}"


def balance(told: Told, folder: Path) -> Iterator[str]:
    """The ledger's balance, a file too, and how the record behaved; what it holds is written as it came."""
    (folder / RECORD).write_bytes(told.held)
    (folder / BALANCE).write_text(json.dumps(told.balance) + "\n", "utf-8")
    names = ("received", "stored", "duplicate", "quarantined", "dismissed", "pending")
    yield "  ".join(f"{name} {told.balance[name]}" for name in names)
    sent = sum(int(one["puts"]) for one in told.sent)
    faults = ", ".join(f"{count} x {name}" for name, count in told.record_faults.items()) or "none"
    yield f"The record holds {len(told.record)} resources, in {folder / RECORD}; they were sent {sent} times"
    yield f"What the record did wrong: {faults}. The balance alone: {folder / BALANCE}"


def pulled(told: Told, patient: str, folder: Path) -> Iterator[str]:
    """What a client gets of one patient; the bundle is written as it came."""
    body = told.pulled[patient, "Observation"]
    (folder / BUNDLE).write_bytes(body)
    resources = asked.entries(body)
    kinds = Counter(str(one["id"]).partition("-")[2] for one in resources)
    yield f"GET /fhir/Observation?patient={patient}: {len(resources)} Observations, in {folder / BUNDLE}"
    yield "  " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def ecg(told: Told, folder: Path) -> Iterator[str]:
    """The newest tracing that was pulled, on paper; nothing when none was."""
    tracings = [one for one in told.seen("Observation") if is_tracing(one)]
    if not tracings:
        return
    newest = max(tracings, key=lambda one: str(one["effectiveDateTime"]))
    (folder / ECG).write_text(paper(newest), "utf-8")
    names = " ".join(lead.name for lead in leads(newest))
    yield f"{folder / ECG}: {names}"
    yield "  at 25 mm/s and 10 mm/mV; open it in a browser"


def fundus(told: Told, folder: Path) -> Iterator[str]:
    """The photographs that were pulled, each as a file named by eye and field."""
    yield "GET /fhir/Binary/... with Accept: image/jpeg, for what each Media points to"
    for one in sorted(contents.photographs(told), key=lambda one: (str(one.eye), str(one.field))):
        path = folder / FUNDUS.format(eye=one.eye, field=one.field)
        path.write_bytes(one.body)
        yield f"  {path}: {len(one.body)} bytes"


def paper(tracing: Json) -> str:
    """A tracing as SVG on millimetre paper."""
    found = leads(tracing)
    strips = [Strip(lead.name, lead.millivolts(), float(lead.period_ms)) for lead in found]
    notes = (
        f"Recorded {tracing['effectiveDateTime']}, {1000 / found[0].period_ms:g} samples a second in each lead",
        f"Observation/{tracing['id']}",
        "Simulated device, test identity. Drawn from the resource as pulled, without filter. Not for diagnosis.",
    )
    return draw(strips, f"ECG, {len(strips)} leads", notes)


def together(scenario: Scenario, accounts: Sequence[Account]) -> Iterator[str]:
    """What the instruments of the first room found on one person, and what its altitude has to do with it."""
    rooms = {player.device: player.room for player in scenario.players}
    made = {one.device: [*one.made.values()] for one in accounts if rooms[one.device] == 0}
    pulses = [f"{_range(some, 'pulse')} by {device}" for device, some in made.items() if _has(some, "pulse")]
    yield f"The pulse was {' and '.join(pulses)}: one heart"
    room, person = scenario.rooms[0], Person.drawn(scenario.people[scenario.players[0].acts[0].person].body)
    for some in made.values():
        if _has(some, "saturation"):
            by_the_sea = Body(replace(person, altitude_m=0.0)).saturation(some[-1].taken_at)
            yield f"Oxygen was {_range(some, 'saturation')} % in {room.place}, {room.altitude_m:.0f} m above the sea,"
            yield f"where the air is thinner; by the sea this person would have {by_the_sea:.0f} %"


def _has(made: Sequence[Made], name: str) -> bool:
    return bool(made) and name in made[0].values


def _range(made: Sequence[Made], name: str) -> str:
    values = [one.values[name] for one in made]
    return f"{min(values)} to {max(values)}"


def traces(api: Api, accounts: Sequence[Account]) -> Iterator[str]:
    """The way of a stored reading, one with a file of its own if there is one, and of one that was set aside."""
    known = [(reading, account.made[reading]) for account in accounts for reading in account.in_record]
    stored = max(known, key=lambda one: (one[1].content is not None, one[1].taken_at), default=None)
    aside = next((reading for account in accounts for reading in account.quarantined), None)
    for reading in filter(None, (stored and stored[0], aside)):
        found: dict[str, Any] = api.get(f"/readings/{reading}/trace")
        yield f"trace of {reading}   ({found['device']}, seq {found['seq']})"
        for stage in found["stages"]:
            at = str(stage["at"] or "").partition("T")[2][:12]
            yield _TRACE.format(
                stage=stage["stage"], at=at, outcome=stage["outcome"], reason=stage["reason"] or ""
            ).rstrip()
