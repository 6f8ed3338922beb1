"""What a reading must become in the record: which resources, with which numbers, for whom.

Comes in: a reading as its device keeps it, what the record holds of it. Goes out: the first difference in words.
Refuses to know: the mapping, whose tables are not read here.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

from app.demo.asked import Json
from app.demo.evidence import Made

_RATE = "heart-rate"
_SLUGS: Mapping[str, frozenset[str]] = {
    "blood_pressure": frozenset({"blood-pressure", _RATE}),
    "pulse_oximetry": frozenset({"oxygen-saturation", _RATE}),
    "body_temperature": frozenset({"body-temperature"}),
    "body_weight": frozenset({"body-weight"}),
    "blood_glucose": frozenset({"blood-glucose"}),
    "hba1c": frozenset({"hba1c"}),
    "ecg": frozenset({"ecg", "ecg-intervals", _RATE, "ecg-report"}),
    "retinography": frozenset({"fundus-report"}),
}
_OF_A_CONTENT = {"ecg": "ecg-file", "retinography": "fundus"}
"""The resource that points to a file; the file itself has the same slug and ``-data``."""
_PROVENANCE = "provenance"
LISTED = frozenset({"mm[Hg]", "/min", "ms", "%", "Cel", "kg", "mg/dL"})
"""Units of what is played (device contract, section 4)."""

_NAMES = {
    "8480-6": "systolic", "8462-4": "diastolic", "8478-0": "mean", "8867-4": "rate", "2708-6": "saturation",
    "8310-5": "temperature", "29463-7": "weight", "2345-7": "glucose", "4548-4": "fraction",
    "8625-6": "pr", "8633-0": "qrs", "8634-8": "qt", "8636-3": "qtc",
}  # fmt: skip
"""LOINC to the words of messages, which call a rate by what it was felt at."""
_RATES = ("pulse", "heart_rate")

_Quantity: TypeAlias = tuple[str, Decimal, str]


def difference(made: Made, patient: str, resources: Sequence[Json]) -> str | None:
    """What the record's ``resources`` of a reading are not that they should be; None when all is right."""
    found = {str(one["id"]).partition("-")[2]: one for one in resources}
    if len(found) != len(resources) or found.keys() != _wanted(made):
        return "other resources"
    if sorted(_shown(made)) != sorted(number for one in resources for number in _numbers(one)):
        return "other values"
    if any(_whose(one) not in {None, f"Patient/{patient}"} for one in resources):
        return "another patient"
    if not _is_told(found.pop(_PROVENANCE), found.values()):
        return "another provenance"
    sums = {_sum(one) for one in found.values() if one["resourceType"] == "Binary"}
    return None if sums == ({made.content.sha256} if made.content else set()) else "another file"


def _wanted(made: Made) -> set[str]:
    file = _OF_A_CONTENT.get(made.kind)
    of_content = {file, f"{file}-data"} if file and made.content else set()
    return {*_SLUGS[made.kind], *of_content, _PROVENANCE}


def _shown(made: Made) -> Iterator[_Quantity]:
    for name, value in made.values.items():
        yield "rate" if name in _RATES else name, value, made.units[name]


def _numbers(resource: Json) -> Iterator[_Quantity]:
    """Every quantity of an Observation, named by its LOINC code."""
    for part in (resource, *resource.get("component", ())):
        if (quantity := part.get("valueQuantity")) is not None:
            codes = [str(one["code"]) for one in part["code"]["coding"]]
            name = next((_NAMES[code] for code in codes if code in _NAMES), "?")
            yield name, Decimal(quantity["value"]), str(quantity["code"])


def _whose(resource: Json) -> str | None:
    """The patient that it is about; a Binary and a Provenance say it of what they belong to."""
    subject = resource.get("subject")
    return str(subject["reference"]) if subject else None


def _is_told(provenance: Json, others: Iterable[Json]) -> bool:
    targets = {str(one["reference"]) for one in provenance["target"]}
    return targets == {f"{one['resourceType']}/{one['id']}" for one in others}


def _sum(binary: Json) -> str:
    return hashlib.sha256(base64.b64decode(str(binary["data"]))).hexdigest()
