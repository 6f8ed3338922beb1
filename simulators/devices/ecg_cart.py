"""An ECG cart that plays a 12-lead DICOM recording inline, its samples bit for bit as they stand in the file.

Comes in: a DICOM file with an ECG waveform. Goes out: `values` and `recording` of an `ecg` reading. Refuses to know:
the wire, and the patient, time and texts in the file.

Names: SCP-ECG lead codes `5.6.3-9-n` (EN 1064, DICOM CID 3001) and measurements `5.13.5-n`, `5.10.2.x` (DICOM CID 3229,
3230). `step` is Channel Sensitivity x Channel Sensitivity Correction Factor (DICOM PS3.3 C.10.9.1.4.1).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulators.devices.instrument import Make
from simulators.devices.messages import Json

if TYPE_CHECKING:
    import numpy as np
    from pydicom.dataset import Dataset

RECORDING = Path(__file__).parent.parent / "recordings" / "ecg-12-lead.dcm"
"""A real recording of 10 s at 1000 Hz with 12 leads (recordings/README.md)."""

LEADS = {
    "5.6.3-9-1": "I",
    "5.6.3-9-2": "II",
    "5.6.3-9-61": "III",
    "5.6.3-9-62": "aVR",
    "5.6.3-9-63": "aVL",
    "5.6.3-9-64": "aVF",
    "5.6.3-9-3": "V1",
    "5.6.3-9-4": "V2",
    "5.6.3-9-5": "V3",
    "5.6.3-9-6": "V4",
    "5.6.3-9-7": "V5",
    "5.6.3-9-8": "V6",
}
INTERVALS = {"5.13.5-7": "pr", "5.13.5-9": "qrs", "5.13.5-11": "qt", "5.10.2.5-5": "qtc"}
_RR = "5.10.2.1-3"
_MS_PER_MIN = 60_000


class UnfitRecordingError(ValueError):
    """The file holds no recording that an ECG message can carry; the text says what is missing."""


class Cart:
    """A cart with one recording in its memory, sent at each measurement."""

    def __init__(self, recording: Path = RECORDING) -> None:
        self._members = load(recording)

    def measure(self, at: datetime) -> Mapping[str, Json]:  # noqa: ARG002 - the recording is the same at any time
        """The whole recording."""
        return self._members


def load(path: Path) -> dict[str, Json]:
    """`values` and `recording` from a DICOM file; raises `UnfitRecordingError`."""
    from pydicom import dcmread

    dataset = dcmread(path)
    if "WaveformSequence" not in dataset:
        raise UnfitRecordingError("This DICOM file has no waveform. Give the cart an ECG recording.")
    rhythm = dataset.WaveformSequence[0]
    return {"values": _values(dataset), "recording": _recording(rhythm)}


def _recording(group: Dataset) -> dict[str, Json]:
    channels = list(group.ChannelDefinitionSequence)
    if (group.WaveformBitsAllocated, group.WaveformSampleInterpretation) != (16, "SS"):
        raise UnfitRecordingError("The samples are not signed 16-bit integers, which is all that int16le carries.")
    steps = {Decimal(c.ChannelSensitivity) * Decimal(c.ChannelSensitivityCorrectionFactor) for c in channels}
    units = {c.ChannelSensitivityUnitsSequence[0].CodeValue for c in channels}
    baselines = {Decimal(c.ChannelBaseline) for c in channels}
    if len(steps) != 1 or len(baselines) != 1 or len(units) != 1:
        raise UnfitRecordingError("The channels differ in scale: one message has one step, baseline and unit.")
    return {
        "sampling_hz": _number(Decimal(group.SamplingFrequency)),
        "unit": str(units.pop()),
        "step": _number(steps.pop()),
        "baseline": _number(baselines.pop()),
        "encoding": "int16le",
        "leads": {_lead(c): _text(column) for c, column in zip(channels, _columns(group), strict=True)},
    }


def _columns(group: Dataset) -> list[np.ndarray[Any, Any]]:
    import numpy as np

    samples = np.frombuffer(group.WaveformData, dtype="<i2")
    return list(samples.reshape(-1, int(group.NumberOfWaveformChannels)).T)


def _text(column: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(column.astype("<i2").tobytes()).decode()


def _lead(channel: Dataset) -> str:
    code = str(channel.ChannelSourceSequence[0].CodeValue)
    if code not in LEADS:
        raise UnfitRecordingError(f"The lead {code} is none of the twelve.")
    return LEADS[code]


def _values(dataset: Dataset) -> dict[str, Json]:
    """What the cart computed itself when it made the recording: whole milliseconds and beats a minute."""
    measured = {
        str(note.ConceptNameCodeSequence[0].CodeValue): Decimal(note.NumericValue)
        for note in dataset.get("WaveformAnnotationSequence", ())
        if "NumericValue" in note and "ConceptNameCodeSequence" in note
    }
    values: dict[str, Json] = {}
    if measured.get(_RR):
        values["heart_rate"] = {"value": round(_MS_PER_MIN / measured[_RR]), "unit": "/min"}
    for code, name in INTERVALS.items():
        if code in measured:
            values[name] = {"value": _number(measured[code]), "unit": "ms"}
    return values


def _number(exact: Decimal) -> int | float:
    """The JSON number with these digits; a value that a float would change is refused."""
    if exact == exact.to_integral_value():
        return int(exact)
    if Decimal(repr(float(exact))) != exact:
        raise UnfitRecordingError("A scale factor has more digits than a JSON writer keeps.")
    return float(exact)


MAKE = Make(
    build=lambda _seed: Cart(), manufacturer="Exemple", model="Cardio-12", firmware="3.0.1", timespec="milliseconds"
)
