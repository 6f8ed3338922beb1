"""Whose reading it is: the time of measurement against the device's assignments. Pure.

Comes in: a reading's timing and flags, every assignment of its device. Goes out: a patient's id, or the ``Doubt``
that keeps the reading in the inbox. Refuses to know: where any of it is kept, when the reading arrived.

A reading belongs to whoever the device was assigned to when it was *measured* (device contract, section 10). Nothing is
guessed: every doubt is for a person.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from unicodedata import normalize

from ingest.content.found import Person
from ingest.model import Instant, TimeMark, Timing
from registry.model import Assignment, Patient

NEVER_A_PATIENTS = frozenset({"test", "calibrating"})
"""Flags of readings that never reach a patient's record (device contract, C-RD-8)."""


class Doubt(StrEnum):
    """Why a reading has no patient yet; the words are kept in the inbox."""

    FLAGGED = "flagged.not_a_patient"
    TIME_UNVERIFIED = "time.unverified"
    NONE_ASSIGNED = "assignment.none"
    AMBIGUOUS = "assignment.ambiguous"
    EXAM_UNKNOWN = "exam.unknown"
    PATIENT_DIFFERS = "patient.differs"
    BLOB_CLAIMED_TWICE = "blob.claimed_twice"
    CONTENT_MISSING = "content.missing"


def attribute(
    timing: Timing, assignments: Sequence[Assignment], flags: Collection[str] = (), exam: str | None = None
) -> str | Doubt:
    """The patient that the reading belongs to, or why a person has to say it.

    The measurement lies somewhere within ``used`` +- ``uncertainty``, both ends included (no known uncertainty: at
    ``used``). All of that has to fall into assignments of one patient; an assignment holds its start and not its end.
    """
    if not NEVER_A_PATIENTS.isdisjoint(flags):
        return Doubt.FLAGGED
    if timing.mark is TimeMark.UNVERIFIED:
        return Doubt.TIME_UNVERIFIED
    if exam is not None:  # no exam is known yet: a code at odds with the assignment is for a person (C-RD-9)
        return Doubt.EXAM_UNKNOWN
    around = timing.uncertainty or 0
    return _holder(timing.used - around, timing.used + around, assignments)


def differs(named: Person | None, patient: Patient) -> bool:
    """Whether a file names somebody else (C-RET-4): another family name or birth date, as far as it tells them.

    Letter case and spaces at the ends do not count. Given names are left out: devices cut and join them.
    """
    if named is None:
        return False
    told = ((named.family, patient.family), (named.birth_date, patient.birth_date))
    return any(_same(word) != _same(known) for word, known in told if word and word.strip())


def _same(text: str | None) -> str:
    return normalize("NFC", text or "").strip().casefold()


def _holder(first: Instant, last: Instant, assignments: Sequence[Assignment]) -> str | Doubt:
    touched = sorted(
        (a for a in assignments if a.start <= last and (a.end is None or first < a.end)), key=lambda a: a.start
    )
    patients = {a.patient for a in touched}
    if not patients:
        return Doubt.NONE_ASSIGNED
    if len(patients) > 1:
        return Doubt.AMBIGUOUS
    reached = first  # every instant before this one is known to be the patient's
    for held in touched:
        if held.start > reached:
            return Doubt.AMBIGUOUS
        reached = last + 1 if held.end is None else max(reached, held.end)
    return patients.pop() if reached > last else Doubt.AMBIGUOUS
