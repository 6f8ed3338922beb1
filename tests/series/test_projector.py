"""The projector: every reading once, whatever is cut off, and only what may be shown of a patient."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ingest.judge import judge
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import OpenLedger
from ingest.model import ClockFacts, DeviceStatus, Facts, Judged
from ingest.series.lag import ask_rebuild
from ingest.series.memory import MemorySeries
from ingest.series.port import Point, Span
from ingest.series.projector import Projector
from tests.support.engines import ENGINES, place
from tests.support.ledgers import NOW, body, raw, reading
from tests.support.published import give, publish, take_back

ALL = [Span("bp-0001", 0, 2**62)]


@pytest.fixture(params=ENGINES)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenLedger]:
    """An open ledger of each engine in turn."""
    with place(request, request.param, tmp_path) as where, where.open() as opened:
        yield opened


def project(file: OpenLedger, series: MemorySeries) -> MemorySeries:
    """Project until nothing is left."""
    while Projector(file, series).step():
        pass
    return series


def shown(series: MemorySeries) -> list[tuple[int, str]]:
    """Position and value of each systolic point."""
    return [(found.position, str(found.value)) for found in series.range("systolic", ALL, 9999)]


class Cut(MemorySeries):
    """A series whose writer dies after the points, before the cursor moves."""

    def write(self, points: Sequence[Point]) -> None:
        """Write, then break."""
        super().write(points)
        raise LedgerUnavailable("Cut.", "Off.", "Here.")


def test_each_reading_is_projected(file: OpenLedger) -> None:
    """Readings become points under their own time and position; what is no reading does not."""
    publish(file, reading(0, 120), reading(0, 120), reading(1, 999), reading(2, 130))
    series = project(file, MemorySeries())
    assert shown(series) == [(1, "120"), (4, "130")]
    assert {found.metric for found in series.last(ALL)} >= {"systolic", "diastolic"}
    publish(file, reading(3, 140))
    assert shown(project(file, series))[-1] == (5, "140")


def test_rounds_join_without_a_seam(file: OpenLedger) -> None:
    """More readings than a round takes are all there."""
    publish(file, *(reading(seq) for seq in range(243)))
    assert len(shown(project(file, MemorySeries()))) == 243


def test_a_crash_between_points_and_cursor_doubles_nothing(file: OpenLedger) -> None:
    """The same points are written again, and are the same."""
    publish(file, *(reading(seq) for seq in range(7)))
    series = Cut()
    for _ in range(2):
        with pytest.raises(LedgerUnavailable):
            Projector(file, series).step()
    assert len(shown(series)) == 7
    whole = MemorySeries()
    assert shown(project(file, whole)) == shown(series)


def test_rebuilt_it_is_the_same(file: OpenLedger) -> None:
    """Emptied and fed again, with strange points in it before, a series holds what it held."""
    publish(file, *(reading(seq, 100 + seq) for seq in range(9)))
    series = project(file, MemorySeries())
    before = shown(series)
    series.write([Point("bp-0001", "systolic", NOW, 999, reading().reading.measurements and 1)])  # type: ignore[union-attr, arg-type]
    ask_rebuild(file)
    assert shown(project(file, series)) == before


def unverified(seq: int) -> Judged:
    """A reading whose device clock nobody knows."""
    facts = Facts(NOW, DeviceStatus.ACTIVE, {0: ClockFacts()})
    return judge(raw(json.dumps(body(seq)).encode()), facts)


def test_what_is_nobody_s_shows_in_no_trend(file: OpenLedger) -> None:
    """What waits for a person is left out, and is there under its settled time once it was given to somebody."""
    publish(file, reading(0, flags=["test"]), reading(1, flags=["calibrating"]), unverified(2), reading(3))
    series = project(file, MemorySeries())
    assert shown(series) == [(4, "128")]
    give(file, 3, NOW + 5)
    project(file, series)
    assert shown(series) == [(4, "128"), (3, "128")]
    assert series.range("systolic", ALL, 10)[-1].at == NOW + 5


def test_cut_off_while_it_is_filled_anew_it_fills_up(file: OpenLedger) -> None:
    """Emptied, and killed before the first points are there: the next projector begins at the first reading."""
    publish(file, *(reading(seq) for seq in range(7)))
    projector = Projector(file, MemorySeries())
    projector.step()
    projector._remember()  # noqa: SLF001 - what `run` does when nothing is left
    ask_rebuild(file)
    with pytest.raises(LedgerUnavailable):
        Projector(file, Cut()).step()
    assert len(shown(project(file, MemorySeries()))) == 7


def test_what_is_taken_back_goes(file: OpenLedger) -> None:
    """A reading that was taken back leaves the trend, projected before or not; rebuilt, it stays away."""
    publish(file, reading(0), reading(1), reading(2))
    series = project(file, MemorySeries())
    take_back(file, 1)
    publish(file, reading(3))
    take_back(file, 4)
    assert shown(project(file, series)) == [(2, "128"), (3, "128")]
    ask_rebuild(file)
    assert shown(project(file, series)) == [(2, "128"), (3, "128")]


def test_a_reading_given_at_another_time_moves(file: OpenLedger) -> None:
    """The point at its former time goes; given to somebody else at the same time, it stays one point."""
    publish(file, reading(0))
    series = project(file, MemorySeries())
    take_back(file, 1)
    give(file, 1, NOW + 9, n=2)
    assert [(found.position, found.at) for found in project(file, series).range("systolic", ALL, 9)] == [(1, NOW + 9)]
    take_back(file, 1)
    give(file, 1, NOW + 9, n=3)
    assert [(found.position, found.at) for found in project(file, series).range("systolic", ALL, 9)] == [(1, NOW + 9)]
