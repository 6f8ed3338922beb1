"""A writer and its ledger on a disk that fails, in this process: room, long readers, permission, descriptors."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine

from ingest.blobs import Range
from ingest.ledger.condition import Condition
from ingest.ledger.faults import FlushFailed, LedgerLost, LedgerRefused, LedgerUnavailable
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.reserve import Reserve
from ingest.ledger.verify import verify
from tests.faults.installation import until
from tests.support.injected import fill, read_only, small_disk
from tests.support.ledgers import NOW, reading, register

pytestmark = [pytest.mark.faults, pytest.mark.timeout(60)]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 8 MiB."""
    with small_disk(tmp_path / "disk", 8) as folder:
        yield folder


@pytest.mark.parametrize("left", [0, 4096, 40_960, 409_600])
def test_wherever_the_room_ends_what_was_told_is_there(disk: Path, left: int) -> None:
    """In an insert, a commit or a checkpoint: no batch is told that is not kept, and with room the writer goes on."""
    told: set[int] = set()
    with open_ledger(disk / "ledger.sqlite") as file:
        register(file, "bp-0001")
        ledger = RelationalLedger(file)
        fill(disk / "ballast", left)
        refused: list[str | None] = []
        for seq in range(400):
            try:
                ledger.commit([reading(seq)], NOW).result(10)
            except LedgerUnavailable as fault:
                refused += [fault.happened, file.writer.problem]
                if len(refused) > 6:
                    break
            else:
                told.add(seq)
        assert set(refused) == {"The ledger cannot be used (SQLITE_FULL)."}
        (disk / "ballast").unlink()
        ledger.commit([reading(1000)], NOW).result(10)
        assert file.writer.problem is None
        assert _kept(file) >= told | {1000}


def test_a_part_of_a_blob_that_has_no_room_is_not_answered(disk: Path) -> None:
    """Parts without room raise, and are kept from the first byte on when there is room."""
    with open_ledger(disk / "ledger.sqlite") as file:
        part = Range("bp-0001", "ab" * 32, 0, os.urandom(300_000))
        fill(disk / "ballast", 100_000)
        with pytest.raises(OSError, match="No space left") as raised:
            file.blobs.keep([part])
        assert raised.value.errno == errno.ENOSPC
        (disk / "ballast").unlink()
        assert file.blobs.keep([part]) == {("bp-0001", "ab" * 32): file.blobs.number("bp-0001", "ab" * 32)}
        kept = next((disk / "blobs" / "parts").glob("*/*")).read_bytes()
        assert kept == part.data


def test_the_reserve_flaps_not(disk: Path) -> None:
    """Below the reserve nothing is taken; again only when a quarter more is free; the disk is asked once a second."""
    clock = [0.0]
    reserve = Reserve(disk, 4 << 20, lambda: clock[0])
    reserve.check()
    fill(disk / "ballast", (4 << 20) - 1)
    reserve.check()
    clock[0] = 1.0
    with pytest.raises(LedgerUnavailable, match="reserve is used up"):
        reserve.check()
    os.truncate(disk / "ballast", (disk / "ballast").stat().st_size - (1 << 19))
    clock[0] = 2.0
    with pytest.raises(LedgerUnavailable):
        reserve.check()
    (disk / "ballast").unlink()
    with pytest.raises(LedgerUnavailable):
        reserve.check()
    clock[0] = 3.0
    reserve.check()


def test_a_long_reader_is_told_and_its_log_given_back(tmp_path: Path) -> None:
    """While somebody reads an old state the log grows and that is said; after it the log is short again."""
    with open_ledger(tmp_path / "ledger.sqlite") as file:
        ledger, log = RelationalLedger(file), tmp_path / "ledger.sqlite-wal"
        ledger.commit([reading(0)], NOW).result(10)
        seqs = iter(range(1, 10_000))

        def after_more(condition: Callable[[], bool]) -> bool:
            ledger.commit([reading(next(seqs), note="x" * 200_000) for _ in range(5)], NOW).result(10)
            return condition()

        with file.readers.connect() as reader:
            before = reader.exec_driver_sql("SELECT count(*) FROM journal").scalar()
            until(lambda: after_more(lambda: file.writer.warning is not None), "it is said", pause_s=0)
            assert "somebody reads an old state" in (file.writer.warning or "")
            assert log.stat().st_size > 64 << 20
            assert reader.exec_driver_sql("SELECT count(*) FROM journal").scalar() == before
        until(lambda: after_more(lambda: log.stat().st_size <= 64 << 20), "the log is given back", pause_s=0.1)
        until(lambda: after_more(lambda: file.writer.warning is None), "nothing more is said", pause_s=0.1)


def test_a_folder_that_is_read_only_at_the_start_is_refused(disk: Path) -> None:
    """Opening says that it cannot be written, and changes nothing; writable again, it opens."""
    ledger = disk / "ledger.sqlite"
    open_ledger(ledger).close()
    before = ledger.read_bytes()
    read_only(disk, yes=True)
    with pytest.raises((LedgerRefused, LedgerUnavailable), match="not writable"):
        open_ledger(ledger)
    read_only(disk, yes=False)
    assert ledger.read_bytes() == before
    open_ledger(ledger).close()


def test_without_descriptors_a_batch_is_refused_and_kept_later(tmp_path: Path) -> None:
    """When no file can be opened, what needs one is refused by name, and the same writer goes on afterwards."""
    with open_ledger(tmp_path / "ledger.sqlite") as file:
        ledger = RelationalLedger(file)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            with pytest.raises(LedgerUnavailable, match="SQLITE_CANTOPEN"):
                ledger.commit([reading(0)], NOW).result(10)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        ledger.commit([reading(0)], NOW).result(10)
        assert _kept(file) == {0}


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE journal SET position = 99 WHERE position = 3",
        "UPDATE journal SET payload = x'00' WHERE position = 2",
        "UPDATE reading SET kind = 'other' WHERE position = 1",
    ],
)
def test_rows_that_went_with_a_flush_are_missed(tmp_path: Path, harm: str) -> None:
    """After a flush that failed a new connection on which the newest row is absent or altered is never used."""
    with open_ledger(tmp_path / "ledger.sqlite") as file:
        for seq in range(3):
            RelationalLedger(file).commit([reading(seq)], NOW).result(10)
        fault = FlushFailed("It failed.", "Safe.", "Mend it.")
        condition = Condition()

        def job(connection: Connection) -> None:
            condition.failed(fault, connection)
            condition.check(connection)
            connection.exec_driver_sql(harm)
            condition.check(connection)

        with pytest.raises(LedgerLost, match="not as they were"):
            file.writer.write(job)


def test_a_disk_that_cannot_be_read_after_a_flush_that_failed_ends_the_part() -> None:
    """Nobody waits for ever: it is lost at once, in words."""
    condition = Condition()
    with create_engine("sqlite://").connect() as connection:  # it has no journal: that cannot be read
        condition.failed(FlushFailed("It failed.", "Safe.", "Mend it."), connection)
    assert isinstance(condition.lost, LedgerLost)


def _kept(file: OpenLedger) -> set[int]:
    with file.readers.connect() as connection:
        assert not verify(connection).faults
        return set(connection.exec_driver_sql("SELECT seq FROM key").scalars().all())
