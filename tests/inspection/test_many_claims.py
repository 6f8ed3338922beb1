"""Several hundred readings of one blob: no transaction grows with their number, and nobody waits long for another."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, event

from ingest.ledger.port import Kept
from ingest.ledger.writer import Writer
from ingest.model import Outcome
from tests.inspection.conftest import Bench
from tests.support.contents import parts, photograph
from tests.support.engines import in_a_file

T = TypeVar("T")
MANY = 300


@dataclass
class Counting(Writer):
    """A writer that counts the statements of each job; one with many rows is one."""

    real: Writer
    counts: list[int] = field(default_factory=list)

    def submit(self, job: Callable[[Connection], T], lanes: Collection[str] | None = None) -> Future[T]:
        """Hand the job on, with somebody who counts."""

        def counted(connection: Connection) -> T:
            statements: list[str] = []

            def note(_: object, __: object, statement: str, *___: Any) -> None:  # noqa: ANN401 - SQLAlchemy calls it so
                statements.append(statement)

            event.listen(connection, "before_cursor_execute", note)
            try:
                return job(connection)
            finally:
                event.remove(connection, "before_cursor_execute", note)
                self.counts.append(len(statements))

        return self.real.submit(counted, lanes)


def counted(bench: Bench, work: Callable[[], object]) -> list[int]:
    """Statements of each job that ``work`` handed in; alone, each is a transaction."""
    file, writer = bench.file, Counting(bench.file.writer)
    bench.file = replace(file, writer=writer)
    bench.ledger = replace(bench.ledger, file=bench.file)
    work()
    bench.file, bench.ledger = file, replace(bench.ledger, file=file)
    return writer.counts


def claimed(bench: Bench, number: int) -> None:
    """So many readings of one blob wait for it; all but its last part has come."""
    bench.commit(*parts()[:-1])
    for first in range(0, number, 50):
        answers = bench.commit(*(photograph(seq=seq) for seq in range(first, min(first + 50, number))))
        assert all(isinstance(answer, Kept) and answer.outcome is Outcome.PENDING for answer in answers)


def decided(bench: Bench) -> None:
    """The inspector has looked at all of them."""
    while bench.inspect():
        pass


@in_a_file
@pytest.mark.parametrize("number", [1, MANY])
def test_the_last_part_completes_any_number_of_claims_at_once(bench: Bench, number: int) -> None:
    """With as many statements as for one: what waits beside it waits no longer."""
    claimed(bench, number)
    (statements,) = counted(bench, lambda: bench.commit(parts()[-1]))
    assert bench.rows("SELECT state, count(*) FROM content GROUP BY state") == [("complete", number)]
    assert statements <= 6


@in_a_file
@pytest.mark.parametrize("number", [1, MANY])
def test_each_claim_is_decided_in_a_short_transaction_of_its_own(bench: Bench, number: int) -> None:
    """A commit of the gateway has its turn after each."""
    claimed(bench, number)
    bench.commit(parts()[-1])
    counts = counted(bench, lambda: decided(bench))
    assert bench.rows("SELECT state, count(*) FROM content GROUP BY state") == [("ready", number)]
    assert len(counts) == number
    assert max(counts) <= 5
