"""Whether an ECG that was pulled is the recording: every sample of every lead, and its scale.

Comes in: tracings as FHIR Observations. Goes out: how many samples were compared, and the first difference. Refuses to
know: how the tracing came about; the file is read here anew, by its own standard.

MDC lead code = 131328 + the number in the file's SCP-ECG lead code (ISO/IEEE 11073-10101; DICOM CID 3001).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from app.demo.asked import Json
from app.demo.tracing import Lead, leads
from simulators.devices.ecg_cart import LEADS, RECORDING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_MDC_LEADS = 131_328


def compare(tracings: Sequence[Json], recording: Path = RECORDING) -> tuple[int, str | None]:
    """(samples compared, the first difference in words or None)."""
    wanted = _recorded(recording)
    for tracing in tracings:
        found = {lead.code: lead for lead in leads(tracing)}
        if found.keys() != wanted.keys():
            return 0, f"{len(wanted)} leads were recorded, and {len(found)} others came"
        for code, lead in wanted.items():
            if (problem := _difference(lead, found[code])) is not None:
                return 0, f"lead {lead.name}: {problem}"
    return len(tracings) * sum(len(lead.samples) for lead in wanted.values()), None


def _difference(wanted: Lead, found: Lead) -> str | None:
    facts = ("name", "factor", "origin", "unit", "period_ms")
    if other := [name for name in facts if getattr(wanted, name) != getattr(found, name)]:
        return f"another {', '.join(other)}"
    if wanted.samples != found.samples:
        return "other samples"
    return None


def _recorded(path: Path) -> dict[str, Lead]:
    from pydicom import dcmread

    rhythm = dcmread(path).WaveformSequence[0]
    channels = list(rhythm.ChannelDefinitionSequence)
    whole = memoryview(rhythm.WaveformData).cast("h")  # int16, and the files are little-endian, as this machine is
    return {
        lead.code: lead
        for number, channel in enumerate(channels)
        for lead in [_lead(channel, tuple(whole[number :: len(channels)]), Decimal(rhythm.SamplingFrequency))]
    }


def _lead(channel: Dataset, samples: tuple[int, ...], hertz: Decimal) -> Lead:
    source = channel.ChannelSourceSequence[0]
    return Lead(
        name=LEADS[str(source.CodeValue)],
        code=str(_MDC_LEADS + int(str(source.CodeValue).rpartition("-")[2])),
        samples=samples,
        factor=Decimal(channel.ChannelSensitivity) * Decimal(channel.ChannelSensitivityCorrectionFactor),
        origin=Decimal(channel.ChannelBaseline),
        unit=str(channel.ChannelSensitivityUnitsSequence[0].CodeValue),
        period_ms=1000 / hertz,
    )
