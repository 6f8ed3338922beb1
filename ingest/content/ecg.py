"""What is asked of every ECG file, whatever its form: leads, length, sampling, one scale a lead.

Comes in: channels as a file describes them, exact fractions. Goes out: texts for ``Wave``, or one ``Rejected`` that
points at the blob. Refuses to know: DICOM, EDF, samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from fractions import Fraction

from ingest.content.found import Wave
from ingest.kinds.ecg import LEADS, SAMPLING_HZ, UNITS
from ingest.metrics import MAX_LENGTH
from ingest.reasons import Reason, Rejected

BLOB = "/recording/blob"
"""JSON pointer of all refusals: a device cannot mend a part of a file it sent."""
MISSING = -32768
"""The sample that is missing (C-ECG-2)."""
_EXACT = Context(prec=60, traps=[Inexact])
_ROUNDED = Context(prec=15)
_FINELY = Context(prec=19)


def undecodable() -> Rejected:
    """The refusal of a file that is not what its own header says."""
    return Rejected(Reason.BLOB_UNDECODABLE, BLOB)


def wrong_type() -> Rejected:
    """The refusal of a file that is not of the type its reading named, or of a class that is not taken."""
    return Rejected(Reason.BLOB_CONTENT_TYPE, f"{BLOB}/content_type")


@dataclass(frozen=True, slots=True)
class Channel:
    """One lead: physical value = sample x ``step`` + ``baseline`` in ``unit``; ``name`` is None for one not known."""

    name: str | None
    unit: str
    step: Fraction
    baseline: Fraction


@dataclass(frozen=True, slots=True)
class Trace:
    """A recording before its samples are read: ``length`` samples in each channel."""

    sampling_hz: Fraction
    length: int
    channels: tuple[Channel, ...]

    def check(self) -> None:
        """Hold it against C-ECG-1 and C-ECG-2; raises Rejected with ``ecg.leads``, ``length`` or ``sampling``."""
        names = [channel.name for channel in self.channels]
        if not names or len(set(names)) != len(names) or any(name not in LEADS for name in names):
            raise Rejected(Reason.ECG_LEADS, BLOB)
        if "unspecified" in names and len(names) > 1:
            raise Rejected(Reason.ECG_LEADS, BLOB)
        if self.length < self.sampling_hz:
            raise Rejected(Reason.ECG_LENGTH, BLOB)
        units = {channel.unit for channel in self.channels}
        if (
            not SAMPLING_HZ[0] <= self.sampling_hz <= SAMPLING_HZ[1]
            or len(units) != 1
            or not units <= set(UNITS)
            or any(not channel.step for channel in self.channels)
        ):
            raise Rejected(Reason.ECG_SAMPLING, BLOB)

    def wave(self, file: str) -> Wave:
        """What is told of it; ``file`` is the hex SHA-256 of its waveform file."""
        return Wave(number(self.sampling_hz), self.channels[0].unit, self.leads, self.length, file)

    @property
    def leads(self) -> tuple[tuple[str, str, str], ...]:
        """(name, step, baseline) of each channel; raises Rejected (``ecg.sampling``) for a number too long to keep."""
        return tuple(
            (str(each.name), number(each.step), number(each.baseline, _FINELY, _ROUNDED)) for each in self.channels
        )


def number(value: Fraction, *rounded: Context) -> str:
    """Plain decimal text of at most 22 characters: exact where there is such a text, else rounded to 15 digits.

    A range of 10 mV over 65,535 steps has no finite step: 15 digits are off by less than a millionth of a step over the
    whole of int16; a baseline far from 0 needs 19 for that, and ``rounded`` names what is tried instead.

    Raises Rejected (``ecg.sampling``) when even the rounded text is too long.
    """
    top, bottom = Decimal(value.numerator), Decimal(value.denominator)
    try:
        text = _plain(_EXACT.divide(top, bottom))
    except Inexact:
        text = ""
    for context in rounded or (_ROUNDED,):
        if not 0 < len(text) <= MAX_LENGTH:
            text = _plain(context.divide(top, bottom))
    if len(text) > MAX_LENGTH:
        raise Rejected(Reason.ECG_SAMPLING, BLOB)
    return text


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text
