"""A series in a store of its own: emptied, another's, set back, or wanted anew, it holds what the ledger says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import select

from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.ledger.schema import CURSOR
from ingest.series.faults import SeriesUnavailable
from ingest.series.lag import CURSOR_NAME, Lag, ask_rebuild, is_rebuild_asked, lag
from ingest.series.memory import MemorySeries
from ingest.series.port import Apart, Mark, Point, Span
from ingest.series.projector import Projector
from tests.faults.installation import until
from tests.support.ledgers import NOW, reading
from tests.support.published import publish

ALL = [Span("bp-0001", 0, 2**62)]
SECOND = 1_000_000


class Elsewhere(MemorySeries, Apart):
    """A series in memory that others may lay hands on; ``dies_at``: the write or clearing at which its line is cut."""

    together = 3

    def __init__(self) -> None:
        super().__init__()
        self.said: Mark | None = None
        self.prepared = self.cleared = 0
        self.dies_at: str | None = None
        self.notice: str | None = None

    @property
    def apart(self) -> Apart:  # type: ignore[override]  # a memory that is not beside the ledger
        """See the port."""
        return self

    def write(self, points: Sequence[Point]) -> None:
        """See the port."""
        super().write(points)
        self._dies("write")

    def clear(self) -> None:
        """See the port."""
        super().clear()
        self.said, self.cleared = None, self.cleared + 1
        self._dies("clear")

    def prepare(self) -> str | None:
        """See the port."""
        self.prepared += 1
        return self.notice

    def mark(self) -> Mark | None:
        """See the port."""
        self._dies("mark")
        return self.said

    def claim(self, ledger: str) -> None:
        """See the port."""
        self.said = Mark(ledger, 0)

    def note(self, position: int) -> None:
        """See the port."""
        assert self.said is not None
        self.said = Mark(self.said.ledger, position)
        self._dies("note")

    def _dies(self, where: str) -> None:
        if self.dies_at == where:
            raise SeriesUnavailable("Cut.", "Here.")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[OpenLedger]:
    """A ledger with ten published readings."""
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        publish(opened, *(reading(seq, 100 + seq) for seq in range(10)))
        yield opened


def project(file: OpenLedger, series: MemorySeries) -> list[str]:
    """A projector's life, from its start to the end of what there is; why it filled the series anew."""
    why: list[str] = []
    projector = Projector(file, series, why.append)
    while projector.step():
        pass
    projector._remember()  # noqa: SLF001 - what `run` does when nothing is left
    return why


def shown(series: MemorySeries) -> list[int]:
    """The positions of all points."""
    return [found.position for found in series.range("systolic", ALL, 9999)]


def cursor(file: OpenLedger) -> int | None:
    """As a later projector finds it."""
    with file.readers.connect() as connection:
        return connection.execute(select(CURSOR.c.position).where(CURSOR.c.name == CURSOR_NAME)).scalar()


def test_a_new_series_is_claimed_and_filled(file: OpenLedger) -> None:
    """It says whose points it holds and how many; the next projector has nothing to do."""
    series = Elsewhere()
    assert project(file, series) == ["it is new"]
    assert shown(series) == list(range(1, 11))
    assert series.said == Mark(file.name, 10)
    assert (project(file, series), series.cleared, cursor(file)) == ([], 1, 10)


def test_an_emptied_series_is_filled_again(file: OpenLedger) -> None:
    """Found at the start, and found while it goes on; with what came meanwhile."""
    series = Elsewhere()
    project(file, series)
    series.clear()
    assert project(file, series) == ["it was emptied"]
    why: list[str] = []
    projector = Projector(file, series, why.append)
    projector.step()
    series.clear()
    publish(file, reading(10))
    projector._looked = 0.0  # noqa: SLF001 - two seconds later
    while projector.step():
        pass
    assert why == ["it was emptied"]
    assert shown(series) == list(range(1, 12))


def test_another_ledger_s_series_is_taken_over_at_the_start(file: OpenLedger) -> None:
    """After a restore the ledger has another name, and what was shown may never have been."""
    series = Elsewhere()
    series.claim("0a1b2c3d")
    series.note(77)
    series.write([Point("bp-0001", "systolic", NOW, 999, 1)])  # type: ignore[arg-type]  # any value
    assert project(file, series) == ["it held the points of another ledger (0a1b2c3d)"]
    assert shown(series) == list(range(1, 11))


def test_two_ledgers_do_not_empty_one_series_in_turn(file: OpenLedger) -> None:
    """Whoever had it says that another one writes to it, and leaves it alone."""
    series = Elsewhere()
    projector = Projector(file, series)
    projector.step()
    series.clear()
    series.claim("0a1b2c3d")
    projector._looked = 0.0  # noqa: SLF001 - two seconds later
    with pytest.raises(SeriesUnavailable, match="another ledger too"):
        projector.step()
    assert series.said == Mark("0a1b2c3d", 0)


def test_a_series_that_was_set_back_is_filled_from_there(file: OpenLedger) -> None:
    """A backup of the store was brought back: what it lacks is written again, and nothing is emptied."""
    series = Elsewhere()
    project(file, series)
    kept = series.range("systolic", ALL, 4)
    series.clear()
    series.write(kept)
    series.said = Mark(file.name, 4)
    assert (project(file, series), series.cleared) == ([], 2)
    assert shown(series) == list(range(1, 11))


def test_a_series_that_knows_more_than_the_ledger_is_filled_anew(file: OpenLedger) -> None:
    """A backup of the ledger was brought back: what it never had is in no trend."""
    series = Elsewhere()
    project(file, series)
    series.write([Point("bp-0001", "systolic", NOW, 11, 1)])  # type: ignore[arg-type]  # any value
    series.note(11)
    assert project(file, series) == ["it knows more than the ledger, which was set back"]
    assert shown(series) == list(range(1, 11))


def test_a_wish_to_fill_it_anew_is_kept_until_it_has_begun(file: OpenLedger) -> None:
    """Asked twice, it is done once; asked while no projector runs, by the next one."""
    series = Elsewhere()
    project(file, series)
    series.write([Point("bp-0001", "systolic", NOW, 999, 1)])  # type: ignore[arg-type]  # any value
    ask_rebuild(file)
    ask_rebuild(file)
    with file.readers.connect() as connection:
        assert is_rebuild_asked(connection)
    assert project(file, series) == ["it was asked for"]
    assert shown(series) == list(range(1, 11))
    with file.readers.connect() as connection:
        assert not is_rebuild_asked(connection)
    assert project(file, series) == []


@pytest.mark.parametrize("where", ["clear", "write", "note"])
@pytest.mark.parametrize("is_asked", [False, True])
def test_cut_off_anywhere_it_ends_the_same(file: OpenLedger, where: str, is_asked: bool) -> None:  # noqa: FBT001 - a parameter
    """Filling anew is killed at any step, and whoever comes next ends it."""
    series = Elsewhere()
    if is_asked:
        project(file, series)
        ask_rebuild(file)
    series.dies_at = where
    with pytest.raises(LedgerUnavailable):
        project(file, series)
    series.dies_at = None
    project(file, series)
    assert shown(series) == list(range(1, 11))
    assert series.said == Mark(file.name, 10)


def test_the_cursor_is_behind_what_the_series_has_confirmed(file: OpenLedger) -> None:
    """A write that failed does not move it, whatever of it arrived."""
    series = Elsewhere()
    projector = Projector(file, series)
    projector.step()
    series.dies_at = "write"
    with pytest.raises(SeriesUnavailable):
        projector.step()
    projector._remember()  # noqa: SLF001 - what `run` does at its end
    assert cursor(file) == 3


def test_what_is_wrong_is_said_until_it_is_mended(file: OpenLedger) -> None:
    """The loop tells why it waits, tries again by itself, prepares again, and then says nothing more."""
    series, stop = Elsewhere(), Event()
    series.dies_at, series.notice = "mark", "Hours are not gathered."
    projector = Projector(file, series)
    thread = Thread(target=projector.run, args=(stop,))
    thread.start()
    try:
        until(lambda: projector.problem == "Cut. Here.", "it says why")
        noticed, prepared, series.dies_at = projector.notice, series.prepared, None
        assert noticed is None
        until(lambda: projector.problem is None and len(shown(series)) == 10, "it goes on by itself")
        assert series.prepared > prepared
        assert projector.notice == "Hours are not gathered."
        until(lambda: cursor(file) == 10, "the cursor is written when nothing is left")
    finally:
        stop.set()
        thread.join()


def test_what_is_behind_is_counted_in_readings_and_time(file: OpenLedger) -> None:
    """From the ledger alone: also while the series is away, and by another process."""

    def behind() -> Lag:
        with file.readers.connect() as connection:
            return lag(connection, NOW + 61 * SECOND)

    assert behind() == Lag(10, 61.0)
    assert behind().is_late
    projector = Projector(file, Elsewhere())
    projector.step()
    projector._remember()  # noqa: SLF001 - what `run` does now and then
    assert behind().readings == 7
    while projector.step():
        pass
    projector._remember()  # noqa: SLF001 - as above
    assert behind() == Lag(0, 0.0)
    assert not behind().is_late
