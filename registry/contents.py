"""What of a reading is not in its values: blob, image, recording, and how far each is.

Comes in: a snapshot of the ledger, positions of readings. Goes out: ``Content``. Refuses to know: bytes, samples, whom
a DICOM file names.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from ingest.blobs import missing
from ingest.content.found import Found, Picture
from ingest.ledger.contents import WAITING
from ingest.ledger.schema import CONTENT, PIECE, RECORDING
from ingest.model import Blob, Image, Part


@dataclass(frozen=True, slots=True)
class Recorded:
    """A whole recording without its samples; ``samples`` counts those of each lead, ``sampling_hz`` is as sent."""

    sampling_hz: str
    unit: str
    leads: tuple[str, ...]
    samples: int
    complete: bool

    @property
    def seconds(self) -> float:
        """How long it is."""
        return float(self.samples / Decimal(self.sampling_hz))


@dataclass(frozen=True, slots=True)
class Content:
    """``state`` is that of ``ingest.ledger.schema.CONTENT``, None for a reading that came whole in its message.

    ``image`` holds what the message said, and where it said nothing what the DICOM tags say. ``missing``: byte ranges
    [from, to) of the blob, of one that waits for parts only.
    """

    state: str | None = None
    reason: str | None = None
    pointer: str | None = None
    blob: Blob | None = None
    missing: tuple[tuple[int, int], ...] = ()
    image: Image | None = None
    picture: Picture | None = None
    part: Part | None = None
    recording: Recorded | None = None


def of(connection: Connection, told: Mapping[int, str | None]) -> dict[int, Content]:
    """The contents of readings; ``told`` is their column ``reading.content``. Positions without any are left out."""
    found = {position: _said(text) for position, text in told.items() if text is not None}
    _judged(connection, found)
    _recorded(connection, found, told)
    return found


def _said(text: str) -> Content:
    told = json.loads(text)
    nouns: dict[str, Any] = {"blob": Blob, "image": Image, "part": Part}
    return Content(**{name: noun(**told[name]) for name, noun in nouns.items() if name in told})


def _judged(connection: Connection, found: dict[int, Content]) -> None:
    """Add how far each is, and what looking at it told."""
    waiting: dict[int, tuple[str, bytes]] = {}
    for row in connection.execute(select(CONTENT).where(CONTENT.c.position.in_(list(found)))):
        known = replace(found[row.position], state=row.state, reason=row.reason, pointer=row.pointer)
        found[row.position] = known if row.found is None else _looked_at(known, Found.of(row.found))
        if row.state == WAITING and row.sha is not None:
            waiting[row.position] = (row.device, row.sha)
    kept = _kept(connection, set(waiting.values()))
    for position, blob in waiting.items():
        if (known := found[position]).blob is not None:
            found[position] = replace(known, missing=tuple(missing(kept[blob], known.blob.size)))


def _looked_at(known: Content, told: Found) -> Content:
    image = known.image
    if image is not None:
        image = Image(image.eye or told.eye, image.field or told.field, image.angle_deg, image.pupil)
    return replace(known, image=image, picture=told.picture)


def _kept(connection: Connection, blobs: set[tuple[str, bytes]]) -> Mapping[tuple[str, bytes], list[tuple[int, int]]]:
    kept: dict[tuple[str, bytes], list[tuple[int, int]]] = defaultdict(list)
    for device, sha in blobs:
        ours = (PIECE.c.device == device, PIECE.c.sha == sha)
        kept[device, sha] = [(row.start, row.end) for row in connection.execute(select(PIECE).where(*ours))]
    return kept


def _recorded(connection: Connection, found: dict[int, Content], told: Mapping[int, str | None]) -> None:
    r = RECORDING.c  # not its samples: they are most of the ledger
    wanted = select(r.position, r.sampling_hz, r.unit, r.leads, r.length, r.complete)
    for row in connection.execute(wanted.where(r.position.in_(list(told)))):
        leads = tuple(name for name, _step, _baseline in json.loads(row.leads))
        recorded = Recorded(row.sampling_hz, row.unit, leads, row.length, bool(row.complete))
        found[row.position] = replace(found.get(row.position, Content()), recording=recorded)
