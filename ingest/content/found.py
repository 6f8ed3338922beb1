"""What looking into a content told: plain facts, as nouns and as JSON.

Comes in: nothing. Goes out: ``Found``. Refuses to know: file formats, what follows from a fact.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Wave:
    """A recording whose samples were written to a waveform file: int16 little-endian, one lead after the other.

    ``leads`` holds (name, step, baseline) in the file's order, decimal texts in ``unit``; ``length`` is samples a lead;
    ``sampling_hz`` a decimal text; ``file`` the hex SHA-256 of the waveform file. -32768 is a missing sample.
    """

    sampling_hz: str
    unit: str
    leads: tuple[tuple[str, str, str], ...]
    length: int
    file: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A photograph's size in pixels, bits a sample, and the hex SHA-256 of its thumbnail (JPEG, 256 pixels at most)."""

    width: int
    height: int
    bits: int
    thumbnail: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a DICOM file names; empty elements are None. ``birth_date`` is YYYY-MM-DD."""

    family: str | None = None
    given: str | None = None
    birth_date: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """The DICOM object's own names (UIDs), its SOP class and modality."""

    study: str
    series: str
    instance: str
    sop_class: str
    modality: str


@dataclass(frozen=True, slots=True)
class Found:
    """What one content told. ``eye`` and ``field`` are the contract's words, from DICOM tags only.

    ``sha1`` is the hex SHA-1 of the content, which FHIR's ``Attachment.hash`` wants (R4, datatypes.html#attachment).
    """

    wave: Wave | None = None
    picture: Picture | None = None
    person: Person | None = None
    instance: Instance | None = None
    eye: str | None = None
    field: str | None = None
    sha1: str | None = None

    def text(self) -> str:
        """Compact JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def of(cls, text: str) -> Self:
        """What ``text`` gave; raises ValueError or TypeError for anything else."""
        told = json.loads(text)
        wave = told.get("wave")
        if wave is not None:
            wave["leads"] = tuple((name, step, baseline) for name, step, baseline in wave["leads"])
        return cls(
            wave=None if wave is None else Wave(**wave),
            picture=None if told.get("picture") is None else Picture(**told["picture"]),
            person=None if told.get("person") is None else Person(**told["person"]),
            instance=None if told.get("instance") is None else Instance(**told["instance"]),
            eye=told.get("eye"),
            field=told.get("field"),
            sha1=told.get("sha1"),
        )
