"""What a content says against the patient of its reading: it names somebody else, or stands in another record already.

Comes in: readings with the patient that their device's assignment gives them. Goes out: a ``Doubt`` for those that a
person has to look at (C-RET-4, C-BLB-6). Refuses to know: pictures, who is right.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from ingest.content.found import Found
from ingest.ledger.readings import Accepted
from ingest.ledger.schema import ATTRIBUTION, CONTENT, READING
from ingest.model import Image
from registry import people
from registry.attribution import Doubt, differs
from registry.model import Patient


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose a content is said to be; ``eye`` is None for what is no photograph of one."""

    patient: str
    eye: str | None = None


def doubts(
    connection: Connection, given: Iterable[tuple[Accepted, str]], retracted: Collection[int] = ()
) -> dict[int, Doubt]:
    """Journal position to what speaks against it, of readings with the patient each of them would go to, in order.

    What is being taken back (``retracted``) claims nothing any more.
    """
    contents = [(each, who) for each, who in given if each.reading.blob is not None]
    if not contents:
        return {}
    persons = people.find(connection, {who for each, who in contents if each.found and each.found.person})
    claimed = _standing(connection, {each.reading.blob.sha256 for each, _ in contents if each.reading.blob}, retracted)
    found = {each.position: _doubt(each, who, persons, claimed) for each, who in contents}
    return {position: doubt for position, doubt in found.items() if doubt is not None}


def _doubt(each: Accepted, who: str, persons: Mapping[str, Patient], claimed: dict[str, set[Claim]]) -> Doubt | None:
    """``claimed`` grows by what a reading without doubt claims: the next one of the same blob is held against it."""
    if each.missing:
        return Doubt.CONTENT_MISSING
    if who in persons and differs(each.found.person if each.found else None, persons[who]):
        return Doubt.PATIENT_DIFFERS
    blob = each.reading.blob
    if blob is not None:
        claim, others = Claim(who, _eye(each.reading.image, each.found)), claimed.setdefault(blob.sha256, set())
        if others - {claim}:
            return Doubt.BLOB_CLAIMED_TWICE
        others.add(claim)
    return None


def _eye(image: Image | None, found: Found | None) -> str | None:
    """The eye that a reading is about: as its message says, else as its file does."""
    return (image.eye if image else None) or (found.eye if found else None)


def _standing(connection: Connection, hashes: Collection[str], retracted: Collection[int]) -> dict[str, set[Claim]]:
    """What the readings in somebody's record claim of these blobs (hex SHA-256), by blob."""
    wanted = (
        select(CONTENT.c.sha, CONTENT.c.found, READING.c.content, ATTRIBUTION.c.patient)
        .join_from(CONTENT, READING, READING.c.position == CONTENT.c.position)
        .join(ATTRIBUTION, ATTRIBUTION.c.position == CONTENT.c.position)
        .where(CONTENT.c.sha.in_([bytes.fromhex(each) for each in hashes]), ATTRIBUTION.c.retracted_at.is_(None))
        .where(CONTENT.c.position.not_in(retracted))
    )
    claimed: dict[str, set[Claim]] = {}
    for sha, found, content, patient in connection.execute(wanted):
        image = json.loads(content).get("image") if content else None
        about = _eye(Image(**image) if image else None, Found.of(found) if found else None)
        claimed.setdefault(sha.hex(), set()).add(Claim(patient, about))
    return claimed
