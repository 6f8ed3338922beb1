"""Files that come apart from their reading: what left the devices in parts, and what a client gets back.

Comes in: what devices made, how their runs went, what was pulled. Goes out: which photograph is of which eye; the first
difference in words. Refuses to know: what a file shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from app.demo import asked
from app.demo.asked import Json, Told
from app.demo.evidence import Made
from simulators.simulate import Report

EYES = {"723299002": "left", "723298005": "right"}
"""SNOMED CT: structure of the fundus of the left, of the right eye."""
FIELDS = {"111900": "macula", "111901": "disc"}
"""DICOM CID 4207: macula centered, optic disc centered."""
MOST = 1.3
"""Times their bytes that files may take on the way, whatever is lost and said twice."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What devices put on the line of large contents: parts, their bytes, what the line did to them."""

    parts: int = 0
    size: int = 0
    lost: int = 0
    twice: int = 0
    shuffled: int = 0

    @classmethod
    def of(cls, reports: Iterable[Report]) -> Self:
        """Of all runs together."""
        all_ = list(reports)
        return cls(
            sum(one.tally.parts for one in all_),
            sum(one.tally.part_bytes for one in all_),
            *(sum(one.faults[name] for one in all_) for name in ("blob_drop", "blob_repeat", "blob_shuffle")),
        )


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph as pulled: of which eye and field, by the codes of its Media, and its bytes."""

    reading: str
    eye: str | None
    field: str | None
    body: bytes


def photographs(told: Told) -> Iterator[Photograph]:
    """Every photograph that was pulled."""
    for media in told.seen("Media"):
        eye, field = _word(media.get("bodySite"), EYES), _word(media.get("view"), FIELDS)
        yield Photograph(_reading(media), eye, field, told.files[str(media["content"]["url"])])


def difference(stored: Mapping[str, Made], told: Told) -> str | None:
    """What of the files pulled is not as the devices sent it; None when all is."""
    files = {
        _reading(resource): told.files[str(one["url"])]
        for resource in told.seen("Media", "DocumentReference")
        for one in asked.attachments(resource)
    }
    claims = {reading: made.content for reading, made in stored.items() if made.content}
    if files.keys() != claims.keys() or not claims:
        return f"{len(claims)} were sent and {len(files)} pulled"
    if others := [reading for reading, claim in claims.items() if _sum(files[reading]) != claim.sha256]:
        return f"other bytes for {len(others)} of them: {', '.join(others[:3])}"
    views = {reading: (made.eye, made.field) for reading, made in stored.items() if made.kind == "retinography"}
    if views != {one.reading: (one.eye, one.field) for one in photographs(told)}:
        return "another eye or field"
    return None


def _word(concept: Json | None, words: Mapping[str, str]) -> str | None:
    codings = concept.get("coding", ()) if concept else ()
    return next((words[str(one["code"])] for one in codings if str(one["code"]) in words), None)


def _reading(resource: Json) -> str:
    return str(resource["id"]).partition("-")[0]


def _sum(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
