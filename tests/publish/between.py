"""A writer that stands before the real one: something happens between a round's look and its write, or cuts it off."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import replace
from threading import Event
from typing import TypeVar

from sqlalchemy import Connection

from ingest.ledger.files import OpenLedger
from ingest.ledger.writer import Writer

T = TypeVar("T")


class Cut(Exception):  # noqa: N818 - it is no error: the test asks for it
    """The process ends here."""


class Between(Writer):
    """The writer of ``file``; ``before`` runs ahead of the job, ``inside`` in its transaction, ``after`` behind it."""

    def __init__(  # the real writer is there already: no second one is started
        self,
        file: OpenLedger,
        *,
        before: Callable[[], object] = lambda: None,
        inside: Callable[[], object] = lambda: None,
        after: Callable[[], object] = lambda: None,
    ) -> None:
        self._real = file.writer
        self._before, self._inside, self._after = before, inside, after

    def submit(self, job: Callable[[Connection], T], lanes: Collection[str] | None = None) -> Future[T]:
        """Not used by who publishes."""
        return self._real.submit(job, lanes)

    def write(self, job: Callable[[Connection], T]) -> T:
        """Write, with everything around it."""

        def whole(connection: Connection) -> T:
            result = job(connection)
            self._inside()
            return result

        self._before()
        result = self._real.write(whole)
        self._after()
        return result


class Slow(Writer):
    """A writer whose transactions stay open: ``begun`` is set when one is, and it ends when ``end`` is."""

    def __init__(self, file: OpenLedger, begun: Event, end: Event) -> None:
        self._real, self._said, self._end = file.writer, begun, end

    def submit(self, job: Callable[[Connection], T], lanes: Collection[str] | None = None) -> Future[T]:
        """Write, and wait before the commit."""

        def whole(connection: Connection) -> T:
            result = job(connection)
            self._said.set()
            assert self._end.wait(10)
            return result

        return self._real.submit(whole, lanes)


def cut() -> None:
    """End here."""
    raise Cut


def between(file: OpenLedger, **hooks: Callable[[], object]) -> OpenLedger:
    """The same ledger, whose writes meet ``hooks``."""
    return replace(file, writer=Between(file, **hooks))
