"""Kinds and readings in words for a nurse.

Comes in: a reading as its device keeps it. Goes out: a few words. Refuses to know: whose it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.demo.evidence import Made

MEASURES: Mapping[str, str] = {
    "blood_pressure": "blood pressure", "pulse_oximetry": "oxygen", "body_temperature": "temperature",
    "body_weight": "weight", "ecg": "ECG", "retinography": "fundus", "blood_glucose": "glucose", "hba1c": "HbA1c",
}  # fmt: skip
_SHAPES: Mapping[str, str] = {
    "blood_pressure": "{systolic}/{diastolic} mmHg, pulse {pulse}",
    "pulse_oximetry": "{saturation}, pulse {pulse}",
    "ecg": "12 leads, rate {heart_rate}",
}
_UNITS = {"mm[Hg]": "", "/min": "", "Cel": "°C"}


def said(made: Made | None) -> str:
    """The reading as a display shows it; a dash for none."""
    if made is None:
        return "-"
    if made.kind == "retinography":
        return f"{made.eye} eye, {made.field}"
    shown = {name: f"{value} {_UNITS.get(made.units[name], made.units[name])}".strip()
             for name, value in made.values.items()}  # fmt: skip
    return _SHAPES[made.kind].format_map(shown) if made.kind in _SHAPES else ", ".join(shown.values())
