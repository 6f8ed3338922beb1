"""The ECG recording with a patient typed in at the cart, as a nurse does before pressing the button.

Comes in: a test identity, a folder. Goes out: a DICOM file. Refuses to know: the samples, which stay as they are. A
file that names somebody else than the device's patient is not exported (device contract, C-RET-4).
"""

from __future__ import annotations

from pathlib import Path

from app.demo.scenario import FAMILY, LOCAL, Person
from simulators.devices.ecg_cart import RECORDING


def recording(person: Person, folder: Path) -> Path:
    """A copy of the recording that names ``person``."""
    from pydicom import dcmread

    dataset = dcmread(RECORDING)
    dataset.PatientName = f"{FAMILY}^{person.given}"
    dataset.PatientBirthDate = person.birth_date.replace("-", "")
    dataset.PatientSex = person.gender[0].upper()
    dataset.PatientID = next(number.partition("|")[2] for number in person.identifiers if number.startswith(LOCAL))
    path = folder / f"ecg-{person.given.lower()}.dcm"
    dataset.save_as(path)
    return path
