"""The JSON of ``/api/v1`` about contents that come apart from their reading, and about recordings.

Comes in: nouns of the registry. Goes out: the models that FastAPI documents. Refuses to know: where they come from.
"""

from __future__ import annotations

from typing import Self, TypedDict

from pydantic import BaseModel, Field

from registry.contents import Content, Recorded
from registry.recordings import Stretch


class BlobOut(BaseModel):
    """A large content: hex SHA-256, length, MIME type, how far it is.

    ``state``: waiting for parts, complete (to be looked at), ready, refused with ``reason`` and ``pointer``.
    ``missing``: byte ranges [from, to) that have not come, while it waits.
    """

    sha256: str
    bytes: int
    content_type: str
    state: str | None
    reason: str | None
    pointer: str | None
    missing: list[tuple[int, int]] | None


class ImageOut(BaseModel):
    """A photograph: as the message says, else as its DICOM tags say; its size in pixels once it was looked at."""

    eye: str | None
    field: str | None
    angle_deg: str | None
    pupil: str | None
    width: int | None
    height: int | None
    thumbnail: bool


class RecordingOut(BaseModel):
    """A recording without its samples: those of each lead are counted. Not ``complete``: parts of it never came."""

    sampling_hz: str
    unit: str
    leads: list[str]
    samples: int
    seconds: float
    complete: bool

    @classmethod
    def of(cls, found: Recorded) -> Self:
        """The recording as it is kept."""
        return cls(
            sampling_hz=found.sampling_hz, unit=found.unit, leads=list(found.leads), samples=found.samples,
            seconds=found.seconds, complete=found.complete,
        )  # fmt: skip


class PartOut(BaseModel):
    """Where a live message's samples stand in their recording."""

    recording: str
    from_sample: int
    last: bool


class ContentOut(BaseModel):
    """What of a reading is not in its values; absent for most."""

    blob: BlobOut | None
    image: ImageOut | None
    recording: RecordingOut | None
    part: PartOut | None


class StretchOut(BaseModel):
    """Samples of one lead taken at ``from`` seconds and later, before ``to``; null: not measured.

    A sample's value is sample x ``step`` + ``baseline``, in ``unit``.
    """

    lead: str
    unit: str
    step: str
    baseline: str
    sampling_hz: str
    from_: float = Field(serialization_alias="from")
    to: float
    samples: list[int | None]

    @classmethod
    def of(cls, found: Stretch) -> Self:
        """The stretch as it was read."""
        return cls(
            lead=found.lead, unit=found.unit, step=found.step, baseline=found.baseline, sampling_hz=found.sampling_hz,
            from_=found.start, to=found.end, samples=list(found.samples),
        )  # fmt: skip


class Parts(TypedDict):
    """The members of ``ContentOut``."""

    blob: BlobOut | None
    image: ImageOut | None
    recording: RecordingOut | None
    part: PartOut | None


def parts(found: Content) -> Parts:
    """A content as those members."""
    part = found.part
    return {
        "blob": _blob(found),
        "image": _image(found),
        "recording": None if found.recording is None else RecordingOut.of(found.recording),
        "part": None
        if part is None
        else PartOut(recording=part.recording, from_sample=part.from_sample, last=part.last),
    }


def _blob(found: Content) -> BlobOut | None:
    blob = found.blob
    if blob is None:
        return None
    return BlobOut(
        sha256=blob.sha256, bytes=blob.size, content_type=blob.content_type, state=found.state, reason=found.reason,
        pointer=found.pointer, missing=list(found.missing) or None,
    )  # fmt: skip


def _image(found: Content) -> ImageOut | None:
    image, picture = found.image, found.picture
    if image is None:
        return None
    return ImageOut(
        eye=image.eye, field=image.field, angle_deg=image.angle_deg, pupil=image.pupil,
        width=None if picture is None else picture.width, height=None if picture is None else picture.height,
        thumbnail=picture is not None and picture.thumbnail is not None,
    )  # fmt: skip
