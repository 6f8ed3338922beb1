"""A fundus photograph as a DICOM object: Ophthalmic Photography 8 Bit (PS3.3 A.41), the JPEG inside as it is.

Comes in: JPEG bytes, eye and field, the time. Goes out: the file's bytes. Refuses to know: the patient: name and id are
empty, which DICOM allows (type 2). Codes: eye SCT 81745001; view CID 4207; laterality C.8.17.2 and C.8.17.5.
"""

from __future__ import annotations

from datetime import datetime
from io import BytesIO
from typing import TypeVar

VIEWS = {
    "macula": ("111900", "Macula centered"),
    "disc": ("111901", "Disc centered"),
    "disc_macula": ("111903", "Disc-macula centered"),
}
"""DCM codes of the views that say their field (PS3.16 CID 4207)."""
_Item = TypeVar("_Item")
_JPEG_BASELINE, _OPHTHALMIC_8_BIT = "1.2.840.10008.1.2.4.50", "1.2.840.10008.5.1.4.1.1.77.1.5.1"


def dicom(jpeg: bytes, shown: tuple[str, str, float], at: datetime, *, comment: str = "") -> bytes:
    """One frame; `shown` is the eye (left, right), the field (of `VIEWS`, else KeyError), and its angle in degrees.

    UIDs are drawn anew, below 2.25.
    """
    from PIL import Image
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID, generate_uid

    eye, field, angle = shown
    with Image.open(BytesIO(jpeg)) as drawn:
        columns, rows = drawn.size
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(_OPHTHALMIC_8_BIT)
    meta.MediaStorageSOPInstanceUID = generate_uid(None)
    meta.TransferSyntaxUID = UID(_JPEG_BASELINE)
    whole = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    date, clock, zone = at.strftime("%Y%m%d"), at.strftime("%H%M%S"), at.strftime("%z")
    view, meaning = VIEWS[field]
    said = {
        "SOPClassUID": meta.MediaStorageSOPClassUID, "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "StudyInstanceUID": generate_uid(None), "SeriesInstanceUID": generate_uid(None),
        "PatientName": "", "PatientID": "", "PatientBirthDate": "", "PatientSex": "", "StudyID": "",
        "AccessionNumber": "", "ReferringPhysicianName": "", "SeriesNumber": 1, "InstanceNumber": 1,
        "Modality": "OP", "Manufacturer": "Exemple", "ManufacturerModelName": "Retina-45",
        "DeviceSerialNumber": "0", "SoftwareVersions": "2.0.0",
        "StudyDate": date, "StudyTime": clock, "ContentDate": date, "ContentTime": clock,
        "AcquisitionDateTime": date + clock + zone, "ImageType": ["ORIGINAL", "PRIMARY", "", "COLOR"],
        "ImageLaterality": eye[0].upper(), "HorizontalFieldOfView": float(angle), "PupilDilated": "NO",
        "AnatomicRegionSequence": [_code(Dataset(), "81745001", "SCT", "Eye")],
        "ViewCodeSequence": [_code(Dataset(), view, "DCM", meaning)],
        "SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL_422", "PlanarConfiguration": 0,
        "Rows": rows, "Columns": columns, "NumberOfFrames": 1,
        "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0,
        "BurnedInAnnotation": "NO", "LossyImageCompression": "01", "LossyImageCompressionMethod": "ISO_10918_1",
        "LossyImageCompressionRatio": round(rows * columns * 3 / len(jpeg), 2),
    }  # fmt: skip
    if comment:
        said |= {"ImageComments": comment, "ImageType": ["DERIVED", "PRIMARY", "", "COLOR"]}
    for name, value in said.items():
        setattr(whole, name, value)
    whole.PixelData = encapsulate([jpeg])
    written = BytesIO()
    whole.save_as(written, enforce_file_format=True)
    return written.getvalue()


def _code(item: _Item, value: str, scheme: str, meaning: str) -> _Item:
    for name, said in (("CodeValue", value), ("CodingSchemeDesignator", scheme), ("CodeMeaning", meaning)):
        setattr(item, name, said)
    return item
