"""A ledger and the one folder of large contents that belongs to it."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest
from sqlalchemy import select

from ingest.ledger import belonging
from ingest.ledger.belonging import FILE, FOLDER
from ingest.ledger.faults import LedgerRefused, LedgerUnavailable
from ingest.ledger.files import OpenLedger
from ingest.ledger.schema import META
from tests.support.engines import Place


def asked_for(file: OpenLedger) -> str | None:
    """Give the id that the ledger asks its folder for."""
    with file.readers.connect() as connection:
        return connection.execute(select(META.c.value).where(META.c.name == FOLDER)).scalar()


def test_the_folder_stays(place: Place) -> None:
    """Opened for the first time, folder and ledger get one id, for the owner's eyes; it is the same at the next."""
    for _ in range(2):
        with place.open() as file:
            kept = (place.blobs / FILE).read_text()
            assert asked_for(file) == kept
            assert len(kept) == 16
    assert stat.S_IMODE((place.blobs / FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("theirs", [None, "0123456789abcdef"])
def test_another_folder_is_refused(place: Place, tmp_path: Path, theirs: str | None) -> None:
    """A new folder on a second machine, or another ledger's, is not written to; the words say how to go on."""
    place.open().close()
    known = (place.blobs / FILE).read_text()
    elsewhere = dataclasses.replace(place, blobs=tmp_path / "elsewhere" / "blobs")
    if theirs is not None:
        elsewhere.blobs.mkdir(parents=True)
        (elsewhere.blobs / FILE).write_text(theirs)
    with pytest.raises(LedgerRefused, match=rf"another folder.*Nothing was changed.*write {known} into") as found:
        elsewhere.open()
    assert (theirs or "none yet") in str(found.value)
    assert elsewhere.blobs.exists() == (theirs is not None)
    elsewhere.blobs.mkdir(parents=True, exist_ok=True)
    (elsewhere.blobs / FILE).write_text(f"{known}\n")
    elsewhere.open().close()


def test_a_ledger_without_an_id_takes_the_folder_s(place: Place) -> None:
    """An older ledger, and one whose first transaction was undone when the file was there, take over what it says."""
    place.blobs.mkdir()
    (place.blobs / FILE).write_text("0123456789abcdef")
    with place.open() as file:
        assert asked_for(file) == "0123456789abcdef"
    assert (place.blobs / FILE).read_text() == "0123456789abcdef"


def test_a_folder_that_cannot_be_read_is_named(place: Place) -> None:
    """What is in the place of the file is told as a ledger that cannot be used."""
    (place.blobs / FILE).mkdir(parents=True)
    with pytest.raises(LedgerUnavailable, match="large contents cannot be used: Is a directory"):
        place.open()


def test_another_name_is_drawn(place: Place) -> None:
    """Renamed, the ledger has 8 other hex digits when it is opened again, and the folder it had."""
    with place.open() as file:
        before, folder = file.name, asked_for(file)
    with place.open() as file:
        told = file.writer.write(belonging.rename)
    with place.open() as file:
        assert file.name == told != before
        assert (len(told), asked_for(file)) == (8, folder)
        assert int(told, 16) >= 0
