"""An ECG recording with its leads inline, and the figures the device computed itself (device contract, section 5)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ingest.kinds.kind import WIRE, Kind, Sent, Values
from ingest.metrics import ECG_PR, ECG_QRS, ECG_QT, ECG_QTC, ECG_RATE, exact_text
from ingest.model import Lead, Recording
from ingest.reasons import Reason, Rejected
from ingest.schema import Maybe
from ingest.wire import Number

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6", "unspecified")
"""C-ECG-1. ``unspecified`` is for one-lead devices and stands alone."""
SAMPLING_HZ = (Decimal(50), Decimal(2000))
"""C-ECG-2, inclusive."""
INLINE_BASE64 = 750_000
"""Bytes of base64 that all leads together may have inline (C-ECG-2)."""
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
    """``recording`` with its samples in the message; files (``blob``) are not taken by this version."""

    model_config = WIRE

    sampling_hz: Number
    unit: Maybe[str] = None
    step: Number
    baseline: Number
    encoding: Literal["int16le"]
    leads: Annotated[dict[str, str], Field(max_length=64)]


def recording(sent: Inline) -> Recording:
    """Decode ``recording``: samples bit for bit as sent.

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
    lengths = {len(lead.samples) for lead in leads}
    if len(lengths) != 1 or lengths.pop() // BYTES_PER_SAMPLE < sent.sampling_hz:
        raise Rejected(Reason.ECG_LENGTH, "/recording/leads")
    if not SAMPLING_HZ[0] <= sent.sampling_hz <= SAMPLING_HZ[1]:
        raise Rejected(Reason.ECG_SAMPLING, "/recording/sampling_hz")
    if not sent.step:
        raise Rejected(Reason.ECG_SAMPLING, "/recording/step")
    return Recording(hertz, sent.unit, leads)


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
    form=Inline,
    recording=recording,
)
