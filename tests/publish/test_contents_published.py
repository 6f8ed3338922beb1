"""Readings whose content comes apart: published when it is there, and only as the person's whose it is."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, text

from fhir_export.model import decode
from ingest.content.found import Found, Instance, Person, Picture, Wave
from ingest.ledger.readings import LONGEST
from ingest.ledger.rows import recording_hash
from ingest.ledger.schema import CONTENT, DUE, RECORDING
from ingest.model import Judged
from tests.publish.conftest import DEVICE, Desk
from tests.support.ledgers import NOW, STREAM, judged

TAKEN = "2026-11-18T08:30:00+04:00"
BLOB = hashlib.sha256(b"a photograph").hexdigest()
PICTURE = Found(picture=Picture(96, 96, 8), sha1="00" * 20)
SAMPLES = bytes(range(200)) * 2
INSTANCE = Instance("1.2.3", "1.2.3.4", "1.2.3.4.5", "1.2.840.10008.5.1.4.1.1.77.1.5.1", "OP")


def photograph(seq: int, eye: str = "left", device: str = DEVICE, blob: str = BLOB) -> Judged:
    """A photograph whose picture has yet to come."""
    image = {"blob": {"sha256": blob, "bytes": 12, "content_type": "image/jpeg"}, "eye": eye, "field": "macula"}
    return sent(seq, device, kind="retinography", image=image)


def ecg_file(seq: int, blob: str = BLOB) -> Judged:
    """An ECG that comes as a file."""
    named = {"sha256": blob, "bytes": 12, "content_type": "application/dicom"}
    return sent(seq, kind="ecg", recording={"blob": named})


def sent(seq: int, device: str = DEVICE, **more: Any) -> Judged:  # noqa: ANN401 - members of a message
    """A judged reading."""
    message = {"v": 1, "stream": STREAM, "seq": seq, "taken_at": TAKEN, **more}
    return judged(json.dumps(message).encode(), device)


def ready(desk: Desk, position: int, found: Found = PICTURE, state: str = "ready") -> None:
    """What the inspector does when it has looked at a content."""

    def job(connection: Connection) -> None:
        told = {"state": state, "found": found.text()}
        connection.execute(CONTENT.update().where(CONTENT.c.position == position).values(**told))
        connection.execute(DUE.insert().values(what="reading", ref=str(position)))

    desk.file.writer.write(job)


def recorded(desk: Desk, position: int, length: int, file: str) -> None:
    """The inspector's note of a waveform file."""
    row = {"position": position, "sampling_hz": "100", "unit": "uV", "leads": '[["I","1","0"],["II","1","0"]]'}
    row |= {"length": length, "complete": 1, "file": file, "samples": None}
    row["row_hash"] = recording_hash(tuple(row.values()))
    desk.file.writer.write(lambda connection: connection.execute(RECORDING.insert().values(**row)))


def kept_samples(desk: Desk) -> str:
    """Put the waveform file where it belongs."""
    with desk.file.blobs.scratch() as folder:
        folder.joinpath("wave").write_bytes(SAMPLES)
        return desk.file.blobs.adopt(folder / "wave")


def types(desk: Desk) -> list[str]:
    """What of readings is in the feed."""
    return [row.type for row in desk.rows("SELECT type FROM feed WHERE reading IS NOT NULL ORDER BY position")]


def test_a_content_that_has_not_come_is_waited_for(desk: Desk) -> None:
    """Until it is ready the reading is neither published nor in the inbox; then it is published, once."""
    desk.assign(DEVICE, "p1")
    desk.commit(photograph(0))
    desk.drain()
    assert (types(desk), desk.inbox()) == ([], [])
    ready(desk, 1)
    ready(desk, 1)
    desk.drain()
    assert types(desk) == ["Media", "Binary", "DiagnosticReport", "Provenance"]


@pytest.mark.parametrize("state", ["waiting", "complete", "refused", "part"])
def test_only_what_is_ready_is_published(desk: Desk, state: str) -> None:
    """A refused content, or a part of another reading's recording, is passed over even when it is due."""
    desk.assign(DEVICE, "p1")
    desk.commit(photograph(0))
    ready(desk, 1, state=state)
    desk.drain()
    assert (types(desk), desk.inbox()) == ([], [])


def test_samples_of_a_file_become_a_tracing(desk: Desk) -> None:
    """The samples of the waveform file are in the tracing, lead after lead."""
    desk.assign(DEVICE, "p1")
    desk.commit(ecg_file(0))
    recorded(desk, 1, 100, kept_samples(desk))
    ready(desk, 1, Found(wave=Wave("100", "uV", (("I", "1", "0"), ("II", "1", "0")), 100, BLOB), sha1="00" * 20))
    desk.drain()
    assert types(desk) == ["DocumentReference", "Binary", "Observation", "DiagnosticReport", "Provenance"]
    leads = [component["valueSampledData"]["data"].split() for component in desk.feed()[0]["component"]]
    read = b"".join(int(word).to_bytes(2, "little", signed=True) for lead in leads for word in lead)
    assert read == SAMPLES


def test_a_long_recording_has_no_tracing(desk: Desk) -> None:
    """Beyond the limit the file is not even read: document and report stand for the recording."""
    desk.assign(DEVICE, "p1")
    desk.commit(ecg_file(0))
    recorded(desk, 1, LONGEST // 2 + 1, BLOB)
    ready(desk, 1)
    desk.drain()
    assert types(desk) == ["DocumentReference", "Binary", "DiagnosticReport", "Provenance"]


def test_a_waveform_file_that_is_gone_keeps_the_reading_back(desk: Desk) -> None:
    """Nothing is published without its tracing: it waits in the inbox until the file is back."""
    desk.assign(DEVICE, "p1")
    desk.commit(ecg_file(0))
    file = hashlib.sha256(SAMPLES).hexdigest()
    recorded(desk, 1, 100, file)
    ready(desk, 1)
    desk.drain()
    assert (types(desk), desk.inbox()) == ([], [(1, "content.missing")])
    kept_samples(desk)
    desk.due("reading", 1)
    desk.drain()
    assert "Observation" in types(desk)
    assert desk.inbox() == []


@pytest.mark.parametrize(
    ("person", "waits"),
    [
        (Person("EXEMPLE-FICTIF", "CAMILLE", "1970-01-01", "other"), False),
        (Person("exemple-fictif ", "Someone", None), False),
        (Person(None, None, "1970-01-01"), False),
        (Person(), False),
        (Person("EXEMPLE-AUTRE", "CAMILLE", "1970-01-01"), True),
        (Person("EXEMPLE-FICTIF", "CAMILLE", "1970-01-02"), True),
        (Person(None, None, "1970-01-02"), True),
    ],
)
def test_somebody_else_named_in_the_file_is_for_a_person(desk: Desk, person: Person, waits: bool) -> None:  # noqa: FBT001 - a case
    """Another family name or birth date than the patient's sends the reading to the inbox; an untold one does not."""
    desk.assign(DEVICE, "p1")
    desk.commit(photograph(0))
    ready(desk, 1, Found(picture=Picture(9, 9, 8), person=person, instance=INSTANCE, sha1="00" * 20))
    desk.drain()
    assert desk.inbox() == ([(1, "patient.differs")] if waits else [])
    assert (types(desk) == []) == waits


def test_a_patient_whose_name_is_mended_gets_what_waited(desk: Desk) -> None:
    """When the person is changed to who the file names, the reading leaves the inbox."""
    desk.assign(DEVICE, "p1")
    desk.commit(photograph(0))
    ready(desk, 1, Found(person=Person("EXEMPLE-AUTRE"), sha1="00" * 20))
    desk.drain()
    mended = text("UPDATE patient SET family = 'Exemple-Autre' WHERE patient = 'p1'")
    desk.file.writer.write(partial(Connection.execute, statement=mended))
    desk.file.writer.write(lambda c: c.execute(DUE.insert().values(what="patient", ref="p1")))
    desk.drain()
    assert desk.inbox() == []
    assert "Media" in types(desk)


@pytest.mark.parametrize("together", [True, False])
def test_one_picture_of_two_eyes_is_for_a_person(desk: Desk, together: bool) -> None:  # noqa: FBT001 - a case
    """The second claim of a blob for the other eye waits, in the same round too; for the same eye it does not."""
    desk.assign(DEVICE, "p1")
    desk.commit(photograph(0, "left"), photograph(1, "right"), photograph(2, "left"))
    for position in (1, 2, 3):
        ready(desk, position)
        if not together:
            desk.drain()
    desk.drain()
    assert desk.inbox() == [(2, "blob.claimed_twice")]
    assert types(desk).count("Media") == 2


def test_one_picture_of_two_patients_is_for_a_person(desk: Desk) -> None:
    """Another device's reading of the same bytes for somebody else waits; once the first is taken back it goes on."""
    desk.register("bp-0002")
    desk.assign(DEVICE, "p1")
    desk.assign("bp-0002", "p2")
    desk.commit(photograph(0), photograph(0, device="bp-0002"))
    ready(desk, 1)
    ready(desk, 2)
    desk.drain()
    assert desk.inbox() == [(2, "blob.claimed_twice")]
    desk.due("retraction", 1)
    desk.drain()
    desk.due("reading", 2)
    desk.drain()
    assert desk.inbox() == []


@pytest.mark.parametrize("others", [0, 1])
def test_a_photograph_that_goes_to_another_patient_is_not_in_its_own_way(desk: Desk, others: int) -> None:
    """What it said before, for the first patient, counts no more; what another reading of the same bytes says does."""
    held = desk.assign(DEVICE, "p1")
    desk.commit(*(photograph(seq) for seq in range(1 + others)))
    for position in range(1, 2 + others):
        ready(desk, position)
    desk.drain()
    moved = text("UPDATE assignment SET patient = 'p2' WHERE assignment = :held").bindparams(held=held)
    desk.file.writer.write(partial(Connection.execute, statement=moved))
    desk.due("retraction", 1)
    desk.due("reading", 1)
    desk.drain()
    assert desk.inbox() == ([(1, "blob.claimed_twice")] if others else [])
    given = desk.rows("SELECT patient FROM attribution WHERE position = 1 AND retracted_at IS NULL")
    assert [row.patient for row in given] == ([] if others else ["p2"])


def test_a_photograph_is_taken_back_whole(desk: Desk) -> None:
    """What has a status is entered in error; the Binary, which has none, is named by the retraction's Provenance."""
    desk.assign(DEVICE, "p1")
    desk.commit(photograph(0))
    ready(desk, 1)
    desk.drain()
    first = len(desk.rows("SELECT 1 FROM feed"))
    desk.due("retraction", 1)
    desk.drain()
    rows = desk.rows(f"SELECT * FROM feed WHERE position > {first} ORDER BY position")  # noqa: S608 - a number
    assert [row.type for row in rows] == ["Media", "DiagnosticReport", "Provenance"]
    bodies = [decode(row.body).body for row in rows]
    assert [body.get("status") for body in bodies] == ["entered-in-error", "entered-in-error", None]
    assert [target["reference"].split("/")[0] for target in bodies[2]["target"]] == [
        "Media", "Binary", "DiagnosticReport",
    ]  # fmt: skip
    assert bodies[2]["id"].endswith("-retraction-2")
    assert {(row.patient, row.reading) for row in rows} == {("p1", 1)}


def test_what_is_published_is_found_by_its_time_and_code(desk: Desk) -> None:
    """Every dated type is in the index with the span of its time, and the coded ones with their codes."""
    desk.assign(DEVICE, "p1")
    desk.commit(photograph(0), ecg_file(1, "0" * 64))
    ready(desk, 1, Found(picture=Picture(9, 9, 8), instance=INSTANCE, eye="left", field="macula", sha1="00" * 20))
    ready(desk, 2)
    desk.drain()
    rows = {row.id.partition("-")[2]: row for row in desk.rows('SELECT id, codes, start, "end" FROM resource')}
    assert {name: row.codes for name, row in rows.items() if row.codes} == {
        "fundus": " http://dicom.nema.org/resources/ontology/DCM|111900 ",
        "fundus-report": " http://loinc.org|18748-4 ",
        "imaging-study": " http://dicom.nema.org/resources/ontology/DCM|OP ",
        "ecg-file": " http://loinc.org|11524-6 ",
        "ecg-report": " http://loinc.org|11524-6 ",
    }
    taken = 1_794_976_200_000_000
    for name in ("fundus", "fundus-report", "imaging-study", "ecg-report"):
        assert (rows[name].start, rows[name].end) == (taken, taken + 999_999)
    for name in ("ecg-file", "provenance"):
        assert (rows[name].start, rows[name].end) == (NOW, NOW + 999)
    assert rows["fundus-data"].start is None
