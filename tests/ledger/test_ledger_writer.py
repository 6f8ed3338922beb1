"""The writer: many jobs, one transaction, and nobody told anything before it is on disk."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from ingest.ledger import writer
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.ledger.schema import META
from ingest.ledger.sqlite import WriteLock


def note(name: str, value: str = "-") -> Any:  # noqa: ANN401 - a job
    """A job that writes one row and returns its name."""

    def job(connection: Connection) -> str:
        connection.execute(META.insert().values(name=name, value=value))
        return name

    return job


def names(file: OpenLedger) -> set[str]:
    """What a reader sees now."""
    with file.readers.connect() as connection:
        return set(connection.execute(select(META.c.name).where(META.c.name != "ledger")).scalars())


def held_up(file: OpenLedger) -> tuple[threading.Event, Future[None]]:
    """Keep the writer busy in a transaction until the event is set."""
    go, busy = threading.Event(), threading.Event()

    def job(_connection: Connection) -> None:
        busy.set()
        assert go.wait(20)

    future = file.writer.submit(job)
    assert busy.wait(20)
    return go, future


@pytest.fixture
def commits() -> Any:  # noqa: ANN401 - a fixture
    """How many transactions were committed while the test ran, by any engine of this process."""
    count: list[int] = []

    def seen(_connection: Connection) -> None:
        count.append(1)

    event.listen(Engine, "commit", seen)
    yield count
    event.remove(Engine, "commit", seen)


def test_jobs_that_wait_share_a_transaction(
    file: OpenLedger, commits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty jobs of forty threads that come while a commit runs need one more commit."""
    monkeypatch.setattr(writer, "_LONG_S", 60.0)  # however slow this machine is
    go, first = held_up(file)
    futures: list[Future[str]] = []
    threads = [
        threading.Thread(target=lambda n=n: futures.append(file.writer.submit(note(f"n{n}")))) for n in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    del commits[:]
    go.set()
    first.result(20)
    assert {future.result(20) for future in futures} == {f"n{n}" for n in range(40)} == names(file)
    assert len(commits) == 2


def test_a_transaction_that_has_become_long_takes_no_further_job(
    file: OpenLedger, commits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left of the jobs that waited together has the next transactions, in order, and loses nothing."""
    monkeypatch.setattr(writer, "_LONG_S", -1.0)
    go, first = held_up(file)
    futures = [file.writer.submit(note(f"n{n}")) for n in range(5)]
    del commits[:]
    go.set()
    first.result(20)
    assert [future.result(20) for future in futures] == [f"n{n}" for n in range(5)]
    assert len(commits) == 6


def test_a_failing_job_undoes_only_itself(file: OpenLedger) -> None:
    """Jobs of one transaction are apart: what one raises is its own, and its rows are gone."""
    go, _ = held_up(file)

    def half(connection: Connection) -> None:
        note("half")(connection)
        raise ValueError("of the job")

    before, fails, twice, after = (
        file.writer.submit(job) for job in (note("before"), half, note("before"), note("after"))
    )
    go.set()
    assert (before.result(20), after.result(20)) == ("before", "after")
    with pytest.raises(ValueError, match="of the job"):
        fails.result(20)
    with pytest.raises(IntegrityError):
        twice.result(20)
    assert names(file) == {"before", "after"}


def test_a_wrong_statement_is_the_fault_of_its_job_alone(file: OpenLedger) -> None:
    """Bad SQL says nothing of the ledger: the jobs beside it are kept."""
    go, _ = held_up(file)
    good = file.writer.submit(note("good"))
    bad = file.writer.submit(lambda connection: connection.execute(text("SELECT nothing FROM nowhere")))
    go.set()
    assert good.result(20) == "good"
    assert not isinstance(bad.exception(20), LedgerUnavailable)


def test_no_error_quotes_a_row(file: OpenLedger) -> None:
    """The text of a fault never holds what was to be written."""
    with pytest.raises(IntegrityError) as found:
        file.writer.write(lambda c: [note("twice", "EXEMPLE-FICTIF")(c) for _ in range(2)])
    assert "EXEMPLE-FICTIF" not in str(found.value)


def test_nobody_is_told_before_the_commit(file: OpenLedger) -> None:
    """When a future is done, other connections see its rows; while the commit is held up, it is not done."""
    at_commit, go = threading.Event(), threading.Event()

    def wait(_connection: Connection) -> None:
        at_commit.set()
        assert go.wait(20)

    event.listen(Engine, "commit", wait)
    try:
        future = file.writer.submit(note("one"))
        assert at_commit.wait(20)
        assert not future.done()
        assert names(file) == set()
        go.set()
        future.result(20)
    finally:
        go.set()
        event.remove(Engine, "commit", wait)
    seen: list[set[str]] = []
    file.writer.submit(note("two")).add_done_callback(lambda _future: seen.append(names(file)))
    file.writer.close()
    assert seen == [{"one", "two"}]


def test_each_commit_is_synced(file: OpenLedger) -> None:
    """The connection that writes syncs the log at every commit: without it a power cut takes acknowledged rows."""
    found = file.writer.write(
        lambda c: [c.execute(text(f"PRAGMA {name}")).scalar() for name in ("synchronous", "journal_mode")]
    )
    assert found == [2, "wal"]  # 2: FULL (sqlite.org/pragma.html#pragma_synchronous)


def test_a_reader_cannot_write(file: OpenLedger) -> None:
    """Readers open the file read-only, so they never checkpoint either."""
    with file.readers.connect() as connection, pytest.raises(Exception, match="readonly"):
        connection.execute(META.insert().values(name="x", value="y"))


def test_a_full_ledger_keeps_nothing_and_goes_on_when_there_is_room(file: OpenLedger) -> None:
    """When the commit cannot be made, every job of the transaction hears of it; with room again, writing works."""

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


def test_whatever_a_job_does_the_writer_lives(file: OpenLedger) -> None:
    """A job that closes the connection under the writer is told, and the next one is written."""
    broken = file.writer.submit(lambda connection: connection.connection.driver_connection.close())  # type: ignore[union-attr]
    assert broken.exception(20) is not None
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


def test_a_closed_writer_says_so(file: OpenLedger) -> None:
    """What was submitted is finished at ``close``; later jobs are refused, and closing again is harmless."""
    go, _ = held_up(file)
    waiting = [file.writer.submit(note(f"n{n}")) for n in range(100)]
    closer = threading.Thread(target=file.writer.close)
    closer.start()
    go.set()
    closer.join(20)
    assert len({future.result(0) for future in waiting}) == 100
    with pytest.raises(LedgerUnavailable, match="closed"):
        file.writer.submit(note("late"))
    file.writer.close()


def test_no_job_is_forgotten_while_closing(tmp_path: Path) -> None:
    """Jobs that come while the writer is closed are either refused or done: none waits for ever."""
    for _ in range(5):
        file = open_ledger(tmp_path / "closing.sqlite")
        futures: list[Future[Any]] = []

        def submit(writer: Any = file.writer, into: list[Future[Any]] = futures) -> None:  # noqa: ANN401
            try:
                while True:
                    into.append(writer.submit(lambda _connection: None))
            except LedgerUnavailable:
                pass

        threads = [threading.Thread(target=submit) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.01)
        file.close()
        for thread in threads:
            thread.join(20)
        assert all(future.done() for future in futures)


def test_a_submitted_job_cannot_be_cancelled(file: OpenLedger) -> None:
    """A caller who gives up does not disturb the writer: the job is written all the same."""
    go, _ = held_up(file)
    future = file.writer.submit(note("one"))
    assert not future.cancel()
    go.set()
    try:
        assert future.result(20) == "one"
    except CancelledError:
        pytest.fail("it was cancelled")


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
