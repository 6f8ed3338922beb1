"""A stretch of a lead and a thumbnail: exactly what was asked for, wherever the samples lie."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from decimal import Decimal

import pytest

from ingest.blobs import BlobMissing
from ingest.ledger.files import OpenLedger
from registry import recordings
from registry.faults import Conflict, Refused, Unknown
from registry.recordings import Stretch
from tests.support.apart import (
    DEVICE,
    LEADS,
    Apart,
    accept_photograph,
    accept_tracing,
    inline,
    photograph,
    refuse,
    tracing,
)
from tests.support.engines import in_a_file
from tests.support.ledgers import register


@pytest.fixture(autouse=True)
def _device(file: OpenLedger) -> None:
    register(file, DEVICE)


def from_file(file: OpenLedger) -> Apart:
    """An ECG file that was looked at."""
    apart = tracing(file)
    accept_tracing(file, apart)
    return apart


def stretch(file: OpenLedger, apart: Apart, lead: str, start: str, end: str) -> Stretch:
    """Samples between two times."""
    with file.readers.connect() as connection:
        return recordings.stretch(connection, file.blobs, apart.reading, lead, (Decimal(start), Decimal(end)))


def thumbnail(file: OpenLedger, apart: Apart) -> bytes:
    """The small picture."""
    with file.readers.connect() as connection:
        return recordings.thumbnail(connection, file.blobs, apart.reading)


@pytest.mark.parametrize("made", [inline, from_file])
@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("0", "10", 0, 5000),
        ("0", "0.006", 0, 3),
        ("1", "1.1", 500, 550),
        ("0.001", "0.0041", 1, 3),
        ("9.998", "60", 4999, 5000),
        ("10", "20", 5000, 5000),
        ("5000000", "5000001", 5000, 5000),
    ],
)
def test_a_stretch_holds_the_samples_taken_in_it(
    file: OpenLedger, made: Callable[[OpenLedger], Apart], start: str, end: str, first: int, last: int
) -> None:
    """From the first that was taken at its begin or later, to the last before its end; of the lead that was named."""
    apart = made(file)
    for lead, samples in LEADS.items():
        found = stretch(file, apart, lead, start, end)
        expected = [None if sample == -32_768 else sample for sample in samples[first:last]]
        assert (list(found.samples), found.first) == (expected, first)
        assert (found.start, found.end) == (first / 500, last / 500)
        assert (found.lead, found.unit, found.step, found.baseline, found.sampling_hz) == (
            lead, "uV", "1.25", "0", "500",
        )  # fmt: skip


@in_a_file
@pytest.mark.parametrize("hertz", ["300", "360", "257.5", "333.3333", "2000"])
def test_stretches_follow_each_other_without_a_hole(file: OpenLedger, hertz: str) -> None:
    """Asked from where the last one ended, each sample comes once, also where a sample's time has no last digit."""
    apart = from_file(file)
    file.writer.write(lambda connection: connection.exec_driver_sql("UPDATE recording SET sampling_hz = ?", (hertz,)))
    got: list[int | None] = []
    start = Decimal(0)
    while len(got) < 5000:
        found = stretch(file, apart, "I", str(start), str(start + Decimal("0.777")))
        assert found.first == len(got)
        got += found.samples
        start = Decimal(repr(found.end))
    assert got == list(LEADS["I"])


def test_a_lead_that_is_not_there_is_unknown(file: OpenLedger) -> None:
    """With those that are."""
    with pytest.raises(Unknown, match="I, II") as refused:
        stretch(file, inline(file), "V1", "0", "1")
    assert refused.value.code == "recording.lead"


@pytest.mark.parametrize("damage", ["gone", "short", "longer"])
def test_a_waveform_file_that_is_not_as_written_is_said(file: OpenLedger, damage: str) -> None:
    """No sample of it is shown."""
    apart = tracing(file)
    path = file.blobs.path(accept_tracing(file, apart))
    data = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(data[:-2] if damage == "short" else data + b"xx")
    with pytest.raises(BlobMissing, match="backup"):
        stretch(file, apart, "I", "0", "1")


@pytest.mark.unbalanced("a reading is taken away to see what is said")
@pytest.mark.parametrize("ask", [lambda file, apart: stretch(file, apart, "I", "0", "1"), thumbnail])
def test_what_is_not_there_says_why(file: OpenLedger, ask: Callable[[OpenLedger, Apart], object]) -> None:
    """It has not come yet, was refused, is a part of a live one, or never was to come."""
    apart = photograph(file)

    def code(expected: type[Refused]) -> str:
        with pytest.raises(expected) as refused:
            ask(file, apart)
        return refused.value.code.partition(".")[2]

    assert code(Conflict) == "not_yet"
    refuse(file, apart, "image.undecodable")
    assert code(Unknown) == "refused"
    file.writer.write(lambda connection: connection.exec_driver_sql("UPDATE content SET state = 'part'"))
    assert code(Conflict) == "live"
    file.writer.write(lambda connection: connection.exec_driver_sql("DELETE FROM content"))
    assert code(Unknown) == "none"
    for name in ("0" * 32, "zz", ""):
        with pytest.raises(Unknown) as refused:
            ask(file, Apart(name, 0, b""))
        assert refused.value.code == "reading.unknown"


def test_a_thumbnail_is_the_picture_that_was_made(file: OpenLedger) -> None:
    """And nothing when its file was altered."""
    apart = photograph(file)
    accept_photograph(file, apart, b"\xff\xd8one")
    assert thumbnail(file, apart) == b"\xff\xd8one"
    file.blobs.path(hashlib.sha256(b"\xff\xd8one").hexdigest()).write_bytes(b"\xff\xd8two")
    with pytest.raises(BlobMissing):
        thumbnail(file, apart)
