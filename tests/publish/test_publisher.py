"""From an accepted reading to the feed: one case after the other, where the property test draws them all."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from sqlalchemy import text

from fhir_export.destinations import NOT_LINKED, Destination, Dispatch
from fhir_export.rounds import MAPPING_REFUSED
from ingest.clock import utc_text
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.port import State, Told
from ingest.ledger.schema import PATIENT
from tests.publish.between import Cut, between, cut
from tests.publish.conftest import DEVICE, Desk, unverified
from tests.support.ledgers import NOW, STREAM, body, reading

MINUTE = 60_000_000
YEAR = 365 * 86_400_000_000


def test_who_is_referred_to_comes_first(desk: Desk) -> None:
    """Patient, Device and gateway are in the feed before the Observation, once for all its readings."""
    desk.assign(DEVICE, "p1")
    desk.commit(reading(0), reading(1))
    desk.drain()
    types = [row.type for row in desk.rows("SELECT type FROM feed ORDER BY position")]
    assert sorted(types[:4]) == ["Device", "Device", "Patient", "Patient"]
    assert types[4:] == ["Observation", "Provenance"] * 2


def test_a_reading_without_a_patient_waits_for_one(desk: Desk) -> None:
    """It is in the inbox with its doubt, and leaves it for the record once its assignment is made."""
    desk.commit(reading(0))
    desk.drain()
    assert desk.inbox() == [(1, "assignment.none")]
    assert desk.feed() == []
    desk.assign(DEVICE, "p1")
    desk.drain()
    assert desk.inbox() == []
    assert [found["subject"]["reference"] for found in desk.feed()] == ["Patient/p1"]


def test_an_assignment_made_while_a_round_is_built_is_seen(desk: Desk) -> None:
    """Nothing of a round is written whose ground has moved: the reading does not stay in the inbox."""
    desk.commit(reading(0))
    desk.publisher(between(desk.file, before=lambda: desk.assign(DEVICE, "p1"))).step()
    assert desk.inbox() == []
    desk.drain()
    assert len(desk.feed()) == 1


def test_two_publishers_do_no_harm(desk: Desk) -> None:
    """When another one published the same round first, this one writes nothing."""
    desk.assign(DEVICE, "p1")
    desk.commit(reading(0), reading(1))
    desk.publisher(between(desk.file, before=desk.drain)).step()
    desk.drain()
    assert len(desk.feed()) == 2


def test_a_reading_that_goes_to_another_patient_is_taken_back_first(desk: Desk) -> None:
    """Entered-in-error comes before the new Observation, which has an id of its own, so never do two stand."""
    first = desk.assign(DEVICE, "p1")
    desk.commit(reading(0))
    desk.drain()
    desk.file.writer.write(
        lambda c: c.execute(text(f"UPDATE assignment SET patient = 'p2' WHERE assignment = '{first}'"))  # noqa: S608 - our own id
    )
    desk.due("retraction", 1)
    desk.due("reading", 1)
    desk.drain()
    assert [(each["status"], each["subject"]["reference"]) for each in desk.feed()] == [
        ("final", "Patient/p1"), ("entered-in-error", "Patient/p1"), ("final", "Patient/p2"),
    ]  # fmt: skip
    ids = [each["id"] for each in desk.feed()]
    assert ids[0] == ids[1]
    assert ids[2] == f"{ids[0]}-2"


def test_each_retraction_is_told_once(desk: Desk) -> None:
    """Given, taken back, given and taken back again: a Provenance for each, of what was standing then."""
    desk.assign(DEVICE, "p1")
    desk.commit(reading(0))
    for what in ("reading", "retraction", "reading", "retraction"):
        desk.due(what, 1)
        desk.drain()
    told = [(each["id"].partition("-")[2], len(each["target"])) for each in desk.feed("Provenance")]
    assert told == [("provenance", 1), ("retraction-2", 1), ("provenance-2", 1), ("retraction-3", 1)]
    last = [each["target"][0]["reference"].partition("-")[2] for each in desk.feed("Provenance")]
    assert last == ["blood-pressure", "blood-pressure", "blood-pressure-2", "blood-pressure-2"]


def test_what_is_made_when_given_again_has_that_time(desk: Desk) -> None:
    """The second person's Observation is issued when it was given to them, the first one when it was accepted."""
    desk.assign(DEVICE, "p1")
    desk.commit(reading(0))
    desk.drain()
    desk.now = NOW + MINUTE
    for what in ("retraction", "reading"):
        desk.due(what, 1)
    desk.drain()
    assert [each["issued"] for each in desk.feed()] == [utc_text(NOW), utc_text(NOW), utc_text(NOW + MINUTE)]
    assert [each["recorded"] for each in desk.feed("Provenance")] == [
        utc_text(NOW), utc_text(NOW + MINUTE), utc_text(NOW + MINUTE),
    ]  # fmt: skip


def test_a_corrected_time_has_its_clock_beside_it(desk: Desk) -> None:
    """The Observation of the clock comes before what points to it, and is taken back with it."""
    desk.assign(DEVICE, "p1")
    desk.commit(
        State(DEVICE, NOW, epoch=0, offset=-5 * MINUTE, uncertainty=1), unverified(json.dumps(body(0)).encode())
    )
    desk.drain()
    desk.due("retraction", 1)
    desk.drain()
    rows = desk.rows("SELECT id, version FROM feed WHERE type = 'Observation' ORDER BY position")
    assert [(row.id.partition("-")[2], row.version) for row in rows] == [
        ("clock", 1), ("blood-pressure", 1), ("clock", 2), ("blood-pressure", 2),
    ]  # fmt: skip


def test_what_is_taken_back_is_still_seen_at_its_site(desk: Desk) -> None:
    """The retraction reaches those who saw the reading: the resource keeps its site."""
    desk.assign(DEVICE, "p1")
    desk.commit(reading(0))
    desk.drain()
    desk.due("retraction", 1)
    desk.drain()
    assert [each["status"] for each in desk.feed()] == ["final", "entered-in-error"]
    assert [row.site for row in desk.rows("SELECT site FROM resource WHERE type = 'Observation'")] == ["site-1"]


def test_a_clock_that_cannot_be_true_settles_nothing(desk: Desk) -> None:
    """An echo that would put a reading years after its arrival leaves it to a person."""
    desk.assign(DEVICE, "p1")
    desk.commit(unverified(json.dumps(body(0)).encode()))
    desk.drain()
    desk.commit(State(DEVICE, NOW, epoch=0, offset=2 * YEAR, uncertainty=1))
    desk.drain()
    assert desk.inbox() == [(1, "time.unverified")]
    desk.commit(State(DEVICE, NOW, epoch=0, offset=-600_000_000, uncertainty=1))
    desk.drain()
    assert desk.inbox() == []
    (found,) = desk.feed()
    assert found["effectiveDateTime"] == "2026-11-18T08:20:00+04:00"


def test_a_clock_measured_again_is_looked_at_again(desk: Desk) -> None:
    """A reading that an echo moved out of every assignment is moved in again by the next one."""
    desk.assign(DEVICE, "p1", NOW - 60 * MINUTE)
    item = unverified(json.dumps(body(0, taken_at=utc_text(NOW - 62 * MINUTE))).encode())
    desk.commit(item, State(DEVICE, NOW, epoch=0, offset=-5 * MINUTE, uncertainty=1))
    desk.drain()
    assert desk.inbox() == [(1, "assignment.none")]
    desk.commit(State(DEVICE, NOW, epoch=0, offset=5 * MINUTE, uncertainty=1))
    desk.drain()
    assert desk.inbox() == []
    assert len(desk.feed()) == 1


def test_the_last_word_counts(desk: Desk) -> None:
    """A reading taken back while it waits to be attributed anew stays away, whoever gets the device."""
    first = desk.assign(DEVICE, "p1", 0)
    desk.commit(reading(0))
    desk.drain()
    gone = text(f"DELETE FROM assignment WHERE assignment = '{first}'")  # noqa: S608 - our own id
    desk.file.writer.write(lambda connection: connection.execute(gone))
    for what in ("retraction", "reading", "retraction"):
        desk.due(what, 1)
    publisher = desk.publisher()
    assert [publisher.step(1) for _ in range(4)] == [1, 1, 1, 0]
    assert desk.inbox() == []
    desk.assign(DEVICE, "p2")
    desk.drain()
    assert [each["status"] for each in desk.feed()] == ["final", "entered-in-error"]


def test_a_device_that_says_something_new_has_a_new_version(desk: Desk) -> None:
    """Another firmware is a new version of the Device, and the old one again; the same hello again is none."""
    publisher = desk.publisher()
    desk.assign(DEVICE, "p1")
    for seq, firmware in enumerate(("1", "1", "2", "1")):
        desk.commit(Told(DEVICE, NOW, "a1b2c3d4", STREAM, 0, firmware=firmware), reading(seq))
        desk.drain(publisher)
    told = [each.get("version", [{}])[0].get("value") for each in desk.feed("Device")]
    assert told == ["1", "2", "1"]


def test_one_patient_who_is_no_fhir_stops_nobody_else(desk: Desk) -> None:
    """Readings that refer to what cannot be told wait in the inbox; the others go on."""
    desk.register("bp-0002", "p3")
    wrong = PATIENT.update().where(PATIENT.c.patient == "p3").values(birth_date="yesterday")
    desk.file.writer.write(lambda connection: connection.execute(wrong))
    desk.assign("bp-0002", "p3")
    desk.assign(DEVICE, "p1")
    desk.commit(reading(0, device="bp-0002"), reading(0))
    desk.drain()
    assert desk.inbox() == [(1, MAPPING_REFUSED)]
    assert [each["subject"]["reference"] for each in desk.feed()] == ["Patient/p1"]


def test_a_clock_set_back_does_not_turn_the_feed_around(desk: Desk) -> None:
    """``lastUpdated`` always grows: whoever asks what is new since a time misses nothing."""
    desk.assign(DEVICE, "p1")
    for seq, now in enumerate((NOW + 5, NOW - YEAR, NOW + 6)):
        desk.now = now
        desk.commit(reading(seq))
        desk.drain()
    assert [row.at for row in desk.rows("SELECT at FROM feed WHERE type = 'Observation' ORDER BY position")] == [
        NOW + 5, NOW + 6, NOW + 7,
    ]  # fmt: skip


@pytest.mark.parametrize("where", ["before", "inside"])
def test_a_round_that_is_undone_is_forgotten(desk: Desk, where: str) -> None:
    """After a failed write the same publisher makes every delivery row, that of the Device too."""
    desk.drain()
    desk.assign(DEVICE, "p1")
    desk.commit(reading(0))
    with pytest.raises(Cut):
        desk.publisher(between(desk.file, **{where: cut})).step()
    assert desk.feed() == []
    desk.drain()
    due = desk.rows("SELECT type FROM delivery ORDER BY position")
    assert sorted(row.type for row in due) == ["Device", "Device", "Observation", "Patient", "Provenance"]


def test_what_looks_patients_up_is_parked_until_it_writes_them(desk: Desk) -> None:
    """A destination that looks patients up waits for the link; made one that writes, it gets all, patients first."""
    desk.dispatch = Dispatch([Destination("record")])
    desk.assign(DEVICE, "p1")
    desk.commit(reading(0))
    desk.drain()
    parked = desk.rows("SELECT type, state, answer FROM delivery ORDER BY position")
    assert [tuple(row) for row in parked] == [
        ("Device", "due", None), ("Device", "due", None), ("Observation", "parked", NOT_LINKED),
        ("Provenance", "parked", NOT_LINKED),
    ]  # fmt: skip
    desk.dispatch = Dispatch([Destination("record", "write")])
    run_until(desk, lambda: len(desk.rows("SELECT * FROM delivery WHERE state = 'due'")) == 5)
    order = [row.type for row in desk.rows("SELECT type FROM delivery ORDER BY position")]
    assert order.index("Patient") < order.index("Observation")


def test_the_loop_outlives_a_ledger_that_is_away(desk: Desk) -> None:
    """While the ledger cannot be read, the publisher says so; afterwards it goes on."""
    desk.assign(DEVICE, "p1")
    desk.commit(reading(0))
    away = [True]

    def fails() -> None:
        if away:
            raise LedgerUnavailable("The ledger is away.", "Nothing is lost.", "Wait.")

    publisher, stop, seen = desk.publisher(between(desk.file, before=fails)), threading.Event(), threading.Event()
    thread = threading.Thread(target=publisher.run, args=(stop, seen.set))
    thread.start()
    try:
        assert eventually(lambda: publisher.problem == "The ledger is away.")
        away.clear()
        assert seen.wait(20)
        assert eventually(lambda: publisher.problem is None)
    finally:
        stop.set()
        thread.join(20)
    assert len(desk.feed()) == 1


def run_until(desk: Desk, done: Any) -> None:  # noqa: ANN401 - a condition
    """Let the loop run until something is so."""
    stop = threading.Event()
    thread = threading.Thread(target=desk.publisher().run, args=(stop,))
    thread.start()
    try:
        assert eventually(done)
    finally:
        stop.set()
        thread.join(20)


def eventually(done: Any) -> bool:  # noqa: ANN401 - a condition
    """Whether it becomes so within twenty seconds."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if done():
            return True
        time.sleep(0.01)
    return False
