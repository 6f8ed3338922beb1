"""What went wrong is gathered, bounded, and written once a minute for each code and subject."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.events import BROKER, EUI64_CHANGED, KEY_CONFLICT, REPLAYS_OLD, SESSION_LOST, Events
from gateway.rounds import Rounds
from ingest.ledger.files import OpenLedger
from ingest.ledger.port import Alarm
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.schema import ALARM, DEVICE
from ingest.model import Channel
from tests.gateway.adapters import FULL, Desk
from tests.support.engines import ENGINES, Place, fresh
from tests.support.ledgers import NOW, STREAM, body, raw, reading, register, relational

MINUTE = 60_000_000
OURS, OTHER = "FE-ED-AB-EE-DE-AD-77-C3", "FE-ED-AB-EE-DE-AD-77-C4"


@pytest.fixture(name="place", params=ENGINES)
def each_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A new ledger of each engine in turn."""
    yield from fresh(request, tmp_path)


@pytest.fixture
def file(place: Place) -> Iterator[OpenLedger]:
    """A ledger with one device."""
    with place.open() as made:
        register(made, "bp-0001")
        yield made


def desk_of(file: OpenLedger) -> tuple[Desk, Rounds]:
    """A consumer and its rounds that tell of the same events."""
    desk = Desk(relational(file), repeats=3)
    return desk, Rounds(desk.source, desk.ledger, lambda: desk.now, desk.happened)


def alarms(file: OpenLedger) -> list[tuple[str, str, int]]:
    """Code, subject and count of every row, in order."""
    with file.readers.connect() as connection:
        rows = connection.execute(select(ALARM.c.code, ALARM.c.subject, ALARM.c.count).order_by(ALARM.c.alarm))
        return [tuple(row) for row in rows]


def payload(seq: int, systolic: int = 128) -> bytes:
    """A reading."""
    return json.dumps(body(seq, systolic)).encode()


def test_a_conflict_is_an_alarm_of_its_device_once_a_minute(file: OpenLedger) -> None:
    """However many conflicts come in a minute, one row and one count; then one more."""
    desk, rounds = desk_of(file)
    desk.source.arrive(raw(payload(0)), *(raw(payload(0, 129 + n)) for n in range(5)))
    desk.work()
    assert [rounds.warn(), rounds.warn()] == [1, 0]
    desk.source.arrive(raw(payload(0, 140)))
    desk.work()
    assert rounds.warn() == 0
    assert alarms(file) == [(KEY_CONFLICT, "bp-0001", 1)]
    desk.now += MINUTE + 1
    assert rounds.warn() == 1
    assert alarms(file) == [(KEY_CONFLICT, "bp-0001", 2)]


def test_a_repeat_of_a_conflict_is_no_new_conflict(file: OpenLedger) -> None:
    """The device is told again, and people are not."""
    desk, rounds = desk_of(file)
    desk.source.arrive(raw(payload(0)), raw(payload(0, 129)))
    desk.work()
    rounds.warn()
    desk.source.arrive(raw(payload(0, 129)))
    desk.work()
    desk.now += 2 * MINUTE
    assert rounds.warn() == 0


def test_many_repeats_of_stored_readings_are_an_alarm_and_a_few_are_not(file: OpenLedger) -> None:
    """Within an hour; what the broker itself sends again does not count."""
    desk, rounds = desk_of(file)
    sent = [raw(payload(seq)) for seq in range(3)]
    desk.source.arrive(*sent)
    desk.source.arrive(*sent)
    desk.source.arrive(*(raw(payload(seq), dup=True) for seq in range(3)))
    desk.work()
    assert rounds.warn() == 0
    desk.now += 60 * MINUTE
    desk.source.arrive(*sent)
    desk.work()
    assert rounds.warn() == 0
    desk.source.arrive(sent[0])
    desk.work()
    assert rounds.warn() == 1
    assert alarms(file) == [(REPLAYS_OLD, "bp-0001", 1)]


@pytest.mark.parametrize(("said", "raised"), [(OURS, []), (OTHER, [(EUI64_CHANGED, "bp-0001", 1)]), (None, [])])
def test_a_hello_with_another_eui64_than_registered_is_an_alarm(
    file: OpenLedger, said: str | None, raised: list[tuple[str, str, int]]
) -> None:
    """The registered one stays; the same one, or none, is nothing to tell."""
    file.writer.write(lambda connection: connection.execute(DEVICE.update().values(eui64=OURS)))
    desk, rounds = desk_of(file)
    hello = {"v": 1, "conn": "a1b2c3d4", "stream": STREAM, "next": 0} | ({"eui64": said} if said else {})
    desk.source.arrive(raw(json.dumps(hello).encode(), channel=Channel.HELLO))
    desk.work()
    rounds.warn()
    assert alarms(file) == raised
    with file.readers.connect() as connection:
        assert connection.execute(DEVICE.select()).one().eui64 == OURS


def test_an_empty_eui64_is_filled_by_the_first_hello_without_a_word(file: OpenLedger) -> None:
    """The second, other one is told."""
    desk, rounds = desk_of(file)
    for eui64 in (OURS, OTHER):
        hello = {"v": 1, "conn": "a1b2c3d4", "stream": STREAM, "next": 0, "eui64": eui64}
        desk.source.arrive(raw(json.dumps(hello).encode(), channel=Channel.HELLO))
        desk.work()
    rounds.warn()
    assert alarms(file) == [(EUI64_CHANGED, "bp-0001", 1)]


def test_a_lost_session_is_told_with_its_window(file: OpenLedger) -> None:
    """Each loss is a row of its own: since when messages may be missing, and until when; the newest is open."""
    desk, rounds = desk_of(file)
    desk.happened.session_lost(NOW - 5 * MINUTE)
    assert rounds.warn() == 1
    desk.now += 60 * MINUTE
    desk.happened.session_lost(desk.now - MINUTE)
    assert rounds.warn() == 1
    with file.readers.connect() as connection:
        first, second = connection.execute(ALARM.select().order_by(ALARM.c.alarm)).all()
    assert (first.code, first.subject) == (SESSION_LOST, BROKER)
    assert (first.since, first.last_at) == (NOW - 5 * MINUTE, NOW)
    assert (second.since, second.last_at) == (desk.now - MINUTE, desk.now)
    assert (first.cleared_at, second.cleared_at) == (second.since, None)


@pytest.mark.parametrize("kept", [True, False])
def test_the_first_session_of_a_process_is_lost_only_if_there_was_one(file: OpenLedger, *, kept: bool) -> None:
    """A ledger that has kept messages had a session: since the last of them; a new one had none."""
    desk, _ = desk_of(file)
    if kept:
        desk.source.arrive(raw(payload(0)))
        desk.work()
    events = Events(lambda: NOW + MINUTE, last_kept=RelationalLedger(file).last_kept())
    events.session_lost(None)
    assert events.due() == ([Alarm(SESSION_LOST, BROKER, NOW + MINUTE, NOW)] if kept else [])


def test_what_cannot_be_written_waits(file: OpenLedger) -> None:
    """A ledger that is away loses no alarm, and it is written when it is back."""
    desk, rounds = desk_of(file)
    desk.ledger.fault = FULL
    desk.happened.tell(KEY_CONFLICT, "bp-0001")
    with pytest.raises(type(FULL)):
        rounds.warn()
    desk.ledger.fault = None
    assert rounds.warn() == 1
    assert alarms(file) == [(KEY_CONFLICT, "bp-0001", 1)]


def test_no_number_of_devices_makes_it_grow(file: OpenLedger) -> None:
    """Alarms that wait, and counts of repeats, are at most so many; what was written is forgotten after a minute."""
    now = [NOW]
    events = Events(lambda: now[0], repeats=0, most=10)
    names = [f"bp-{number}" for number in range(100)]
    for name in names:
        register(file, name)
        events.tell(KEY_CONFLICT, name)
        assert events.remembered <= 10
    items = [reading(0, device=name) for name in names] * 2
    ledger = RelationalLedger(file)
    events.seen(items, ledger.commit(items, NOW).result(), {})
    assert events.remembered == 10
    events.written(events.due())
    now[0] += 2 * MINUTE
    assert list(events.due()) == []
    assert events.remembered <= 10
