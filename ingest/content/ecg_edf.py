"""An ECG in EDF or EDF+: its header, its ECG signals, and their samples record by record.

Comes in: a file. Goes out: ``Found`` with the waveform file written. Refuses to know: annotations, other signals (left
aside when they are surely no ECG), who is named in the free text of the header.

Read here and not by a library: a header is 256 bytes and 256 more a signal (Kemp 1992; Kemp and Olivan 2003), while
edfio maps the whole file and computes scales in floats. A recording with pauses (EDF+D) is refused: they would close.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import numpy as np

from ingest.content.ecg import BLOB, Channel, Trace, undecodable, wrong_type
from ingest.content.found import Found
from ingest.content.waves import CHUNK, Run, write
from ingest.kinds.ecg import LEADS
from ingest.reasons import Reason, Rejected

HEADER = 256
"""Bytes of the fixed header, and of the header of each signal."""
RECORD_MOST = 16 * CHUNK
"""Bytes of a data record that are held at once; the standard asks for 61,440 at most."""
SIGNALS_MOST = 1024
VERSION = b"0       "
WIDTHS = {
    "label": 16,
    "transducer": 80,
    "unit": 8,
    "physical_min": 8,
    "physical_max": 8,
    "digital_min": 8,
    "digital_max": 8,
    "prefilter": 80,
    "samples": 8,
    "reserved": 32,
}
"""Fields of the signal headers, in the order of the file, with their widths in characters."""

_NAMED = {name: name for name in LEADS if name != "unspecified"} | {"AVR": "aVR", "AVL": "aVL", "AVF": "aVF"}
LABELS: dict[str, str] = {
    **_NAMED,
    **{f"{kind} {label}": lead for kind in ("ECG", "EKG") for label, lead in _NAMED.items()},
    "ECG": "unspecified",
    "EKG": "unspecified",
}
"""Labels of ECG signals: the EDF+ standard texts (type and specification), and the bare names of leads. One that says
ECG and no lead is what the contract calls ``unspecified``."""
OTHERS = frozenset({"EEG", "MEG", "MCG", "EOG", "ERG", "EMG", "EP", "ENG", "NCS", "EDF", "BDF", "Resp", "Event"})
"""First words of labels that are surely no ECG though they may be voltages (EDF+ standard texts, section 2.3)."""
_VOLTAGE = re.compile(r"[TGMKkHDdcmunpfa]?V").fullmatch
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII).fullmatch


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal: texts of its header, and where its samples stand in a record (in samples)."""

    fields: dict[str, str]
    start: int
    samples: int

    @property
    def is_ecg(self) -> bool:
        """False only for what is surely none: raises Rejected (``ecg.leads``) for a voltage that nothing names."""
        label, unit = self.fields["label"], self.fields["unit"]
        if label in LABELS or label[:3].upper() in {"ECG", "EKG"}:
            return True
        if label.split(" ")[0] not in OTHERS and _VOLTAGE(unit):
            raise Rejected(Reason.ECG_LEADS, BLOB)
        return False

    def channel(self) -> Channel:
        """Name, unit and scale; raises Rejected (``ecg.sampling``) where the scale is none."""
        low, high = (_decimal(self.fields[f"digital_{end}"]) for end in ("min", "max"))
        bottom, top = (_decimal(self.fields[f"physical_{end}"]) for end in ("min", "max"))
        if low >= high or low.denominator != 1 or high.denominator != 1:
            raise Rejected(Reason.ECG_SAMPLING, BLOB)
        step = (top - bottom) / (high - low)
        return Channel(LABELS.get(self.fields["label"]), self.fields["unit"], step, bottom - low * step)


@dataclass(frozen=True, slots=True)
class Header:
    """``records`` data records of ``seconds`` each, ``record`` samples over all signals, from byte ``start`` on."""

    start: int
    records: int
    seconds: Fraction
    record: int
    signals: tuple[Signal, ...]


def look(path: Path, out: Path) -> Found:
    """Read the ECG signals of an EDF or EDF+ file into a waveform file in ``out``.

    Step and baseline come from the physical and digital limits, exact where a decimal text of 22 characters is, else
    rounded to 15 digits (``ecg.number``). Samples stay as they are: EDF has no sign for a missing one. Raises Rejected.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        header = read_header(file.fileno(), size)
        chosen = [signal for signal in header.signals if signal.is_ecg]
        trace = _trace(header, chosen)
        sha256 = write(out, len(chosen), trace.length, _runs(file.fileno(), header, chosen))
    return Found(wave=trace.wave(sha256))


def read_header(handle: int, size: int) -> Header:
    """The header of a file of ``size`` bytes, held against that size before anything is read by it."""
    fixed = os.pread(handle, HEADER, 0)
    if not fixed.startswith(VERSION):
        raise wrong_type()
    if len(fixed) < HEADER:
        raise undecodable()
    reserved = fixed[192:236]
    start, records = _integer(_text(fixed[184:192])), _integer(_text(fixed[236:244]))
    seconds, count = _decimal(_text(fixed[244:252])), _integer(_text(fixed[252:256]))
    if not 0 < count <= SIGNALS_MOST or start != HEADER * (1 + count) or records < 1:
        raise undecodable()
    signals = _signals(os.pread(handle, start - HEADER, HEADER), count)
    record = sum(signal.samples for signal in signals)
    if size != start + 2 * record * records or 2 * record > RECORD_MOST:
        raise undecodable()
    if reserved.startswith(b"EDF+D"):
        raise Rejected(Reason.ECG_LENGTH, BLOB)
    return Header(start, records, seconds, record, signals)


def _signals(block: bytes, count: int) -> tuple[Signal, ...]:
    if len(block) != HEADER * count:
        raise undecodable()
    columns: dict[str, list[str]] = {}
    at = 0
    for name, width in WIDTHS.items():
        columns[name] = [_text(block[at + i * width : at + (i + 1) * width]) for i in range(count)]
        at += width * count
    samples = [_integer(text) for text in columns["samples"]]
    if min(samples) < 0:
        raise undecodable()
    starts = accumulate(samples, initial=0)
    rows = (dict(zip(WIDTHS, row, strict=True)) for row in zip(*columns.values(), strict=True))
    return tuple(Signal(*each) for each in zip(rows, starts, samples, strict=False))  # one start too many: the end


def _trace(header: Header, chosen: list[Signal]) -> Trace:
    if not chosen:
        raise Rejected(Reason.ECG_LEADS, BLOB)
    sizes = {signal.samples for signal in chosen}
    if len(sizes) != 1 or header.seconds <= 0:
        raise Rejected(Reason.ECG_SAMPLING, BLOB)
    samples = sizes.pop()
    channels = tuple(signal.channel() for signal in chosen)
    trace = Trace(samples / header.seconds, samples * header.records, channels)
    trace.check()
    return trace


def _runs(handle: int, header: Header, chosen: list[Signal]) -> Iterator[Run]:
    size = 2 * header.record
    batch = max(1, CHUNK // size)
    for first in range(0, header.records, batch):
        count = min(batch, header.records - first)
        block = os.pread(handle, count * size, header.start + first * size)
        if len(block) != count * size:
            raise undecodable()
        table = np.frombuffer(block, "<i2").reshape(count, header.record)
        for lead, signal in enumerate(chosen):
            yield Run(lead, first * signal.samples, table[:, signal.start : signal.start + signal.samples])


def _text(field: bytes) -> str:
    return field.decode("latin-1").strip(" ")


def _decimal(text: str) -> Fraction:
    if not _DECIMAL(text):
        raise undecodable()
    return Fraction(text)


def _integer(text: str) -> int:
    value = _decimal(text)
    if value.denominator != 1:
        raise undecodable()
    return int(value)
