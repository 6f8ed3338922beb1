"""An ECG: leads inline, live parts, or a file; and the figures the device computed (device contract, section 5)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from ingest.kinds.blob import BlobForm
from ingest.kinds.kind import WIRE, Content, Kind, Sent, Values
from ingest.metrics import ECG_PR, ECG_QRS, ECG_QT, ECG_QTC, ECG_RATE, exact_text
from ingest.model import Lead, Part, Recording
from ingest.reasons import Reason, Rejected
from ingest.schema import Maybe, fits
from ingest.wire import Hex32, Number, Seq

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6", "unspecified")
"""C-ECG-1. ``unspecified`` is for one-lead devices and stands alone."""
SAMPLING_HZ = (Decimal(50), Decimal(2000))
"""C-ECG-2, inclusive."""
INLINE_BASE64 = 750_000
"""Bytes of base64 that all leads together may have inline (C-ECG-2)."""
SHORTEST = (Decimal(1), None)
"""Seconds of a whole recording, least and most (C-ECG-2)."""
LIVE_SECONDS = (Decimal("0.2"), Decimal(2))
"""Seconds of a live message (C-ECG-5)."""
FILES = ("application/dicom", "application/edf")
MOST_FILE = 512 * 1024**2
"""Bytes (C-ECG-3)."""
UNITS = ("uV", "mV")
BYTES_PER_SAMPLE = 2
"""``int16le`` (C-ECG-1)."""


class Ecg(Values):
    """``values`` of the kind: all optional; rate in /min, intervals in ms."""

    heart_rate: Maybe[Sent] = None
    pr: Maybe[Sent] = None
    qrs: Maybe[Sent] = None
    qt: Maybe[Sent] = None
    qtc: Maybe[Sent] = None


class Inline(BaseModel):
    """``recording`` with its samples in the message."""

    model_config = WIRE

    sampling_hz: Number
    unit: Maybe[str] = None
    step: Number
    baseline: Number
    encoding: Literal["int16le"]
    leads: Annotated[dict[str, str], Field(max_length=64)]


class ByBlob(BaseModel):
    """``recording`` as a file that comes apart."""

    model_config = WIRE

    blob: BlobForm


class Live(BaseModel):
    """``part``: where a live message's samples stand (C-ECG-5)."""

    model_config = WIRE

    recording: Hex32
    from_sample: Seq
    last: bool


@dataclass(frozen=True, slots=True)
class Form:
    """What a message holds of a recording: samples, or a file; ``live`` says that the samples are a part."""

    inline: Inline | None = None
    blob: BlobForm | None = None
    live: Live | None = None


def form(data: Mapping[str, Any]) -> Form:
    """``recording`` and ``part`` of a message; raises Rejected with ``schema.*``."""
    if "recording" not in data:
        raise Rejected(Reason.SCHEMA_MISSING, "/recording")
    sent = data["recording"]
    if isinstance(sent, dict) and "blob" in sent:
        found = fits(ByBlob, sent, "/recording")
        if "part" in data:
            raise Rejected(Reason.SCHEMA_NOT_ALLOWED, "/part")
        return Form(blob=found.blob)
    inline = fits(Inline, sent, "/recording")
    return Form(inline, live=fits(Live, data["part"], "/part") if "part" in data else None)


def content(sent: Form) -> Content:
    """Judge a recording: samples bit for bit as sent, or what is known of its file.

    Raises Rejected with ``number.*``, ``unit.*``, ``ecg.*`` or ``blob.*``, in this order.
    """
    if sent.blob is not None:
        return Content(blob=sent.blob.judged("/recording/blob", FILES, MOST_FILE))
    if sent.inline is None:
        raise Rejected(Reason.SCHEMA_MISSING, "/recording")
    if sent.live is None:
        return Content(recording(sent.inline, SHORTEST))
    found = recording(sent.inline, LIVE_SECONDS)
    return Content(found, part=Part(sent.live.recording, sent.live.from_sample, sent.live.last))


def recording(sent: Inline, seconds: tuple[Decimal, Decimal | None]) -> Recording:
    """Decode ``recording``, which lasts as long as ``seconds`` (least, most) allows.

    Raises Rejected with ``number.*``, ``unit.*`` or ``ecg.*``, in this order.
    """
    hertz, step, baseline = (
        exact_text(getattr(sent, name), f"/recording/{name}") for name in ("sampling_hz", "step", "baseline")
    )
    if sent.unit is None:
        raise Rejected(Reason.UNIT_MISSING, "/recording/unit")
    if sent.unit not in UNITS:
        raise Rejected(Reason.UNIT_NOT_ALLOWED, "/recording/unit")
    _check_leads(sent.leads)
    leads = tuple(Lead(name, _samples(name, text), step, baseline) for name, text in sent.leads.items())
    _check_length({len(lead.samples) // BYTES_PER_SAMPLE for lead in leads}, Decimal(sent.sampling_hz), seconds)
    if not SAMPLING_HZ[0] <= sent.sampling_hz <= SAMPLING_HZ[1]:
        raise Rejected(Reason.ECG_SAMPLING, "/recording/sampling_hz")
    if not sent.step:
        raise Rejected(Reason.ECG_SAMPLING, "/recording/step")
    return Recording(hertz, sent.unit, leads)


def _check_length(lengths: set[int], hertz: Decimal, seconds: tuple[Decimal, Decimal | None]) -> None:
    """All leads of one length, within ``seconds``; multiplied, because a frequency may be 0 until it is judged."""
    least, most = seconds
    samples = lengths.pop()
    if lengths or samples < least * hertz or (most is not None and samples > most * hertz):
        raise Rejected(Reason.ECG_LENGTH, "/recording/leads")


def _check_leads(leads: Mapping[str, str]) -> None:
    if not leads or ("unspecified" in leads and len(leads) > 1):
        raise Rejected(Reason.ECG_LEADS, "/recording/leads")
    if any(name not in LEADS for name in leads):
        raise Rejected(Reason.ECG_LEADS, "/recording/leads")
    if sum(map(len, leads.values())) > INLINE_BASE64:
        raise Rejected(Reason.ECG_LENGTH, "/recording/leads")


def _samples(name: str, text: str) -> bytes:
    fault = Rejected(Reason.ECG_LENGTH, f"/recording/leads/{name}")
    try:
        samples = base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error is one, and so is text that is not ASCII
        raise fault from None
    if len(samples) % BYTES_PER_SAMPLE:
        raise fault
    return samples


KIND = Kind(
    name="ecg",
    values=Ecg,
    metrics={"heart_rate": ECG_RATE, "pr": ECG_PR, "qrs": ECG_QRS, "qt": ECG_QT, "qtc": ECG_QTC},
    form=form,
    content=content,
)
