"""A ledger that is a file: its log, its disk, and one writer at a time."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from ingest.ledger import writer
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.ledger.sqlite import WriteLock
from tests.ledger.jobs import held_up, names, note


@pytest.fixture
def file(tmp_path: Path) -> Iterator[OpenLedger]:
    """An open ledger file."""
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def test_each_commit_is_synced(file: OpenLedger) -> None:
    """The connection that writes syncs the log at every commit: without it a power cut takes acknowledged rows."""
    found = file.writer.write(
        lambda c: [c.execute(text(f"PRAGMA {name}")).scalar() for name in ("synchronous", "journal_mode")]
    )
    assert found == [2, "wal"]  # 2: FULL (sqlite.org/pragma.html#pragma_synchronous)


def test_a_full_ledger_keeps_nothing_and_goes_on_when_there_is_room(
    file: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the commit cannot be made, every job of the transaction hears of it; with room again, writing works."""
    monkeypatch.setattr(writer, "_LONG_S", 60.0)  # however slow this machine is, both jobs share a transaction

    def no_more(connection: Connection) -> None:
        used = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {used}"))

    file.writer.write(no_more)
    go, first = held_up(file)
    small, large = file.writer.submit(note("small")), file.writer.submit(note("large", "x" * 1_000_000))
    go.set()
    first.result(20)
    for future in (small, large):
        with pytest.raises(LedgerUnavailable, match="SQLITE_FULL"):
            future.result(20)
    assert names(file) == set()
    assert file.writer.write(note("large", "x" * 1_000_000)) == "large"  # on a new connection, without the limit


def test_a_job_cannot_swallow_a_full_disk(file: OpenLedger) -> None:
    """When a job catches the error of a full file, what is said of the jobs beside it is still true."""

    def swallows(connection: Connection) -> str:
        used = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {used}"))
        with suppress(OperationalError):
            note("large", "x" * 1_000_000)(connection)
        return "done"

    go, _ = held_up(file)
    beside, outcome = file.writer.submit(note("beside")), file.writer.submit(swallows)
    go.set()
    outcome.exception(20)
    assert (beside.exception(20) is None) == ("beside" in names(file))
    file.writer.write(lambda connection: connection.execute(text("PRAGMA max_page_count = 1000000")))
    assert file.writer.write(note("next")) == "next"


def test_a_file_that_is_gone_is_named(file: OpenLedger, tmp_path: Path) -> None:
    """Writing to a ledger whose file was damaged raises LedgerUnavailable, for each job, for as long as it lasts."""
    file.writer.write(note("one"))
    file.writer.close()
    for suffix in ("-wal", "-shm"):
        file.path.with_name(file.path.name + suffix).unlink(missing_ok=True)
    file.path.write_bytes(b"SQLite format 3\0" + b"\xff" * 8192)
    with pytest.raises(LedgerUnavailable, match=r"NOTADB|CORRUPT"):
        open_ledger(file.path)


def test_one_writer_at_a_time(file: OpenLedger) -> None:
    """While another process holds the lock, nothing is written here, not even begun; afterwards it is."""
    begun = threading.Event()
    with WriteLock(file.path):
        future = file.writer.submit(lambda _connection: begun.set())
        assert not begun.wait(0.2)
        assert not future.done()
    future.result(20)


WRITES = """
import sys
from pathlib import Path
from ingest.ledger.files import open_ledger
from ingest.ledger.schema import META
who, count = sys.argv[2], int(sys.argv[3])
with open_ledger(Path(sys.argv[1])) as file:
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(count):
        file.writer.write(lambda c: c.execute(META.insert().values(name=f"{who}-{n}", value="-")))
"""


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    """Two processes that open a new ledger at once and write as fast as they can lose nothing and see no error."""
    path, count = tmp_path / "ledger.sqlite", 300
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WRITES, str(path), who, str(count)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for who in "ab"
    ]  # fmt: skip
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.communicate(timeout=60)[1] for process in started] == ["", ""]
        assert [process.returncode for process in started] == [0, 0]
    finally:
        for process in started:
            process.kill()
            process.wait()
    with open_ledger(path) as file:
        assert names(file) == {f"{who}-{n}" for who in "ab" for n in range(count)}
    with sqlite3.connect(path) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    plain.close()


@pytest.mark.parametrize(("every_s", "copied"), [(-1.0, True), (3600.0, False)])
def test_the_wal_is_copied_back_now_and_then(
    file: OpenLedger, monkeypatch: pytest.MonkeyPatch, *, every_s: float, copied: bool
) -> None:
    """After its time the file itself holds what was written, while it is open; before, only the WAL does."""
    monkeypatch.setattr(writer, "_CHECKPOINT_S", every_s)
    before = file.path.stat().st_size
    for n in range(2):  # the copy comes after the answer: the second write waits for the first one's
        file.writer.write(note("x" * 200_000 + str(n)))
    assert (file.path.stat().st_size > before + 200_000) is copied
