"""Files of ECGs for the tests beside this one: DICOM written by pydicom, EDF written by edfio."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import edfio
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

REAL = Path(__file__).parents[2] / "simulators" / "recordings" / "ecg-12-lead.dcm"
GENERAL = "1.2.840.10008.5.1.4.1.1.9.1.2"
CODES = {"I": "2:1", "II": "2:2", "III": "2:61", "V1": "2:3", "V5": "2:7"}


def code(scheme: str, value: str) -> Dataset:
    """One item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "-"
    return item


def channel(source: Dataset, sensitivity: str = "2.5", baseline: str = "0", unit: str = "uV") -> Dataset:
    """One item of a channel definition sequence."""
    item = Dataset()
    item.ChannelSourceSequence = [source]
    item.ChannelSensitivity, item.ChannelSensitivityCorrectionFactor = sensitivity, "1"
    item.ChannelSensitivityUnitsSequence = [code("UCUM", unit)]
    item.ChannelBaseline, item.ChannelSampleSkew = baseline, "0"
    item.WaveformBitsStored = 16
    return item


@dataclass
class Ecg:
    """What to write into a DICOM ECG; ``samples`` has the shape (leads, length)."""

    samples: NDArray[np.generic]
    leads: Sequence[str] = ("I", "II")
    sampling_hz: str = "250"
    sop_class: str = GENERAL
    form: tuple[int, str] = (16, "SS")
    padding: bytes | None = None
    originality: str = "ORIGINAL"
    syntax: str = ExplicitVRLittleEndian
    defined: bool = True
    edit: Callable[[Dataset], None] | None = None

    def group(self) -> Dataset:
        """The multiplex group."""
        item = Dataset()
        item.WaveformOriginality = self.originality
        item.NumberOfWaveformChannels, item.NumberOfWaveformSamples = self.samples.shape
        item.SamplingFrequency = self.sampling_hz
        item.ChannelDefinitionSequence = [channel(code("MDC", CODES.get(lead, lead))) for lead in self.leads]
        item.WaveformBitsAllocated, item.WaveformSampleInterpretation = self.form
        vr = "OW" if self.form[0] == 16 else "OB"
        if self.padding is not None:
            item.add_new("WaveformPaddingValue", vr, self.padding)
        data = self.samples.T.tobytes()
        item.add_new("WaveformData", vr, data + bytes(len(data) % 2))
        return item

    def dataset(self) -> Dataset:
        """The object without its file header."""
        ds = Dataset()
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = self.sop_class, "1.2.3.1", "ECG"
        ds.PatientName, ds.PatientID, ds.PatientBirthDate = "EXEMPLE-FICTIF^Zoé", "X1", "19800229"
        ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3.2", "1.2.3.3"
        ds.WaveformSequence = [self.group()]
        if self.edit is not None:
            self.edit(ds)
        for each in (ds["WaveformSequence"], *(group["ChannelDefinitionSequence"] for group in ds.WaveformSequence)):
            each.is_undefined_length = not self.defined
        for item in ds.WaveformSequence:
            item.is_undefined_length_sequence_item = not self.defined
        return ds

    def written(self) -> bytes:
        """The file."""
        ds = self.dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = UID(self.syntax)
        ds.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.1")
        file = io.BytesIO()
        ds.save_as(file, enforce_file_format=True)
        return file.getvalue()


def edf_signal(
    label: str,
    digital: NDArray[np.int16],
    hertz: float = 250,
    unit: str = "uV",
    limits: tuple[float, float] = (-8192, 8191.75),
) -> edfio.EdfSignal:
    """A signal whose digital limits are all of int16."""
    return edfio.EdfSignal.from_digital(
        digital, hertz, label=label, physical_dimension=unit, physical_range=limits, digital_range=(-32768, 32767)
    )


def edf_file(*signals: edfio.EdfSignal, **more: object) -> bytes:
    """An EDF (EDF+ where ``annotations`` is given)."""
    return edfio.Edf(signals, **more).to_bytes()  # type: ignore[arg-type] # passed on as they are
