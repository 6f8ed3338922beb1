"""What an operator has mended is judged again by itself."""

from __future__ import annotations

import threading
import time

import pytest

from ingest.ledger.files import OpenLedger
from ingest.ledger.relational import RelationalLedger
from ingest.model import Outcome
from registry.devices import NewDevice
from registry.operations import Registrar
from registry.rejudging import WHO, Rejudge
from registry.replaying import SetAside
from tests.support.asides import NOT_SERVED, UNKNOWN, counted, in_short, keep, message, rows
from tests.support.engines import in_a_file
from tests.support.ledgers import NOW, register


class Clock:
    """A time that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW


@pytest.fixture
def clock() -> Clock:
    """The present."""
    return Clock()


@pytest.fixture
def loop(file: OpenLedger, clock: Clock) -> Rejudge:
    """The loop that has looked once, and found nothing."""
    made = Rejudge(SetAside(file, lambda: clock.now), lambda: clock.now)
    assert made.step() == 0
    return made


def settle(loop: Rejudge) -> int:
    """Step until nothing is left; how many were judged."""
    done = 0
    while found := loop.step():
        done += found
    return done


def test_a_device_that_is_added_has_what_it_sent_before_judged_again(
    file: OpenLedger, registrar: Registrar, loop: Rejudge
) -> None:
    """All of it, in bounded batches, and nobody else's; the device is told each verdict."""
    keep(file, *(message(seq, facts=UNKNOWN) for seq in range(40)), message(0, "bp-0002", UNKNOWN))
    keep(file, message(40, facts=UNKNOWN, systolic=9000))
    assert settle(loop) == 0
    registrar.add_device(NewDevice("bp-0001"))
    assert loop.step() == 32
    assert settle(loop) == 9
    assert in_short(counted(file)) == {"stored": 40, "quarantined": 2}
    told = RelationalLedger(file).later(100)
    assert [each.outcome for each in told] == [Outcome.STORED] * 40 + [Outcome.QUARANTINED]
    assert {row[0] for row in rows(file, "SELECT who FROM replay")} == {WHO}
    assert settle(loop) == 0


def test_a_hub_that_is_let_speak_has_what_it_brought_before_judged_again(
    file: OpenLedger, registrar: Registrar, loop: Rejudge
) -> None:
    """Of the device that it may speak for; the receipts go to the hub."""
    for device in ("bp-0001", "bp-0002", "hub-0001"):
        registrar.add_device(NewDevice(device))
    keep(file, *(message(0, device, NOT_SERVED, "hub-0001") for device in ("bp-0001", "bp-0002")))
    assert settle(loop) == 0
    registrar.serve("hub-0001", "bp-0001")
    assert settle(loop) == 1
    (told,) = RelationalLedger(file).later(10)
    assert (told.device, told.hub, told.outcome) == ("bp-0001", "hub-0001", Outcome.STORED)
    assert in_short(counted(file)) == {"stored": 1, "quarantined": 1}


def test_a_message_that_came_while_the_registry_changed_is_found(
    file: OpenLedger, registrar: Registrar, loop: Rejudge, clock: Clock
) -> None:
    """Judged by facts of a moment before, kept a moment after: within a minute it is looked at."""
    registrar.add_device(NewDevice("bp-0001"))
    assert settle(loop) == 0
    keep(file, message(facts=UNKNOWN))
    assert settle(loop) == 0
    clock.now += 61 * 1_000_000
    assert settle(loop) == 1


def test_what_was_left_by_a_process_that_ended_is_done_by_the_next(file: OpenLedger, loop: Rejudge) -> None:
    """Nothing is queued: a new loop finds what waits. What was dismissed, or has no bytes, is left alone."""
    keep(file, *(message(seq, facts=UNKNOWN) for seq in range(40)))
    loop.aside.dismiss(40, WHO)
    register(file, "bp-0001")
    assert loop.step() == 32
    assert settle(Rejudge(loop.aside, loop.now)) == 7
    assert in_short(counted(file)) == {"stored": 39, "dismissed": 1}


@in_a_file
def test_the_loop_runs_until_it_is_told_to_stop(file: OpenLedger) -> None:
    """In a thread of its own, from the start."""
    keep(file, message(facts=UNKNOWN))
    register(file, "bp-0001")
    stop, end = threading.Event(), time.monotonic() + 10
    loop = Rejudge(SetAside(file, lambda: NOW), lambda: NOW)
    thread = threading.Thread(target=loop.run, args=(stop,))
    thread.start()
    while time.monotonic() < end and in_short(counted(file)) != {"stored": 1}:
        time.sleep(0.01)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert loop.problem is None
    assert in_short(counted(file)) == {"stored": 1}
