"""Contents leave with their resources: whole, alone, before what shows them, and only when they are what they were."""

from __future__ import annotations

import base64
import json
import tracemalloc
from collections.abc import Callable, Sequence

import httpx
import pytest

from fhir_export.push.content import same_content
from fhir_export.push.delivery import Delivery
from fhir_export.push.memory import MemoryRecord
from fhir_export.push.plan import PARKED_WAIT
from fhir_export.push.port import Answer, Ending, Outgoing, Record
from fhir_export.push.server import FhirServer
from simulators.record.process import running
from tests.push.shelf import SECOND, Clock, Shelf, observation
from tests.support.engines import in_a_file

Delivers = Callable[[Record], Delivery]
Settle = Callable[[Delivery], None]
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 1000 + b"end"
ABOUT = {"patient": "p-1", "device": "d-1"}


def shelve(shelf: Shelf, content: bytes) -> str:
    """Put a blob into the store; returns its hash."""
    with shelf.file.blobs.scratch() as folder:
        (folder / "made").write_bytes(content)
        return shelf.file.blobs.adopt(folder / "made")


def people(shelf: Shelf) -> None:
    """Who the readings are about, and what they came with."""
    shelf.add({"resourceType": "Device", "id": "d-1"})
    shelf.add({"resourceType": "Device", "id": "g-1"})
    shelf.add({"resourceType": "Patient", "id": "p-1"})


def photograph(shelf: Shelf, content: bytes = JPEG, name: str = "r1") -> str:
    """A photograph as it is published: what shows the Binary stands before it in the feed; returns the blob's hash."""
    reading = shelf.journals("retino-0001")
    sha256 = shelve(shelf, content)
    subject = {"reference": "Patient/p-1"}
    media = {
        "resourceType": "Media", "id": f"{name}-fundus", "status": "completed", "subject": subject,
        "device": {"reference": "Device/d-1"},
        "content": {"contentType": "image/jpeg", "url": f"Binary/{name}-fundus-data"},
    }  # fmt: skip
    data = {
        "resourceType": "Binary", "id": f"{name}-fundus-data", "contentType": "image/jpeg",
        "securityContext": {"reference": f"Media/{name}-fundus"}, "data": f"@sha256:{sha256}",
    }  # fmt: skip
    report = {
        "resourceType": "DiagnosticReport", "id": f"{name}-fundus-report", "status": "partial", "subject": subject,
        "media": [{"link": {"reference": f"Media/{name}-fundus"}}],
    }  # fmt: skip
    told = {
        "resourceType": "Provenance", "id": f"{name}-provenance",
        "target": [{"reference": f"{one['resourceType']}/{one['id']}"} for one in (media, data, report)],
        "agent": [{"who": {"reference": "Device/g-1"}}],
    }  # fmt: skip
    for one in (media, data, report, told):
        shelf.add({**one}, reading=reading, **ABOUT)
    return sha256


def test_everything_of_a_photograph_arrives_and_then_it_is_confirmed(
    shelf: Shelf, delivers: Delivers, settle: Settle
) -> None:
    """Against a record that checks references and attachments: all is there, its bytes too, and once confirmed."""
    people(shelf)
    photograph(shelf)
    with running() as there, FhirServer(there.base) as record:
        delivery = delivers(record)
        settle(delivery)
        assert (shelf.waiting(), shelf.confirmed()) == ({}, [(1, "retino-0001")])
        assert delivery.counts.codes == {}
        with httpx.Client(base_url=there.base) as client:
            assert client.get("/Binary/r1-fundus-data").content == JPEG
            assert client.get("/Provenance/r1-provenance").status_code == 200


def test_a_reading_is_not_confirmed_before_its_provenance_is_there(shelf: Shelf, delivers: Delivers) -> None:
    """With everything but the Provenance in the record, the device is told nothing yet."""
    people(shelf)
    photograph(shelf)
    away = Answer(Ending.ANSWERED, 422, fhir=True)
    delivery = delivers(MemoryRecord(instead=lambda one: away if one.type == "Provenance" else None))
    for _ in range(5):
        delivery.step()
    assert set(shelf.waiting()) == {"r1-provenance"}
    assert shelf.confirmed() == []


def test_a_binary_goes_alone_and_with_the_same_bytes_each_time(
    shelf: Shelf, delivers: Delivers, settle: Settle
) -> None:
    """Among many others no batch holds it; sent twice, it is sent as the same bytes, and never as its placeholder."""
    people(shelf)
    for n in range(50):
        shelf.add(observation(f"o{n}"))
    photograph(shelf)
    record = Watched()
    settle(delivers(record))
    assert record.with_binary == [1, 1]
    assert len(set(record.binaries)) == 1
    assert base64.b64decode(json.loads(record.binaries[0])["data"]) == JPEG


def test_a_binary_goes_before_what_shows_it(shelf: Shelf, delivers: Delivers) -> None:
    """While the record refuses the bytes, nothing that points to them is sent."""
    people(shelf)
    photograph(shelf)
    refused = Answer(Ending.ANSWERED, 413, fhir=True)
    record = MemoryRecord(instead=lambda one: refused if one.type == "Binary" else None)
    delivery = delivers(record)
    for _ in range(5):
        delivery.step()
    assert {type_ for type_, _ in record.versions} == {"Device", "Patient"}
    assert shelf.waiting()["r1-fundus-data"] == ("parked", "record.too_large")
    assert shelf.waiting()["r1-fundus"] == ("due", "record.waits")


@in_a_file
@pytest.mark.parametrize("harm", ["gone", "altered"])
def test_content_that_is_not_what_it_was_never_leaves(
    shelf: Shelf, delivers: Delivers, clock: Clock, settle: Settle, harm: str
) -> None:
    """It is parked under a code of its own, the record hears nothing of it, and all else arrives; mended, it goes."""
    people(shelf)
    path = shelf.file.blobs.path(photograph(shelf))
    shelf.add(observation("other"))
    path.unlink() if harm == "gone" else path.write_bytes(JPEG[:-1] + b"E")
    record = MemoryRecord()
    delivery = delivers(record)
    for _ in range(5):
        delivery.step()
    assert shelf.waiting()["r1-fundus-data"] == ("parked", "blob.missing")
    assert delivery.counts.codes["blob.missing"] == 1
    assert delivery.waits_because is None
    assert ("Binary", "r1-fundus-data") not in record.sent
    assert ("Observation", "other") in record.versions
    path.write_bytes(JPEG)
    shelf.release()
    clock.pass_by(PARKED_WAIT / SECOND + 1)
    settle(delivery)
    assert shelf.waiting() == {}


@in_a_file
def test_a_file_that_cannot_be_read_now_is_tried_again(
    shelf: Shelf, delivers: Delivers, clock: Clock, settle: Settle
) -> None:
    """A fault of the disk parks nothing: the row waits, with its code, and goes once the file can be read."""
    people(shelf)
    path = shelf.file.blobs.path(photograph(shelf))
    path.unlink()
    path.mkdir()
    delivery = delivers(MemoryRecord())
    for _ in range(3):
        delivery.step()
    assert shelf.waiting()["r1-fundus-data"] == ("due", "blob.missing")
    path.rmdir()
    path.write_bytes(JPEG)
    clock.pass_by(301)
    settle(delivery)
    assert shelf.waiting() == {}


@in_a_file
def test_content_that_changes_while_it_leaves_is_not_stored(shelf: Shelf, delivers: Delivers) -> None:
    """A file is spoilt between the look and the last byte: the record gets no whole body, the row is parked."""
    people(shelf)
    path = shelf.file.blobs.path(photograph(shelf))
    with running() as there, FhirServer(there.base) as inner:
        delivery = delivers(Spoiling(inner, lambda: path.write_bytes(b"X" + JPEG[1:])))
        for _ in range(5):
            delivery.step()
        assert shelf.waiting()["r1-fundus-data"] == ("parked", "blob.missing")
        assert httpx.get(f"{there.base}/Binary/r1-fundus-data").status_code == 404


@pytest.mark.parametrize("held", [JPEG, JPEG[:-1] + b"E"])
def test_a_conflict_over_a_binary_is_settled_by_its_bytes(
    shelf: Shelf, delivers: Delivers, settle: Settle, held: bytes
) -> None:
    """409, and the record has the same bytes under other white space: delivered; other bytes: parked."""
    people(shelf)
    photograph(shelf)
    record = MemoryRecord(instead=lambda one: Answer(Ending.ANSWERED, 409, fhir=True) if one.type == "Binary" else None)
    there = {
        "id": "r1-fundus-data", "resourceType": "Binary", "meta": {"versionId": "3"}, "contentType": "image/jpeg",
        "securityContext": {"reference": "Media/r1-fundus"}, "data": base64.b64encode(held).decode(),
    }  # fmt: skip
    record.versions["Binary", "r1-fundus-data"] = [
        json.dumps(there, indent=1).replace('"resourceType": ', '"resourceType":').encode()
    ]
    delivery = delivers(record)
    for _ in range(5):
        delivery.step()
    expected = ({}, 1) if held == JPEG else ({"r1-fundus-data": ("parked", "record.conflict")}, 0)
    waiting = {id_: row for id_, row in shelf.waiting().items() if row[0] == "parked"}
    assert (waiting, len(shelf.confirmed())) == expected


def test_a_placeholder_in_the_record_is_not_our_content() -> None:
    """A record that holds a placeholder or no base64 does not hold what was sent; escapes and spaces do not count."""
    ours = b'{"resourceType":"Binary","id":"a","data":"@sha256:%s"}'
    ours %= b"2b3ae68ac1faf4ac69f7ad9ea2ec6a0d5f7e0f6c4c9a4b8f6b5d5c4f8a9b0c1d"
    assert not same_content(ours, ours)
    sent = b'{"resourceType":"Binary","id":"a","data":"//+/"}'
    assert same_content(sent, b'{"resourceType":"Binary","id":"a","data":"\\/\\/+\\/\\n"}')
    for other in (b"//+", b"@", b"//+//", b"AAAA"):
        assert not same_content(sent, sent.replace(b'"//+/"', b'"%s"' % other))


@in_a_file
def test_a_large_binary_is_sent_in_bounded_memory(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """Of two photographs of 20 MB, no more than a few pieces are in this process at any time."""
    people(shelf)
    with running() as there, FhirServer(there.base) as record:
        delivery = delivers(record)
        settle(delivery)
        photograph(shelf, bytes(range(250)) * 80_000, "r1")
        photograph(shelf, bytes(range(200)) * 100_000, "r2")
        tracemalloc.start()
        try:
            settle(delivery)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert shelf.waiting() == {}
    assert peak < 8_000_000


class Watched(MemoryRecord):
    """Takes a Binary only the second time, and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(afterwards=self._lose)
        self.with_binary: list[int] = []
        self.binaries: list[bytes] = []

    def send(self, outgoing: Sequence[Outgoing]) -> Sequence[Answer]:
        """Note how many go with a Binary."""
        if any(one.type == "Binary" for one in outgoing):
            self.with_binary.append(len(outgoing))
        return super().send(outgoing)

    def _lose(self, one: Outgoing) -> Answer | None:
        if one.type != "Binary":
            return None
        self.binaries.append(one.whole())
        return Answer(Ending.LOST) if len(self.binaries) == 1 else None


class Spoiling:
    """A record before which something happens between the first piece of a Binary and the next."""

    def __init__(self, inner: FhirServer, spoil: Callable[[], object]) -> None:
        self._inner, self._spoil = inner, spoil
        self.capability, self.read = inner.capability, inner.read

    def send(self, outgoing: Sequence[Outgoing]) -> Sequence[Answer]:
        """Spoil, once a Binary is about to leave."""
        if outgoing[0].pieces is not None:
            self._spoil()
        return self._inner.send(outgoing)
