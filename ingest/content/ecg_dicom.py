"""An ECG in DICOM: the rhythm of a 12-lead, general or ambulatory ECG waveform object.

Comes in: a file. Goes out: ``Found`` with the waveform file written, and person and instance as the tags say. Refuses
to know: the median beat (a derived group), annotations, leads by any name but their code.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ingest.content import dicom
from ingest.content.dicom import Gate, Place
from ingest.content.ecg import BLOB, MISSING, Channel, Trace, undecodable, wrong_type
from ingest.content.found import Found
from ingest.content.waves import CHUNK, Run, write
from ingest.kinds.ecg import LEADS
from ingest.reasons import Reason, Rejected

CLASSES = frozenset(f"1.2.840.10008.5.1.4.1.1.9.1.{last}" for last in (1, 2, 3))
"""12-lead, general, ambulatory ECG waveform storage (PS3.4, annex B.5)."""
NUMBERS = dict(zip((1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8, 0), LEADS, strict=True))
"""Lead numbers of SCP-ECG (EN 1064, section 5.6.3), which MDC took over."""
CODES = {(scheme, f"{prefix}{code}"): lead for scheme, prefix in (("MDC", "2:"), ("SCPECG", "5.6.3-9-"))
         for code, lead in NUMBERS.items()}  # fmt: skip
"""Coding scheme and code of the channel source (CID 3001 ECG Lead: MDC now, SCPECG before)."""
FORMS = {(16, "SS"): "<i2", (16, "US"): "<u2", (8, "SB"): "i1", (8, "UB"): "u1"}
"""Bits allocated and sample interpretation that int16 can hold exactly. Companded samples (MB, AB) it cannot."""

WAVEFORMS, ORIGINALITY, CHANNELS, SAMPLES, FREQUENCY = 0x54000100, 0x003A0004, 0x003A0005, 0x003A0010, 0x003A001A
DEFINITIONS, SOURCE, MODIFIERS = 0x003A0200, 0x003A0208, 0x003A0209
SENSITIVITY, UNITS, CORRECTION, BASELINE = 0x003A0210, 0x003A0211, 0x003A0212, 0x003A0213
TIME_SKEW, SAMPLE_SKEW = 0x003A0214, 0x003A0215
BITS, INTERPRETATION, PADDING, DATA = 0x54001004, 0x54001006, 0x5400100A, 0x54001010
CODE, SCHEME = 0x00080100, 0x00080102
CHANNELS_MOST = 64


@dataclass(frozen=True, slots=True)
class Samples:
    """Where the multiplexed samples stand, their numpy form, and the value that stands for none."""

    place: Place
    form: str
    padding: int | None


def look(path: Path, out: Path) -> Found:
    """Read the first group of original samples of a DICOM ECG into a waveform file in ``out``.

    Samples stay as they are, but for the declared padding value, which becomes -32768. Without one, -32768 is a sample
    like any other and stays. Raises Rejected, and whatever pydicom raises.
    """
    with path.open("rb") as file:
        gate = Gate(file)
        ds = dicom.read(gate, (*dicom.HEAD, WAVEFORMS), WAVEFORMS)
        if dicom.text(ds, dicom.SOP_CLASS) not in CLASSES:
            raise wrong_type()
        found = Found(person=dicom.person(ds), instance=dicom.instance(ds))
        group = _rhythm(gate, ds)
        trace = _trace(gate, group)
        samples = _samples(gate, group, len(trace.channels) * trace.length)
        sha256 = write(out, len(trace.channels), trace.length, _runs(file.fileno(), samples, trace))
    return Found(trace.wave(sha256), person=found.person, instance=found.instance)


def _rhythm(gate: Gate, ds: Dataset) -> Dataset:
    for group in dicom.items(gate, ds, WAVEFORMS):
        if dicom.text(group, ORIGINALITY) == "ORIGINAL":
            return group
    raise Rejected(Reason.ECG_LEADS, BLOB)


def _trace(gate: Gate, group: Dataset) -> Trace:
    definitions = dicom.items(gate, group, DEFINITIONS)
    frequency = dicom.number(group, FREQUENCY)
    if len(definitions) != dicom.integer(group, CHANNELS) or len(definitions) > CHANNELS_MOST or frequency is None:
        raise undecodable()
    channels = tuple(_channel(gate, each) for each in definitions)
    trace = Trace(frequency, dicom.integer(group, SAMPLES), channels)
    trace.check()
    for each in definitions:
        _check_skew(each, frequency)
    return trace


def _channel(gate: Gate, definition: Dataset) -> Channel:
    scale = [dicom.number(definition, tag) for tag in (SENSITIVITY, CORRECTION, BASELINE)]
    sensitivity, correction, baseline = scale
    if sensitivity is None or correction is None or baseline is None:
        # required by PS3.3 C.10.9.1 wherever samples have a unit: without one of them the height of a wave is a guess
        raise Rejected(Reason.ECG_SAMPLING, BLOB)
    units = _code(gate, definition, UNITS)
    name = None if dicom.items(gate, definition, MODIFIERS) else CODES.get(_code(gate, definition, SOURCE))
    return Channel(name, units[1] if units[0] == "UCUM" else "", sensitivity * correction, baseline)


def _code(gate: Gate, ds: Dataset, tag: int) -> tuple[str, str]:
    codes = dicom.items(gate, ds, tag)
    return (dicom.text(codes[0], SCHEME), dicom.text(codes[0], CODE)) if len(codes) == 1 else ("", "")


def _check_skew(definition: Dataset, frequency: Fraction) -> None:
    """Leads that are a sample or more apart are no leads of one moment: nothing in a waveform file could say so."""
    seconds, samples = (dicom.number(definition, tag) or Fraction(0) for tag in (TIME_SKEW, SAMPLE_SKEW))
    if abs(seconds * frequency) >= 1 or abs(samples) >= 1:
        raise Rejected(Reason.ECG_SAMPLING, BLOB)


def _samples(gate: Gate, group: Dataset, count: int) -> Samples:
    form = FORMS.get((dicom.integer(group, BITS), dicom.text(group, INTERPRETATION)))
    if form is None:
        raise Rejected(Reason.ECG_SAMPLING, BLOB)
    width = np.dtype(form).itemsize
    place = dicom.place(gate, group, DATA)
    if place.size != count * width + count * width % 2:  # values have an even length
        raise undecodable()
    padding = dicom.value(group, PADDING)
    if padding and len(padding) != 2:  # noqa: PLR2004 - a sample, or one byte and its filling
        raise undecodable()
    return Samples(place, form, int(np.frombuffer(padding, form)[0]) if padding else None)


def _runs(handle: int, samples: Samples, trace: Trace) -> Iterator[Run]:
    channels = len(trace.channels)
    frame = channels * np.dtype(samples.form).itemsize
    batch = CHUNK // frame
    for first in range(0, trace.length, batch):
        size = min(batch, trace.length - first) * frame
        block = os.pread(handle, size, samples.place.start + first * frame)
        if len(block) != size:
            raise undecodable()
        table = np.frombuffer(block, samples.form).reshape(-1, channels)
        for lead in range(channels):
            yield Run(lead, first, _whole(table[:, lead], samples.padding))


def _whole(samples: NDArray[np.generic], padding: int | None) -> NDArray[np.int16]:
    wide = samples.astype(np.int32)
    if padding is not None:
        wide[wide == padding] = MISSING
    if wide.size and wide.max() > np.iinfo(np.int16).max:
        raise Rejected(Reason.ECG_SAMPLING, BLOB)
    return wide.astype(np.int16)
