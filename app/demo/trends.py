"""The trends: what the time series holds of each patient, against what the devices measured.

Comes in: the API; what devices made, on whom. Goes out: values by patient and quantity; the first difference in words.
Refuses to know: which store the series is.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from app.client import Api
from app.demo.evidence import Made

Trends: TypeAlias = Mapping[tuple[str, str], Sequence[float]]
"""Patient and quantity to the values in order; a quantity without a value is not in it."""

QUANTITIES: Mapping[tuple[str, str], str] = {
    ("blood_pressure", "systolic"): "systolic", ("blood_pressure", "diastolic"): "diastolic",
    ("blood_pressure", "mean"): "mean_pressure", ("blood_pressure", "pulse"): "cuff_pulse",
    ("pulse_oximetry", "saturation"): "oxygen_saturation", ("pulse_oximetry", "pulse"): "oximeter_pulse",
    ("body_temperature", "temperature"): "body_temperature", ("body_weight", "weight"): "body_weight",
    ("blood_glucose", "glucose"): "blood_glucose", ("hba1c", "fraction"): "hba1c",
    ("ecg", "heart_rate"): "ecg_heart_rate", ("ecg", "pr"): "ecg_pr", ("ecg", "qrs"): "ecg_qrs",
    ("ecg", "qt"): "ecg_qt", ("ecg", "qtc"): "ecg_qtc",
}  # fmt: skip
"""The kind of a message and the name of a value in it, to the quantity that a trend is asked for."""
_PATIENCE_S = 15.0
_TURN_S = 0.2


def ask(api: Api, patients: Iterable[str]) -> Trends:
    """Ask for every trend of these patients, once the series has everything that was published, or does not get on."""
    end = time.monotonic() + _PATIENCE_S
    while api.get("/series/lag")["behind"] and time.monotonic() < end:
        time.sleep(_TURN_S)
    found = {
        (patient, metric): [float(item["mean"]) for item in api.get("/series", patient=patient, metric=metric)["items"]]
        for patient in patients
        for metric in QUANTITIES.values()
    }
    return {key: values for key, values in found.items() if values}


def difference(stored: Mapping[str, Made], whose: Mapping[str, str], trends: Trends) -> str | None:
    """What of the trends is not what the stored readings show; None when all is."""
    wanted: dict[tuple[str, str], list[float]] = defaultdict(list)
    for reading, made in stored.items():
        for name, value in made.values.items():
            wanted[whose[reading], QUANTITIES[made.kind, name]].append(float(value))
    if other := wanted.keys() ^ trends.keys():
        return f"another set of trends: {', '.join(sorted({metric for _, metric in other}))}"
    wrong = {
        metric for (patient, metric), values in wanted.items() if sorted(values) != sorted(trends[patient, metric])
    }
    return f"other values of {', '.join(sorted(wrong))}" if wrong else None
