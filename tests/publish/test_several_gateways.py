"""The publisher beside several gateways that commit at once: only a database has them."""

from __future__ import annotations

from dataclasses import replace
from threading import Event

from ingest.ledger.relational import RelationalLedger
from tests.publish.between import Slow
from tests.publish.conftest import DEVICE, Desk
from tests.support.engines import Place, in_a_database
from tests.support.ledgers import NOW, reading

OTHER = "bp-0002"


@in_a_database
def test_a_reading_that_is_committed_late_is_not_passed_over(desk: Desk, place: Place) -> None:
    """What stands behind it waits with it, so that the cursor never goes on over a place that is still open."""
    desk.register(OTHER)
    desk.assign(DEVICE, "p1")
    desk.assign(OTHER, "p2")
    desk.drain()
    begun, end = Event(), Event()
    with place.open() as file:
        slow = RelationalLedger(replace(file, writer=Slow(file, begun, end)))
        late = slow.commit([reading(0, device=OTHER)], NOW)
        try:
            assert begun.wait(10)
            desk.commit(reading(0))
            assert [row.device for row in desk.rows("SELECT device FROM reading")] == [DEVICE]
            assert desk.publisher().step() == 0
        finally:
            end.set()
        late.result(10)
    desk.drain()
    assert [each["subject"]["reference"] for each in desk.feed()] == ["Patient/p2", "Patient/p1"]
