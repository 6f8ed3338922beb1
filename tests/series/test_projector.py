"""The projector: every reading once, whatever is cut off, and only what may be shown of a patient."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from ingest.judge import judge
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.schema import ATTRIBUTION, FEED, READING
from ingest.model import ClockFacts, DeviceStatus, Facts, Judged
from ingest.series.memory import MemorySeries
from ingest.series.port import Point, Span
from ingest.series.projector import Projector
from tests.support.ledgers import NOW, body, raw, reading

ALL = [Span("bp-0001", 0, 2**62)]


@pytest.fixture
def file(tmp_path: Path) -> Iterator[OpenLedger]:
    """An open ledger file."""
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def commit(file: OpenLedger, *items: Judged) -> None:
    """Commit one batch, and give what may be given to a patient: what gateway and publisher do."""
    RelationalLedger(file).commit(items, NOW).result(10)
    with file.readers.connect() as connection:
        rows = connection.execute(
            select(READING).where(READING.c.position.not_in(select(ATTRIBUTION.c.position)))
        ).all()
    for row in rows:
        if row.flags is None and row.mark != "unverified":
            give(file, row.position, row.used_at)


def give(file: OpenLedger, position: int, used_at: int) -> None:
    """Attribute a reading at a time, and put a version of it into the feed."""
    given = {"position": position, "n": 1, "patient": "p1", "used_at": used_at, "mark": "device", "at": NOW}

    def job(connection: Connection) -> None:
        last = connection.execute(select(func.coalesce(func.max(FEED.c.position), 0))).scalar_one()
        version = {"type": "Observation", "version": 1, "at": NOW, "body": b"{}", "row_hash": b"h"}
        connection.execute(ATTRIBUTION.insert().values(**given))
        row = version | {"position": last + 1, "id": f"o{position}", "reading": position}
        connection.execute(FEED.insert().values(**row))

    file.writer.write(job)


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
    commit(file, reading(0, 120), reading(0, 120), reading(1, 999), reading(2, 130))
    series = project(file, MemorySeries())
    assert shown(series) == [(1, "120"), (4, "130")]
    assert {found.metric for found in series.last(ALL)} >= {"systolic", "diastolic"}
    commit(file, reading(3, 140))
    assert shown(project(file, series))[-1] == (5, "140")


def test_rounds_join_without_a_seam(file: OpenLedger) -> None:
    """More readings than a round takes are all there."""
    commit(file, *(reading(seq) for seq in range(243)))
    assert len(shown(project(file, MemorySeries()))) == 243


def test_a_crash_between_points_and_cursor_doubles_nothing(file: OpenLedger) -> None:
    """The same points are written again, and are the same."""
    commit(file, *(reading(seq) for seq in range(7)))
    series = Cut()
    for _ in range(2):
        with pytest.raises(LedgerUnavailable):
            Projector(file, series).step()
    assert len(shown(series)) == 7
    whole = MemorySeries()
    assert shown(project(file, whole)) == shown(series)


def test_rebuilt_it_is_the_same(file: OpenLedger) -> None:
    """Emptied and fed again, with strange points in it before, a series holds what it held."""
    commit(file, *(reading(seq, 100 + seq) for seq in range(9)))
    series = project(file, MemorySeries())
    before = shown(series)
    series.write([Point("bp-0001", "systolic", NOW, 999, reading().reading.measurements and 1)])  # type: ignore[union-attr, arg-type]
    counted: list[int] = []
    Projector(file, series).rebuild(counted.append)
    assert shown(series) == before
    assert sum(counted) == 9


def unverified(seq: int) -> Judged:
    """A reading whose device clock nobody knows."""
    facts = Facts(NOW, DeviceStatus.ACTIVE, {0: ClockFacts()})
    return judge(raw(json.dumps(body(seq)).encode()), facts)


def test_what_is_nobody_s_shows_in_no_trend(file: OpenLedger) -> None:
    """What waits for a person is left out, and is there under its settled time once it was given to somebody."""
    commit(file, reading(0, flags=["test"]), reading(1, flags=["calibrating"]), unverified(2), reading(3))
    series = project(file, MemorySeries())
    assert shown(series) == [(4, "128")]
    give(file, 3, NOW + 5)
    project(file, series)
    assert shown(series) == [(4, "128"), (3, "128")]
    assert series.range("systolic", ALL, 10)[-1].at == NOW + 5


def test_what_was_taken_back_is_not_given_again(file: OpenLedger) -> None:
    """A reading whose attribution was retracted before it was projected makes no point."""
    commit(file, reading(0))
    back = ATTRIBUTION.update().values(retracted_at=NOW)
    file.writer.write(lambda connection: connection.execute(back))
    assert shown(project(file, MemorySeries())) == []
