"""Assignments: which patient a device belongs to, from when to when.

Comes in: a connection to the ledger, an interval. Goes out: ``Assignment``; readings that waited for one are due to
be looked at again. Refuses to know: how a reading is attributed (``registry.attribution``), FHIR.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, text, update

from ingest.clock import utc_text
from ingest.ledger.schema import ASSIGNMENT, ATTRIBUTION, READING
from ingest.model import Instant
from registry import devices, people
from registry.faults import Conflict, Unfit, Unknown
from registry.model import Assignment

_ID_BYTES = 8
# With the uncertainty of its clock a reading may touch an interval that its own time misses; and the time of one that
# was unverified when it came may have been corrected since, by any amount.
_REOPEN = text("""
INSERT INTO due (what, ref)
SELECT 'reading', CAST(i.position AS TEXT) FROM inbox i JOIN reading r ON r.position = i.position
WHERE i.device = :device AND (r.mark = 'unverified' OR r.used_at + coalesce(r.uncertainty, 0) >= :start
  AND (CAST(:end AS BIGINT) IS NULL OR r.used_at - coalesce(r.uncertainty, 0) < CAST(:end AS BIGINT)))
""")


def new_id() -> str:
    """A fresh assignment id: 16 random hex digits."""
    return secrets.token_hex(_ID_BYTES)


def assign(connection: Connection, made: Assignment, now: Instant) -> None:
    """Give the device to the patient for the interval; in the same transaction, what waits for it becomes due.

    Raises Unknown for an unregistered device or patient, Unfit for an empty interval, Conflict when the device
    belongs to anyone in a part of it.
    """
    devices.show(connection, made.device)
    people.show(connection, made.patient)
    if made.end is not None and made.end <= made.start:
        raise Unfit("assignment.interval", "The assignment ends before it begins.", "Give a later end, or none.")
    other = connection.execute(
        select(ASSIGNMENT.c.assignment).where(_overlap(made)).order_by(ASSIGNMENT.c.start)
    ).scalar()
    if other is not None:
        raise Conflict(
            "assignment.overlap",
            f"The device {made.device} is assigned in that time already, by the assignment {other}.",
            f"End that one first (`unassign {other} --at TIME`), or give another interval.",
        )
    connection.execute(
        ASSIGNMENT.insert().values(
            assignment=made.assignment,
            device=made.device,
            patient=made.patient,
            start=made.start,
            end=made.end,
            made_at=now,
        )
    )
    connection.execute(_REOPEN, {"device": made.device, "start": made.start, "end": made.end})


def end(connection: Connection, assignment: str, at: Instant) -> None:
    """Let an assignment end at ``at`` (exclusive) instead of later or never.

    Raises Unknown, Unfit when that is not inside it, Conflict when a reading measured after ``at`` is in the
    patient's record.
    """
    found = show(connection, assignment)
    if at <= found.start or (found.end is not None and at > found.end):
        raise Unfit(
            "assignment.interval",
            f"The assignment {assignment} runs from {utc_text(found.start)}"
            f" to {utc_text(found.end) if found.end is not None else 'further notice'}.",
            "Give a time inside it.",
        )
    taken = connection.execute(
        select(func.count())
        .select_from(ATTRIBUTION.join(READING, READING.c.position == ATTRIBUTION.c.position))
        .where(READING.c.device == found.device, ATTRIBUTION.c.used_at >= at)
        .where(ATTRIBUTION.c.patient == found.patient, ATTRIBUTION.c.retracted_at.is_(None))
    ).scalar()
    if taken:
        raise Conflict(
            "assignment.used",
            f"{taken} readings measured after that time are in the patient's record already.",
            "Give a later time.",
        )
    connection.execute(update(ASSIGNMENT).where(ASSIGNMENT.c.assignment == assignment).values(end=at))


def show(connection: Connection, assignment: str) -> Assignment:
    """One assignment; raises Unknown."""
    row = connection.execute(_ASSIGNMENTS.where(ASSIGNMENT.c.assignment == assignment)).one_or_none()
    if row is None:
        raise Unknown("assignment.unknown", "There is no such assignment.", "See `constantes assignments`.")
    return Assignment(*row)


def listed(connection: Connection, device: str | None = None, patient: str | None = None) -> list[Assignment]:
    """Every assignment, newest first; only those of a device or patient when asked."""
    wanted = _ASSIGNMENTS.order_by(ASSIGNMENT.c.start.desc(), ASSIGNMENT.c.assignment)
    if device is not None:
        wanted = wanted.where(ASSIGNMENT.c.device == device)
    if patient is not None:
        wanted = wanted.where(ASSIGNMENT.c.patient == patient)
    return [Assignment(*row) for row in connection.execute(wanted)]


def of_devices(connection: Connection, ids: Collection[str]) -> dict[str, list[Assignment]]:
    """The assignments of these devices, by device and start: what ``attribute`` is given."""
    found: dict[str, list[Assignment]] = {device: [] for device in ids}
    rows = connection.execute(_ASSIGNMENTS.where(ASSIGNMENT.c.device.in_(ids)).order_by(ASSIGNMENT.c.start))
    for row in rows:
        found[row.device].append(Assignment(*row))
    return found


_ASSIGNMENTS = select(
    ASSIGNMENT.c.assignment, ASSIGNMENT.c.device, ASSIGNMENT.c.patient, ASSIGNMENT.c.start, ASSIGNMENT.c.end
)


def _overlap(made: Assignment) -> ColumnElement[bool]:
    theirs = and_(ASSIGNMENT.c.device == made.device, or_(ASSIGNMENT.c.end.is_(None), ASSIGNMENT.c.end > made.start))
    return theirs if made.end is None else and_(theirs, ASSIGNMENT.c.start < made.end)
