"""An ECG as an EDF+ file: sample for sample what a recording holds, under a header that says no more than is known.

Comes in: samples with their scale. Goes out: the file's bytes. Refuses to know: the wire, the patient: the header says
`X X X X`, which is how EDF+ writes that a person is not named (Kemp, Olivan, Clinical Neurophysiology 114:1755, 2003).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

LOWEST, HIGHEST = -32_768, 32_767
EQUIPMENT = "simulated_cart"


def edf(recording: Mapping[str, Any], at: datetime) -> bytes:
    """EDF+ of an inline `recording` (device contract, section 5) begun at `at`, local time.

    The physical range is the digital one times the step, so that a reader's own scaling gives the step back.
    """
    import numpy as np
    from edfio import Edf, EdfSignal, Patient, Recording

    step, baseline = (Decimal(str(recording[name])) for name in ("step", "baseline"))
    low, high = (float(count * step + baseline) for count in (LOWEST, HIGHEST))
    signals = [
        EdfSignal.from_digital(
            np.frombuffer(base64.b64decode(samples), dtype="<i2"),
            float(recording["sampling_hz"]),
            label=f"ECG {lead}",
            physical_dimension=str(recording["unit"]),
            physical_range=(low, high),
            digital_range=(LOWEST, HIGHEST),
        )
        for lead, samples in recording["leads"].items()
    ]
    whole = Edf(
        signals,
        patient=Patient(),
        recording=Recording(startdate=at.date(), equipment_code=EQUIPMENT),
        starttime=at.time().replace(microsecond=0, tzinfo=None),
        data_record_duration=1.0,
    )
    written = BytesIO()
    whole.write(written)
    return written.getvalue()
