"""What is told after the morning: balance, what a client pulls, the ECG on paper, the way of two readings.

Comes in: what was asked, the folder for files. Goes out: lines, and files to open. Refuses to know: checks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from app.client import Api
from app.demo import asked
from app.demo.asked import Json, Told
from app.demo.ecg_paper import Strip, draw
from app.demo.evidence import Account
from app.demo.folder import BUNDLE, ECG, RECORD
from app.demo.tracing import is_tracing, leads

_TRACE = "  {stage:<11} {at:<12} {outcome:<12} {reason}"


def balance(told: Told, folder: Path) -> Iterator[str]:
    """The ledger's balance, and how the record behaved; what it holds is written as it came."""
    (folder / RECORD).write_bytes(told.held)
    names = ("received", "stored", "duplicate", "quarantined", "dismissed", "pending")
    yield "  ".join(f"{name} {told.balance[name]}" for name in names)
    sent = sum(int(one["puts"]) for one in told.sent)
    faults = ", ".join(f"{count} x {name}" for name, count in told.record_faults.items()) or "none"
    yield f"The record holds {len(told.record)} resources, in {folder / RECORD}; they were sent {sent} times"
    yield f"What the record did wrong: {faults}"


def pulled(told: Told, patient: str, folder: Path) -> Iterator[str]:
    """What a client gets of one patient; the bundle is written as it came."""
    body = told.pulled[patient]
    (folder / BUNDLE).write_bytes(body)
    resources = asked.entries(body)
    kinds = Counter(str(one["id"]).partition("-")[2] for one in resources)
    yield f"GET /fhir/Observation?patient={patient}: {len(resources)} Observations, in {folder / BUNDLE}"
    yield "  " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def ecg(told: Told, folder: Path) -> Iterator[str]:
    """The newest tracing that was pulled, on paper; nothing when none was."""
    tracings = [one for body in told.pulled.values() for one in asked.entries(body) if is_tracing(one)]
    if not tracings:
        return
    newest = max(tracings, key=lambda one: str(one["effectiveDateTime"]))
    (folder / ECG).write_text(paper(newest), "utf-8")
    names = " ".join(lead.name for lead in leads(newest))
    yield f"{folder / ECG}: {names}, at 25 mm/s and 10 mm/mV; open it in a browser"


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


def traces(api: Api, accounts: Sequence[Account]) -> Iterator[str]:
    """The way of a stored reading and of one that was set aside."""
    stored = next((max(a.stored & a.in_record, key=lambda r: a.made[r].seq) for a in accounts[1:] if a.in_record), None)
    aside = next((reading for account in accounts for reading in account.quarantined), None)
    for reading in filter(None, (stored, aside)):
        found: dict[str, Any] = api.get(f"/readings/{reading}/trace")
        yield f"constantes trace {reading}   ({found['device']}, seq {found['seq']})"
        for stage in found["stages"]:
            at = str(stage["at"] or "").partition("T")[2][:12]
            yield _TRACE.format(
                stage=stage["stage"], at=at, outcome=stage["outcome"], reason=stage["reason"] or ""
            ).rstrip()
