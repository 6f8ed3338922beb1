"""The ledger's file moved, deleted or replaced under a running installation."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ingest.ledger.faults import LedgerLost, LedgerRefused
from ingest.ledger.files import open_ledger
from ingest.ledger.relational import RelationalLedger
from simulators.devices.outbox import issued
from tests.faults.bursts import measuring
from tests.faults.installation import Installation, until
from tests.faults.oracle import check_ledger
from tests.support.ledgers import NOW, reading, register

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]


def test_a_ledger_that_was_moved_away_takes_nothing_until_it_is_back(site: Installation, tmp_path: Path) -> None:
    """Both parts end with words, no new ledger is made in its place, and with the file back all goes on, whole."""
    secrets = site.register(3)
    site.start()
    pids, ledger = site.pids(), site.data / "ledger.sqlite"
    with measuring(site, secrets, tmp_path / "outbox") as crowd:
        crowd.more(30)
        until(lambda: crowd.answered == 30, "readings are answered")
        ledger.rename(tmp_path / "away.sqlite")
        crowd.more(30)
        until(lambda: "is gone, and what belongs to it" in site.words, "a new part says what is wrong")
        until(lambda: not {pids["gateway"], pids["office"]} & set(site.pids().values()), "both have ended")
        assert "was moved, deleted or replaced while it was in use" in site.words
        assert crowd.answered == 30
        assert not ledger.exists()
        (tmp_path / "away.sqlite").rename(ledger)
        assert crowd.finish(60.0)["answered"] == 60
    until(lambda: site.serves("office") and site.serves("gateway"), "both parts are back")
    assert site.stop() == 0
    check_ledger(site, list(issued(tmp_path / "outbox")))


def test_an_old_backup_in_its_place_has_another_name(tmp_path: Path) -> None:
    """A file that replaces the ledger while it is used gets nothing of the old log, opens whole, with a new name."""
    ledger, old = tmp_path / "ledger.sqlite", tmp_path / "old"
    with open_ledger(ledger) as file:
        register(file, "bp-0001")
        RelationalLedger(file).commit([reading(0)], NOW).result(10)
        with closing(sqlite3.connect(ledger)) as source, closing(sqlite3.connect(old)) as copy:
            source.backup(copy)
        name = file.name
        for seq in range(1, 20):
            RelationalLedger(file).commit([reading(seq)], NOW).result(10)
        old.replace(ledger)
        with pytest.raises(LedgerLost, match="was moved, deleted or replaced"):
            RelationalLedger(file).commit([reading(20)], NOW).result(10)
        assert file.writer.lost is not None
    with open_ledger(ledger) as file, file.readers.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM journal").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert file.name != name
        name = file.name
    with open_ledger(ledger) as file:
        assert file.name == name, "the second start is one like any other"


def test_the_moved_file_is_whole_by_itself(tmp_path: Path) -> None:
    """What was in the log when the file was moved is copied into it, wherever it is, and no log stays behind."""
    ledger, away = tmp_path / "ledger.sqlite", tmp_path / "elsewhere" / "ledger.sqlite"
    away.parent.mkdir()
    with open_ledger(ledger) as file:
        register(file, "bp-0001")
        for seq in range(20):
            RelationalLedger(file).commit([reading(seq)], NOW).result(10)
        ledger.rename(away)
        with pytest.raises(LedgerLost):
            RelationalLedger(file).commit([reading(20)], NOW).result(10)
    with closing(sqlite3.connect(away)) as moved:
        assert moved.execute("SELECT count(*) FROM journal").fetchone() == (20,)
    log = ledger.with_name("ledger.sqlite-wal")
    assert not log.exists() or log.stat().st_size == 0


def test_no_new_ledger_is_made_where_one_was(tmp_path: Path) -> None:
    """A ledger that is gone, with its folder of contents still there, is refused: a new one knows no device."""
    ledger = tmp_path / "ledger.sqlite"
    open_ledger(ledger).close()
    ledger.unlink()
    with pytest.raises(LedgerRefused, match="is gone"):
        open_ledger(ledger)
    assert not ledger.exists()


def test_a_log_that_was_deleted_stops_acknowledgements(tmp_path: Path) -> None:
    """A commit into a log without a name is never told as kept."""
    ledger = tmp_path / "ledger.sqlite"
    with open_ledger(ledger) as file:
        RelationalLedger(file).commit([reading(0)], NOW).result(10)
        ledger.with_name("ledger.sqlite-wal").unlink()
        with pytest.raises(LedgerLost, match="sqlite-wal was moved"):
            RelationalLedger(file).commit([reading(1)], NOW).result(10)
