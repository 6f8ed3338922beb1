"""What was issued, held against what the ledger and the record have.

Comes in: readings as devices kept them, an installation that is down, a record's inspector. Goes out: nothing, or an
AssertionError that says which promise was broken and how often. It reads the ledger's tables by SQL of its own and
shares no code with what fills them.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from typing import Any

import httpx

from simulators.devices.outbox import Kept
from tests.faults.installation import Installation

_STORED = """
SELECT device, lower(hex(stream)), seq, payload FROM journal WHERE channel = 'reading' AND outcome = 'stored'
"""
_LOINC = "http://loinc.org"
_COMPONENTS = {"systolic": "8480-6", "diastolic": "8462-4", "mean": "8478-0"}


def reading_id(reading: Kept) -> str:
    """The reading's id, by device contract section 3."""
    text = f"constantes/v1|{reading.device}|{reading.stream}|{reading.seq}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def check_ledger(site: Installation, issued: Sequence[Kept], *, exact: bool = True) -> dict[str, Any]:
    """Each issued reading is stored once with its bytes, the balance holds, every row verifies; return the balance.

    `exact`: and nothing else is stored. Without it, more may be there than was promised.
    """
    with closing(sqlite3.connect(f"file:{site.data / 'ledger.sqlite'}?mode=ro", uri=True)) as ledger:
        rows = ledger.execute(_STORED).fetchall()
    times = Counter((device, stream, seq) for device, stream, seq, _ in rows)
    bytes_of = {(device, stream, seq): payload for device, stream, seq, payload in rows}
    wanted = {reading.key: reading.payload for reading in issued}
    assert len(wanted) == len(issued), "the oracle itself holds a key twice"
    missing = sorted(wanted.keys() - times.keys())
    assert not missing, f"{len(missing)} of {len(wanted)} readings are not in the ledger, such as {missing[:3]}"
    twice = [key for key, count in times.items() if count > 1]
    assert not twice, f"{len(twice)} readings are stored more than once, such as {twice[:3]}"
    changed = [key for key, payload in wanted.items() if bytes_of[key] != payload]
    assert not changed, f"{len(changed)} readings have other bytes, such as {changed[:3]}"
    assert not exact or len(times) == len(wanted), f"{len(times) - len(wanted)} stored readings were never issued"
    with site.api() as api:
        balance: dict[str, Any] = api.get("/ledger/balance")
        faults = api.get("/ledger/verify")["faults"]
    assert balance["balanced"], balance
    assert not faults, faults[:3]
    return balance


def check_record(inspect: str, issued: Iterable[Kept]) -> dict[str, Any]:
    """Each reading's Observations are in the record once, in one version, with its numbers; none is extra."""
    wanted = {id_: numbers for reading in issued for id_, numbers in _observations(reading)}
    sent = [line for line in lines(f"{inspect}/puts") if line["type"] == "Observation"]
    held = {body["id"]: _numbers(body) for body in lines(f"{inspect}/resources?type=Observation")}
    missing = sorted(wanted.keys() - held.keys())
    assert not missing, f"{len(missing)} of {len(wanted)} Observations are not in the record, such as {missing[:3]}"
    extra = sorted(held.keys() - wanted.keys())
    assert not extra, f"{len(extra)} Observations are in the record and nowhere else, such as {extra[:3]}"
    other = [id_ for id_, numbers in wanted.items() if held[id_] != numbers]
    assert not other, f"{len(other)} Observations have other numbers than their reading, such as {other[:3]}"
    versions = [line["id"] for line in sent if line["versions"] != 1]
    assert not versions, f"{len(versions)} Observations have more than one content, such as {versions[:3]}"
    assert len(sent) == len(held)
    return {"observations": len(held), "puts": sum(line["puts"] for line in sent)}


def in_record(inspect: str) -> int:
    """How many Observations the record has."""
    summary = httpx.get(f"{inspect}/summary", timeout=10.0, trust_env=False).json()
    return int(summary["resources"].get("Observation", 0))


def fired(inspect: str, fault: str) -> int:
    """How often the record misbehaved in this way."""
    return int(httpx.get(f"{inspect}/faults", timeout=10.0, trust_env=False).json()["fired"].get(fault, 0))


def lines(url: str) -> list[dict[str, Any]]:
    """The lines of JSON at an address, decimals as they are written."""
    answer = httpx.get(url, timeout=60.0, trust_env=False).raise_for_status()
    return [json.loads(line, parse_float=Decimal) for line in answer.text.splitlines()]


def _observations(reading: Kept) -> list[tuple[str, Mapping[str, Any]]]:
    """The two Observations of a meter's reading: id, and its numbers by LOINC code."""
    values = json.loads(reading.payload, parse_float=Decimal)["values"]
    pressures = {code: values[name]["value"] for name, code in _COMPONENTS.items() if name in values}
    id_ = reading_id(reading)
    return [(f"{id_}-blood-pressure", pressures), (f"{id_}-heart-rate", {"8867-4": values["pulse"]["value"]})]


def _numbers(observation: Mapping[str, Any]) -> Mapping[str, Any]:
    parts = observation.get("component", [observation])
    return {_loinc(part): part["valueQuantity"]["value"] for part in parts}


def _loinc(part: Mapping[str, Any]) -> str:
    return next(str(coding["code"]) for coding in part["code"]["coding"] if coding["system"] == _LOINC)
