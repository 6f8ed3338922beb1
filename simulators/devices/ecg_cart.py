"""An ECG cart: plays a 12-lead DICOM recording, its samples bit for bit as in the file, or a synthetic heart.

Comes in: a DICOM file with an ECG waveform, or a heart rate. Goes out: `values` and `recording` of an `ecg` reading:
inline, as a file apart (the DICOM file itself, or EDF+), or live in parts. Refuses to know: the wire, and the patient,
time and texts in the file.

Names: SCP-ECG lead codes `5.6.3-9-n` (EN 1064, DICOM CID 3001) and measurements `5.13.5-n`, `5.10.2.x` (DICOM CID 3229,
3230). `step` is Channel Sensitivity x Channel Sensitivity Correction Factor (DICOM PS3.3 C.10.9.1.4.1).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from simulators.devices.contents import Content
from simulators.devices.ecg_files import edf
from simulators.devices.ecg_live import Live
from simulators.devices.instrument import Instrument, Make
from simulators.devices.messages import Json
from simulators.physiology.body import Body

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


Source: TypeAlias = Callable[[datetime], Mapping[str, Any]]
"""From the time to `values` and an inline `recording`: where a cart has its ECG from."""


class Cart:
    """A cart with one recording in its memory, sent inline at each measurement."""

    def __init__(self, recording: Path = RECORDING) -> None:
        self._members = load(recording)

    def measure(self, at: datetime) -> Mapping[str, Json]:  # noqa: ARG002 - the recording is the same at any time
        """The whole recording."""
        return self._members


class Beating:
    """A cart on a heart that is not there (`simulators.devices.ecg_model`), another stretch at each measurement."""

    def __init__(self, rate: Callable[[datetime], float], seed: int = 0, seconds: float = 10.0) -> None:
        self._rate, self._seconds, self._seed = rate, seconds, seed
        self._made = 0

    def measure(self, at: datetime) -> Mapping[str, Json]:
        """Beats at the rate given for `at`, whole beats a minute as the cart shows it; marked as synthetic."""
        self._made += 1
        return synthetic(round(self._rate(at)), self._seconds, self._seed + self._made)


class FileCart:
    """A cart that sends its figures, and the samples as a file that `write` makes of them."""

    def __init__(self, source: Source, write: Callable[[Mapping[str, Any], datetime], Content]) -> None:
        self._source, self._write = source, write

    def measure(self, at: datetime) -> Mapping[str, Json]:
        """What the source says, with the file in the place of the samples."""
        members = self._source(at)
        return {**members, "recording": {"blob": self._write(members, at)}}


def synthetic(rate: float, seconds: float = 10.0, seed: int = 0, sampling_hz: int = 500) -> dict[str, Json]:
    """`values`, `recording` (inline) and the mark `synthetic` of a heart at `rate` /min."""
    from simulators.devices.ecg_model import STEP_UV, twelve_leads

    recording: dict[str, Json] = {
        "sampling_hz": sampling_hz,
        "unit": "uV",
        "step": STEP_UV,
        "baseline": 0,
        "encoding": "int16le",
        "leads": {name: _text(column) for name, column in twelve_leads(rate, seconds, seed, sampling_hz).items()},
    }
    return {"values": {"heart_rate": {"value": rate, "unit": "/min"}}, "recording": recording, "synthetic": "model"}


def _edf(members: Mapping[str, Any], at: datetime) -> Content:
    return Content(edf(members["recording"], at), "application/edf")


MODES = ("inline", "dicom", "edf", "live")
"""How an ECG leaves the cart (device contract, C-ECG-1, C-ECG-3, C-ECG-5); `dicom` sends the very file it plays."""


def build(
    seed: int = 0,
    body: Body | None = None,
    *,
    mode: str = "inline",
    beating: bool = False,
    recording: Path | None = None,
    **live: Any,  # noqa: ANN401 - those of `Live`
) -> Instrument:
    """A cart that plays a real recording, or, when `beating`, a synthetic heart at the rate of the body.

    `live` may hold `part_s`, `lost`, `shuffled` (`simulators.devices.ecg_live`). Raises `UnfitRecordingError`.
    """
    if mode not in MODES:
        raise UnfitRecordingError(f"A cart sends an ECG in one of these ways: {', '.join(MODES)}.")
    file = recording or RECORDING
    if mode == "dicom":
        content = Content(file.read_bytes(), "application/dicom")
        values = {"values": load(file)["values"]}
        return FileCart(lambda _at: values, lambda _members, _at: content)
    whole: Instrument = Beating(body.heart_rate, seed) if beating and body is not None else Cart(file)
    if mode == "edf":
        return FileCart(whole.measure, _edf)
    return Live(whole.measure, seed, **live) if mode == "live" else whole


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


INSTRUMENT = Make(
    kind="ecg",
    build=build,
    manufacturer="Exemple",
    model="Cardio-12",
    firmware="3.0.1",
    method="ecg",
    timespec="milliseconds",
)
