"""A photograph of the fundus: the picture comes apart, the reading says what it shows (device contract, section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from ingest.kinds.blob import BlobForm
from ingest.kinds.kind import WIRE, Content, Kind, Values
from ingest.metrics import exact_text
from ingest.model import Image
from ingest.reasons import Reason, Rejected
from ingest.schema import Maybe, fits
from ingest.wire import Number

DICOM = "application/dicom"
PICTURES = ("image/jpeg", "image/png", DICOM)
MOST_PICTURE = 100 * 1024**2
"""Bytes (C-RET-2)."""

Eye = Literal["left", "right"]
Field = Literal["macula", "disc", "disc_macula", "nasal", "temporal", "superior", "inferior", "other"]


class Retinography(Values):
    """``values`` of the kind: none."""


class ImageForm(BaseModel):
    """``image`` on the wire; angle in degrees."""

    model_config = WIRE

    blob: BlobForm
    eye: Maybe[Eye] = None
    field: Maybe[Field] = None
    angle_deg: Maybe[Number] = None
    pupil: Maybe[Literal["natural", "dilated"]] = None


def form(data: Mapping[str, Any]) -> ImageForm:
    """``image`` of a message; raises Rejected with ``schema.*``."""
    if "image" not in data:
        raise Rejected(Reason.SCHEMA_MISSING, "/image")
    return fits(ImageForm, data["image"], "/image")


def content(sent: ImageForm) -> Content:
    """Judge what is said of the picture; raises Rejected with ``number.*``, ``blob.*`` or ``image.*``, in this order.

    Only a DICOM file may say the eye and the field itself: they are never guessed (C-RET-3).
    """
    angle = None if sent.angle_deg is None else exact_text(sent.angle_deg, "/image/angle_deg")
    blob = sent.blob.judged("/image/blob", PICTURES, MOST_PICTURE)
    for name in ("eye", "field"):
        if getattr(sent, name) is None and blob.content_type != DICOM:
            raise Rejected(Reason.IMAGE_LATERALITY_MISSING, f"/image/{name}")
    return Content(blob=blob, image=Image(sent.eye, sent.field, angle, sent.pupil))


KIND = Kind(name="retinography", values=Retinography, metrics={}, form=form, content=content)
