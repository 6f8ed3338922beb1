"""Assignments: one holder at a time, and what waited for one is looked at again."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from ingest.ledger.files import OpenLedger
from ingest.ledger.relational import RelationalLedger
from registry import assignments
from registry.devices import NewDevice
from registry.faults import Conflict, Unfit, Unknown
from registry.model import Assignment
from registry.operations import Registrar
from registry.people import NewPatient
from tests.support.ledgers import NOW, reading

MINUTE = 60_000_000
TAKEN = 1_794_976_200_000_000
"""When the readings of ``tests.support.ledgers`` were taken: 2026-11-18T08:30:00+04:00."""


@pytest.fixture
def patient(registrar: Registrar) -> str:
    """A patient, and two devices."""
    registrar.add_device(NewDevice("bp-0001"))
    registrar.add_device(NewDevice("bp-0002"))
    return registrar.add_patient(NewPatient("EXEMPLE-FICTIF", ("Ada",), "1980-02-29", "female")).patient


def waiting(file: OpenLedger, seq: int, device: str = "bp-0001", mark: str = "device") -> int:
    """A reading lies in the inbox; returns its position."""
    RelationalLedger(file).commit([reading(seq, device=device)], NOW).result()

    def into_inbox(connection: Connection) -> int:
        position = int(connection.exec_driver_sql("SELECT max(position) FROM journal").scalar_one())
        connection.exec_driver_sql("INSERT INTO inbox VALUES (?, ?, 'assignment.none', ?)", (position, device, NOW))
        connection.exec_driver_sql("UPDATE reading SET mark = ? WHERE position = ?", (mark, position))
        connection.exec_driver_sql("DELETE FROM due")
        return position

    return file.writer.write(into_inbox)


def due(file: OpenLedger) -> list[str]:
    """Positions of readings that are due to be looked at again."""
    with file.readers.connect() as connection:
        return list(connection.exec_driver_sql("SELECT ref FROM due WHERE what = 'reading'").scalars())


def test_an_assignment_begins_now_and_has_no_end_unless_said(registrar: Registrar, patient: str) -> None:
    """The plain case at a bedside."""
    made = registrar.assign("bp-0001", patient)
    assert (made.start, made.end) == (NOW, None)
    with registrar.file.readers.connect() as connection:
        assert assignments.listed(connection) == [made]
        assert assignments.of_devices(connection, ["bp-0001", "bp-0002"]) == {"bp-0001": [made], "bp-0002": []}


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, None), (50, 150), (150, 250), (120, 130), (100, 200), (199, 200), (0, 101)],
)
def test_a_device_has_one_holder_at_a_time(registrar: Registrar, patient: str, start: int, end: int | None) -> None:
    """An overlap is refused, naming the other assignment; another device is free."""
    other = registrar.assign("bp-0001", patient, 100, 200)
    with pytest.raises(Conflict, match=other.assignment):
        registrar.assign("bp-0001", patient, start, end)
    registrar.assign("bp-0002", patient, start, end)


@pytest.mark.parametrize(("start", "end"), [(0, 100), (200, 300), (200, None)])
def test_one_assignment_may_follow_another_at_once(
    registrar: Registrar, patient: str, start: int, end: int | None
) -> None:
    """The end is not part of it."""
    registrar.assign("bp-0001", patient, 100, 200)
    registrar.assign("bp-0001", patient, start, end)


@pytest.mark.parametrize("end", [100, 99])
def test_an_empty_assignment_is_refused(registrar: Registrar, patient: str, end: int) -> None:
    """It would hold nothing."""
    with pytest.raises(Unfit):
        registrar.assign("bp-0001", patient, 100, end)


def test_an_assignment_needs_a_device_and_a_patient(registrar: Registrar, patient: str) -> None:
    """Both registered."""
    for device, who in (("bp-0003", patient), ("bp-0001", "nobody")):
        with pytest.raises(Unknown):
            registrar.assign(device, who)


@pytest.mark.parametrize(
    ("start", "end", "is_due"),
    [
        (TAKEN, None, True),
        (TAKEN + 1, None, False),
        (TAKEN - MINUTE, TAKEN + 1, True),
        (TAKEN - MINUTE, TAKEN, False),
    ],
)
def test_readings_that_waited_for_it_are_due(
    registrar: Registrar,
    file: OpenLedger,
    patient: str,
    start: int,
    end: int | None,
    is_due: bool,  # noqa: FBT001 - a column
) -> None:
    """Those of the device that were measured inside it, and no other's."""
    position = waiting(file, 0)
    waiting(file, 0, "bp-0002")
    registrar.assign("bp-0001", patient, start, end)
    assert due(file) == ([str(position)] if is_due else [])


def test_a_reading_whose_time_was_unverified_is_due_whatever_its_time(
    registrar: Registrar, file: OpenLedger, patient: str
) -> None:
    """Its time may have been corrected since."""
    position = waiting(file, 0, mark="unverified")
    registrar.assign("bp-0001", patient, TAKEN + 60 * MINUTE)
    assert due(file) == [str(position)]


def test_an_assignment_ends_when_told(registrar: Registrar, file: OpenLedger, patient: str) -> None:
    """After it, the device is free for the next."""
    made = registrar.assign("bp-0001", patient, 100)
    registrar.unassign(made.assignment)
    registrar.unassign(made.assignment, 200)
    with file.readers.connect() as connection:
        assert assignments.show(connection, made.assignment) == Assignment(
            made.assignment, "bp-0001", patient, 100, 200
        )
    registrar.assign("bp-0001", patient, 200)
    for at in (100, 201):
        with pytest.raises(Unfit):
            registrar.unassign(made.assignment, at)
    with pytest.raises(Unknown):
        registrar.unassign("other", 150)


def test_an_end_before_a_reading_in_the_record_is_refused(registrar: Registrar, file: OpenLedger, patient: str) -> None:
    """What is in a patient's record is not taken out by a change of interval."""
    made = registrar.assign("bp-0001", patient, TAKEN - MINUTE)
    position = waiting(file, 0)
    file.writer.write(
        lambda connection: connection.exec_driver_sql(
            "INSERT INTO attribution VALUES (?, 1, ?, ?, 'device', ?, NULL)", (position, patient, TAKEN, NOW)
        )
    )
    with pytest.raises(Conflict):
        registrar.unassign(made.assignment, TAKEN)
    registrar.unassign(made.assignment, TAKEN + 1)
