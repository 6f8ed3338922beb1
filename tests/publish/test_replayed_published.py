"""A reading that was judged again is published as a fresh one is."""

from __future__ import annotations

from dataclasses import replace

from ingest.judge import judge
from ingest.ledger.port import Told
from ingest.model import DeviceStatus, Facts
from registry.replaying import SetAside
from tests.publish.conftest import DEVICE, Desk
from tests.support.ledgers import FACTS, NOW, STREAM, reading

UNKNOWN: Facts = replace(FACTS, status=DeviceStatus.UNKNOWN)
NEW = "bp-0009"
HELLO = Told(NEW, NOW, "a1b2c3d4", STREAM, 1, epoch=0, synced=True)
"""Its clock is synchronised: without one, whose the reading is would be left to a person."""


def test_a_reading_that_is_accepted_later_is_published_once_like_a_fresh_one(desk: Desk) -> None:
    """Though the publisher has passed its place long ago; what it says is what a fresh one says."""
    desk.commit(judge(reading(0, device=NEW).raw, UNKNOWN))
    desk.assign(DEVICE, "p1")
    desk.commit(reading(7))
    desk.drain()
    before = len(desk.feed())
    assert before > 0
    desk.register(NEW)
    desk.commit(HELLO)
    desk.assign(NEW, "p1")
    assert SetAside(desk.file, lambda: NOW).replay(1, "@operator").outcome == "stored"
    desk.drain()
    made = desk.feed()[before:]
    desk.commit(reading(8, device=NEW))
    desk.drain()
    fresh = desk.feed()[before + len(made) :]
    assert len(made) == len(fresh) > 0
    for one, other in zip(made, fresh, strict=True):
        for member in ("code", "subject", "status", "valueQuantity", "component", "effectiveDateTime"):
            assert one.get(member) == other.get(member)
    desk.drain()
    assert len(desk.feed()) == before + len(made) + len(fresh)


def test_one_without_a_patient_waits_in_the_inbox(desk: Desk) -> None:
    """Like any other; an assignment takes it out."""
    desk.commit(judge(reading(0, device=NEW).raw, UNKNOWN))
    desk.drain()
    desk.register(NEW)
    desk.commit(HELLO)
    SetAside(desk.file, lambda: NOW).replay(1, "@operator")
    desk.drain()
    assert [position for position, _ in desk.inbox()] == [1]
    desk.assign(NEW, "p1")
    desk.drain()
    assert desk.inbox() == []
    assert desk.feed()
