"""What a follower of the journal may already pass, while several gateways commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select, text

from fhir_export.destinations import Dispatch
from fhir_export.model import Deployment
from fhir_export.publish import Publisher
from ingest.ledger import journal
from ingest.ledger.engine import watermark
from ingest.ledger.files import OpenLedger
from ingest.ledger.port import Item
from ingest.ledger.schema import META, READING
from ingest.ledger.verify import verify
from tests.ledger.two_writers import PATIENCE_S, commit, held_open
from tests.support.engines import Place
from tests.support.ledgers import NOW, reading, register

pytestmark = pytest.mark.services


class Follower:
    """A cursor over the journal, as every follower of it is written."""

    def __init__(self, file: OpenLedger) -> None:
        self._file, self._at = file, 0
        self.seen: list[int] = []

    def step(self) -> list[int]:
        """Go on as far as it may; the new positions."""
        with self._file.readers.connect() as connection:
            settled = watermark(connection)
            wanted = select(READING.c.position).where(READING.c.position > self._at, READING.c.position <= settled)
            found = list(connection.execute(wanted.order_by(READING.c.position)).scalars())
        self._at = found[-1] if found else self._at
        self.seen += found
        return found


def test_no_reader_passes_a_writer_that_has_not_committed(two: tuple[OpenLedger, OpenLedger]) -> None:
    """What another gateway commits meanwhile lies above, and is seen afterwards, behind it; nothing is skipped."""
    first, second = two
    commit(first, reading(0, device="bp-0001"))
    follower = Follower(second)
    assert len(follower.step()) == 1
    with held_open(first, [reading(seq, device="bp-0001") for seq in (1, 2)], {"bp-0001"}):
        commit(second, *(reading(seq, device="bp-0002") for seq in range(5)))
        assert count(second) == 6  # it is there for whoever reads without a cursor
        assert follower.step() == []
    assert len(follower.step()) == 7
    assert follower.seen == sorted(follower.seen)


def test_the_publisher_passes_nobody(two: tuple[OpenLedger, OpenLedger]) -> None:
    """The publisher's cursor stands still below a writer that has not committed, then takes every reading."""
    first, second = two
    publisher = Publisher(
        second, Deployment("2.999.1", version="0"), Dispatch([]), lambda: NOW, disciplined=lambda: True
    )
    with held_open(first, [reading(0, device="bp-0001")], {"bp-0001"}):
        commit(second, reading(0, device="bp-0002"))
        assert publisher.step() == 0
    assert publisher.step() == 2
    with second.readers.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM inbox")).scalar() == 2


def test_a_writer_that_begins_while_the_reader_looks_is_not_passed(where: Place) -> None:
    """The sequence is read before the locks: what is drawn in between lies above what was read."""
    with where.open() as first, where.open() as second, where.open() as third, ExitStack() as stack:
        commit(third, reading(0, device="bp-0003"))
        begun: list[bool] = []

        def between(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:  # noqa: ANN401
            if "pg_locks" in statement and not begun:
                begun.append(True)
                stack.enter_context(held_open(first, [reading(0, device="bp-0001")], {"bp-0001"}))
                commit(second, reading(0, device="bp-0002"))

        event.listen(third.readers, "after_cursor_execute", between)
        follower = Follower(third)
        assert follower.step() == [1]
        stack.close()
        assert follower.step() == [2, 3]


def test_a_writer_that_gave_up_holds_nobody(two: tuple[OpenLedger, OpenLedger]) -> None:
    """Positions of a commit that was undone stay empty; readers pass them, and the check finds no fault."""
    first, second = two

    def undone(connection: Connection) -> None:
        journal.commit(connection, [reading(0, device="bp-0001")], NOW)
        raise ValueError("of the job")

    with pytest.raises(ValueError, match="of the job"):
        first.writer.submit(undone, {"bp-0001"}).result(PATIENCE_S)
    commit(second, reading(0, device="bp-0002"))
    assert Follower(second).step() == [2]
    with second.readers.connect() as connection:
        assert not verify(connection).faults


def test_followers_of_busy_writers_see_each_reading_once(where: Place) -> None:
    """Four gateways commit as fast as they can, some batches fail: two followers see what is kept, once, in order."""
    with where.open() as reader:
        register(reader, "bp-0001")
        followers, stop = [Follower(reader), Follower(reader)], threading.Event()

        def follow(each: Follower) -> None:
            while not stop.is_set():
                each.step()

        def gateway(number: int) -> None:
            with where.open() as file:
                for batch in range(25):
                    items = [reading(batch * 4 + n, device=f"bp-{number:04}") for n in range(1 + batch % 4)]
                    if batch % 5 == 4:
                        with pytest.raises(ZeroDivisionError):
                            file.writer.submit(fails(items), {f"bp-{number:04}"}).result(PATIENCE_S)
                    commit(file, *items)

        with ThreadPoolExecutor(6) as pool:
            following = [pool.submit(follow, each) for each in followers]
            for done in [pool.submit(gateway, number) for number in range(4)]:
                done.result(60)
            stop.set()
            for ended in following:
                ended.result(PATIENCE_S)
        with reader.readers.connect() as connection:
            kept = list(connection.execute(select(READING.c.position).order_by(READING.c.position)).scalars())
        assert len(kept) == 4 * sum(1 + batch % 4 for batch in range(25))
        for each in followers:
            each.step()
            assert each.seen == kept


def fails(items: Sequence[Item]) -> Callable[[Connection], None]:
    """A job that has written these items when it fails."""

    def job(connection: Connection) -> None:
        journal.commit(connection, items, NOW)
        raise ZeroDivisionError

    return job


def count(file: OpenLedger) -> int:
    """Readings that a reader sees."""
    with file.readers.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(READING)).scalar_one())


def test_the_watermark_is_asked_before_the_snapshot(where: Place) -> None:
    """Asked inside a snapshot it would be worth nothing, and says so."""
    with where.open() as file, file.readers.connect() as connection:
        connection.execute(select(META))
        with pytest.raises(RuntimeError):
            watermark(connection)
