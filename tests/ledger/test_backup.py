"""Backups: one snapshot while readings come, all of it or none, and back again under another name."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from ingest.ledger.backup import LEDGER, MANIFEST, backup, checked, restore, settled
from ingest.ledger.faults import LedgerRefused
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.sealing import HOUR, Sealer
from ingest.ledger.verify import verify
from tests.support.engines import Place, in_a_database, in_a_file
from tests.support.ledgers import NOW, reading, register

CONTENT = b"a photograph" * 1000
SHA = hashlib.sha256(CONTENT).hexdigest()
OF_A_CONTENT = "INSERT INTO content VALUES (1000, 'bp-0001', ?, 12000, 'ready', NULL, NULL, NULL, 0)"


def put(file: OpenLedger, seqs: range) -> None:
    """Readings."""
    RelationalLedger(file).commit([reading(seq) for seq in seqs], NOW).result(10)


def rows(file: OpenLedger) -> int:
    """How many readings are there; all is sound."""
    with file.readers.connect() as connection:
        assert verify(connection, blobs=file.blobs).faults == ()
        return int(connection.exec_driver_sql("SELECT count(*) FROM reading").scalar_one())


@pytest.fixture
def live(file: OpenLedger) -> OpenLedger:
    """Fifty readings, sealed, and a content that one of them names."""
    register(file, "bp-0001")
    with file.blobs.scratch() as folder:
        (folder / "new").write_bytes(CONTENT)
        file.blobs.adopt(folder / "new")
    put(file, range(50))
    file.writer.write(lambda connection: connection.exec_driver_sql(OF_A_CONTENT, (bytes.fromhex(SHA),)))
    Sealer(file, lambda: NOW + HOUR).step()
    return file


@in_a_file
def test_a_backup_tells_what_is_in_it(live: OpenLedger, tmp_path: Path) -> None:
    """Counts, the newest seal, and the hash of each file; contents lie under their hash; nobody else may read it."""
    made = backup(live, tmp_path / "b", NOW)
    assert checked(tmp_path / "b") == made
    assert (made.tables["reading"], made.blobs, made.ledger) == (50, 1, live.name)
    assert made.head is not None
    assert made.head.startswith("2:")
    assert (tmp_path / "b" / "blobs" / "whole" / SHA[:2] / SHA).read_bytes() == CONTENT
    assert (tmp_path / "b").stat().st_mode & 0o077 == 0


@in_a_file
def test_readings_come_while_it_is_made(live: OpenLedger, tmp_path: Path) -> None:
    """Commits go on, and each backup is one moment of them: sound, with nothing of half a commit."""
    stop, numbers = threading.Event(), count(50)

    def come() -> None:
        while not stop.is_set():
            first = next(numbers) * 10
            put(live, range(first, first + 10))

    coming = threading.Thread(target=come)
    coming.start()
    try:
        made = [backup(live, tmp_path / f"b{n}", NOW) for n in range(5)]
    finally:
        stop.set()
        coming.join()
    counted = [each.tables["reading"] for each in made]
    assert counted == sorted(counted)
    assert counted[0] < counted[-1]
    assert all((each - 50) % 10 == 0 for each in counted)
    with open_ledger(tmp_path / "b4" / LEDGER) as copy:
        assert rows(copy) == counted[-1]


@in_a_file
def test_a_folder_that_is_there_is_refused(live: OpenLedger, tmp_path: Path) -> None:
    """Nothing is overwritten, and a backup that fails leaves nothing behind."""
    (tmp_path / "b").mkdir()
    with pytest.raises(LedgerRefused, match=r"is there already.*Nothing was copied"):
        backup(live, tmp_path / "b", NOW)
    assert list((tmp_path / "b").iterdir()) == []
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".b")] == []


@in_a_database
def test_a_database_is_backed_up_in_its_own_way(live: OpenLedger, tmp_path: Path) -> None:
    """The refusal says which."""
    with pytest.raises(LedgerRefused, match=r"PostgreSQL.*Nothing was copied.*pg_dump"):
        backup(live, tmp_path / "b", NOW)


@in_a_file
def test_what_was_is_back_under_another_name(live: OpenLedger, place: Place, tmp_path: Path) -> None:
    """Restored: the rows and contents of the backup, another name; what lay there since is kept aside."""
    made, name = backup(live, tmp_path / "b", NOW), live.name
    put(live, range(50, 60))
    live.close()
    assert isinstance(place.where, Path)
    assert restore(tmp_path / "b", place.where, tmp_path / "aside") == made
    with place.open() as again:
        assert settled(again) != name
        assert rows(again) == 50
        assert again.blobs.read(SHA) == CONTENT
    with place.open() as again:
        assert again.name != name
        (same, new) = RelationalLedger(again).commit([reading(3), reading(55)], NOW).result(10)
        assert (same.repeat, new.repeat) == (True, False)  # type: ignore[union-attr]
    with open_ledger(tmp_path / "aside" / LEDGER) as old:
        assert (rows(old), old.name) == (60, name)


@in_a_file
def test_a_backup_onto_a_disk_that_is_not_mounted_is_refused(live: OpenLedger, tmp_path: Path) -> None:
    """Nothing is made where it should have been."""
    with pytest.raises(LedgerRefused, match="is not there"):
        backup(live, tmp_path / "disk" / "b", NOW)
    assert not (tmp_path / "disk").exists()


@in_a_file
def test_a_restore_that_is_cut_off_leaves_no_ledger_of_the_old_name(
    live: OpenLedger, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut where nothing lies in the ledger's place, no empty one is made; done again, it has another name."""
    backup(live, tmp_path / "b", NOW)
    name = live.name
    live.close()
    assert isinstance(place.where, Path)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", _cut_at(Path.rename, "blobs"))
        with pytest.raises(KeyboardInterrupt):
            restore(tmp_path / "b", place.where, tmp_path / "one")
    with pytest.raises(LedgerRefused, match="is gone"):
        place.open()
    restore(tmp_path / "b", place.where, tmp_path / "two")
    with place.open() as again:
        assert again.name != name
        assert rows(again) == 50


def _cut_at(rename: Callable[[Path, Path], Path], name: str) -> Callable[[Path, Path], Path]:
    """A rename that is cut off where the new file of that name would be put in its place."""

    def cut_off(old: Path, new: Path) -> Path:
        if new.name == name and old.parent.name == ".restoring":
            raise KeyboardInterrupt
        return rename(old, new)

    return cut_off


def cut(folder: Path) -> None:
    """The manifest was never written."""
    (folder / MANIFEST).unlink()


def flip(folder: Path) -> None:
    """A bit of the ledger turned over."""
    content = bytearray((folder / LEDGER).read_bytes())
    content[len(content) // 2] ^= 4
    (folder / LEDGER).write_bytes(content)


def lose(folder: Path) -> None:
    """A content is gone."""
    (folder / "blobs" / "whole" / SHA[:2] / SHA).unlink()


def retell(folder: Path) -> None:
    """Somebody wrote other counts."""
    told = json.loads((folder / MANIFEST).read_text())
    told["tables"]["reading"] = 51
    (folder / MANIFEST).write_text(json.dumps(told))


@in_a_file
@pytest.mark.parametrize(("damage", "named"), [(cut, "is no backup"), (flip, LEDGER), (lose, SHA), (retell, MANIFEST)])
def test_a_damaged_backup_is_refused_before_anything_moves(
    live: OpenLedger, place: Place, tmp_path: Path, damage: Callable[[Path], None], named: str
) -> None:
    """The file is named, and the ledger is where it was."""
    backup(live, tmp_path / "b", NOW)
    live.close()
    damage(tmp_path / "b")
    assert isinstance(place.where, Path)
    with pytest.raises(LedgerRefused, match=rf"{named}.*untouched"):
        restore(tmp_path / "b", place.where, tmp_path / "aside")
    with place.open() as again:
        assert rows(again) == 50
    assert not (tmp_path / "aside").exists()
