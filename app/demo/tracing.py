"""The leads of an ECG Observation as FHIR carries them: integers with origin, factor and period.

Comes in: an Observation. Goes out: ``Lead`` rows, exact. Refuses to know: where it was pulled from, how it is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

ECG = "11524-6"
"""LOINC: EKG study; the code of the tracing."""
MDC = "urn:iso:std:iso:11073:10101"
_PER_MV = {"uV": Decimal(1000), "mV": Decimal(1)}
_MISSING = frozenset("EUL")  # FHIR R4, SampledDataDataType: error, below, above the limits


@dataclass(frozen=True, slots=True)
class Lead:
    """A lead: value in ``unit`` = sample x ``factor`` + ``origin``, one each ``period_ms``; None is a missing one."""

    name: str
    code: str
    samples: tuple[int | None, ...]
    factor: Decimal
    origin: Decimal
    unit: str
    period_ms: Decimal

    def millivolts(self) -> list[float | None]:
        """The samples as millivolts."""
        factor, origin = float(self.factor / _PER_MV[self.unit]), float(self.origin / _PER_MV[self.unit])
        return [None if sample is None else sample * factor + origin for sample in self.samples]


def is_tracing(resource: Mapping[str, Any]) -> bool:
    """Whether a resource is an ECG tracing."""
    codings = resource.get("code", {}).get("coding", ())
    return resource.get("resourceType") == "Observation" and any(one.get("code") == ECG for one in codings)


def leads(observation: Mapping[str, Any]) -> list[Lead]:
    """The leads in the order of the resource, whose numbers were read as Decimal."""
    return [_lead(component) for component in observation.get("component", ()) if "valueSampledData" in component]


def _lead(component: Mapping[str, Any]) -> Lead:
    data, code = component["valueSampledData"], component["code"]
    codes: Sequence[str] = [one["code"] for one in code["coding"] if one["system"] == MDC]
    return Lead(
        name=code["text"],
        code=codes[0],
        samples=tuple(None if word in _MISSING else int(word) for word in data["data"].split()),
        factor=Decimal(data.get("factor", 1)),
        origin=Decimal(data["origin"]["value"]),
        unit=data["origin"]["code"],
        period_ms=Decimal(data["period"]),
    )
