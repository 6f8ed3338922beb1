"""The writer: many jobs, one transaction, and nobody told anything before it is on disk."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import TimeoutError as NoReaderFree

from ingest.ledger import faults, writer
from ingest.ledger.belonging import FOLDER, NAME
from ingest.ledger.engine import named_faults
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.schema import META
from tests.ledger.jobs import held_up, names, note
from tests.support.ledgers import NOW


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


def test_a_wrong_value_is_the_fault_of_its_job_alone(file: OpenLedger) -> None:
    """A value that cannot be kept says nothing of the ledger: the jobs beside it are kept."""
    go, _ = held_up(file)
    good = file.writer.submit(note("good"))
    bad = file.writer.submit(lambda connection: connection.execute(text("INSERT INTO meta VALUES ('bad', NULL)")))
    go.set()
    assert good.result(20) == "good"
    assert not isinstance(bad.exception(20), LedgerUnavailable)


def test_a_commit_that_waits_is_told(file: OpenLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a transaction waits, for whatever reason, the writer says so; before and after it says nothing."""
    assert file.writer.problem is None
    monkeypatch.setattr(faults, "_SILENT_S", 0.0)
    go, busy = held_up(file)
    assert "has not answered" in str(file.writer.problem)
    go.set()
    busy.result(20)
    assert file.writer.problem is None


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


def test_a_reader_sees_one_snapshot(file: OpenLedger) -> None:
    """Until it closes, a reader sees what was there when it began; also on a line that served a single question."""
    RelationalLedger(file).known({"bp-0001"}, NOW)
    file.writer.write(note("before"))
    with file.readers.connect() as connection:
        wanted = select(META.c.name).where(META.c.name.not_in((NAME, FOLDER)))
        assert connection.execute(wanted).scalars().all() == ["before"]
        file.writer.write(note("after"))
        assert connection.execute(wanted).scalars().all() == ["before"]
    assert names(file) == {"before", "after"}


def test_a_reader_cannot_write(file: OpenLedger) -> None:
    """Readers are read-only; those of a file never checkpoint either."""
    with file.readers.connect() as connection, pytest.raises(Exception, match=r"readonly|ReadOnly"):
        connection.execute(META.insert().values(name="x", value="y"))


def test_whatever_a_job_does_the_writer_lives(file: OpenLedger) -> None:
    """A job that closes the connection under the writer is told, and the next one is written."""
    broken = file.writer.submit(lambda connection: connection.connection.driver_connection.close())  # type: ignore[union-attr]
    assert broken.exception(20) is not None
    assert file.writer.write(note("next")) == "next"


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


def test_closing_does_not_wait_for_a_commit_that_waits(file: OpenLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits, and what waits behind it, is told that nothing may be taken for kept; the writer then ends."""
    monkeypatch.setattr(writer, "_LEAVES_S", 0.2)
    go, waiting = held_up(file)
    behind = [file.writer.submit(note(f"n{n}")) for n in range(100)]
    closer = threading.Thread(target=file.writer.close, daemon=True)
    closer.start()
    closer.join(10)
    ended = not closer.is_alive()
    go.set()
    assert ended
    assert all(isinstance(future.exception(0), LedgerUnavailable) for future in (waiting, *behind))
    file.writer._thread.join(20)  # noqa: SLF001 - the writer has nothing more to do
    assert not file.writer._thread.is_alive()  # noqa: SLF001
    assert names(file) == set()


def test_no_reader_free_speaks_of_no_server() -> None:
    """Too many readers at once are no fault of a server or of a disk."""
    with pytest.raises(LedgerUnavailable, match="Too much is read at once") as found, named_faults():
        raise NoReaderFree
    assert "server" not in str(found.value)


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
