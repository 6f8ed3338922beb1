"""What was set aside is judged again: what counts, what it becomes, what stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import Connection

from ingest.judge import judge
from ingest.ledger.decisions import history
from ingest.ledger.files import OpenLedger
from ingest.ledger.port import State, Told
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.replay_facts import Rules, facts
from ingest.ledger.verify import verify
from ingest.model import Channel, ClockFacts, DeviceStatus, Facts, Judged, Key, Outcome, RawMessage
from ingest.reasons import Reason
from registry import devices, hubs
from registry.devices import NewDevice
from registry.faults import Conflict, Unfit, Unknown
from registry.replaying import SetAside
from registry.trace import Stage, trace
from registry.waiting import Wanted, quarantined, quarantined_one
from tests.support.asides import NOT_SERVED, UNKNOWN, counted, everything, in_short, keep, message, outcomes, rows
from tests.support.ledgers import FACTS, NOW, STREAM, body, register

LATER = NOW + 3_600_000_000
WHO = "@operator"
EVERYTHING = Wanted(since=0)
KEY = Key("bp-0001", STREAM, 0)


@pytest.fixture
def aside(file: OpenLedger) -> SetAside:
    """The verbs, an hour after the messages came."""
    return SetAside(file, lambda: LATER)


def write(file: OpenLedger, job: Callable[[Connection], object]) -> None:
    """Change the ledger."""
    file.writer.write(job)


def decisions_on(file: OpenLedger, position: int) -> list[tuple[str, str, str | None]]:
    """Before, outcome and reason of each decision."""
    with file.readers.connect() as connection:
        return [(made.before, made.outcome, made.reason) for made in history(connection, position)]


# ---------------------------------------------------------------- a device that is known now


def test_a_message_of_a_device_that_is_registered_now_is_a_reading(file: OpenLedger, aside: SetAside) -> None:
    """At its own place in the journal, whose row stays as it was; it is due, and the device is told."""
    keep(file, message(facts=UNKNOWN))
    before = rows(file, "SELECT * FROM journal")
    register(file, "bp-0001")
    line = aside.replay(1, WHO)
    assert (line.before, line.outcome, line.reason, line.changed) == ("device.unknown", "stored", None, True)
    assert rows(file, "SELECT * FROM journal") == before
    assert rows(file, "SELECT position, kind FROM reading") == [(1, "blood_pressure")]
    assert rows(file, "SELECT metric, value FROM measurement ORDER BY ordinal") == [
        ("systolic", "128"),
        ("diastolic", "82"),
    ]
    assert rows(file, "SELECT state, changed_at FROM quarantine") == [("replayed", LATER)]
    assert rows(file, "SELECT what, ref FROM due ORDER BY position")[-1] == ("reading", "1")
    (told,) = RelationalLedger(file).later(10)
    assert (told.device, told.seq, told.reading, told.outcome, told.reason) == (
        "bp-0001",
        0,
        KEY.reading,
        Outcome.STORED,
        None,
    )
    assert decisions_on(file, 1) == [("device.unknown", "stored", None)]
    assert in_short(counted(file)) == {"stored": 1}


def test_a_repeat_of_a_message_that_counts_now_is_answered_stored(file: OpenLedger, aside: SetAside) -> None:
    """The same bytes, and other bytes that say the same; other content is still a conflict."""
    keep(file, message(facts=UNKNOWN))
    register(file, "bp-0001")
    aside.replay(1, WHO)
    first, second, other = keep(file, message(), message(space=" "), message(systolic=131))
    assert (first.outcome, first.repeat, first.reason) == (Outcome.STORED, True, None)
    assert (second.outcome, second.repeat) == (Outcome.STORED, True)
    assert (other.outcome, other.reason) == (Outcome.QUARANTINED, Reason.KEY_CONFLICT)
    assert in_short(counted(file)) == {"stored": 1, "duplicate": 2, "quarantined": 1}


def test_one_that_is_still_bad_changes_nothing_but_what_is_said_of_it(file: OpenLedger, aside: SetAside) -> None:
    """It has another decision, its reason is today's, and a repeat is answered with that."""
    keep(file, message(systolic=9000, facts=UNKNOWN))
    register(file, "bp-0001")
    line = aside.replay(1, WHO)
    assert (line.outcome, line.reason, line.pointer) == (
        "quarantined",
        "value.impossible",
        "/values/systolic/value",
    )
    assert rows(file, "SELECT count(*) FROM reading") == [(0,)]
    assert rows(file, "SELECT state, reason FROM quarantine") == [("waiting", "value.impossible")]
    assert rows(file, "SELECT outcome, reason FROM journal") == [("quarantined", "device.unknown")]
    (repeat,) = keep(file, message(systolic=9000))
    assert (repeat.reason, repeat.pointer) == (Reason.VALUE_IMPOSSIBLE, "/values/systolic/value")
    (told,) = RelationalLedger(file).later(10)
    assert (told.outcome, told.reason, told.pointer) == (
        Outcome.QUARANTINED,
        Reason.VALUE_IMPOSSIBLE,
        "/values/systolic/value",
    )
    with file.readers.connect() as connection:
        (item,) = quarantined(connection, Wanted(reason="value.impossible"), 10)
        assert item.pointer == "/values/systolic/value"
        assert not quarantined(connection, Wanted(reason="device.unknown"), 10)
    again = aside.replay(1, WHO)
    assert (again.changed, again.before) == (False, "value.impossible")
    assert len(RelationalLedger(file).later(10)) == 1
    assert in_short(counted(file)) == {"quarantined": 1, "duplicate": 1}


def test_a_decision_is_a_stage_of_the_trace(file: OpenLedger, aside: SetAside) -> None:
    """With what it came to; and `show` tells who took it."""
    keep(file, message(systolic=9000, facts=UNKNOWN))
    register(file, "bp-0001")
    aside.replay(1, WHO)
    aside.dismiss(1, "soft", "a test of the cuff")
    with file.readers.connect() as connection:
        stages = trace(connection, KEY.reading).stages
        found = quarantined_one(connection, 1)
    assert Stage("judged", LATER, "quarantined", "value.impossible /values/systolic/value") in stages
    assert Stage("judged", LATER, "dismissed", "a test of the cuff") in stages
    assert [(made.who, made.before, made.outcome) for made in found.history] == [
        (WHO, "device.unknown", "quarantined"),
        ("soft", "value.impossible", "dismissed"),
    ]


# ---------------------------------------------------------------- whose key it is


def test_messages_of_a_hub_that_may_speak_now_are_one_reading_and_its_repeats(
    file: OpenLedger, aside: SetAside
) -> None:
    """They had taken no key: the oldest takes it, its repeats are duplicates, and the gap that it left is closed."""
    register(file, "bp-0001")
    register(file, "hub-0001")
    refused = message(0, facts=NOT_SERVED, hub="hub-0001")
    keep(file, refused, message(0, facts=NOT_SERVED, hub="hub-0001", space=" "), message(1))
    assert rows(file, "SELECT first, last, closed_as FROM gap") == [(0, 0, None)]
    write(file, lambda connection: hubs.serve(connection, "hub-0001", "bp-0001", LATER, None, LATER))
    done = aside.replay_all(EVERYTHING, WHO)
    assert outcomes(done.lines) == [(1, "stored", None), (2, "duplicate", None)]
    assert rows(file, "SELECT first, last, closed_as FROM gap") == [(0, 0, "filled")]
    assert rows(file, "SELECT position FROM key ORDER BY seq") == [(1,), (3,)]
    assert in_short(counted(file)) == {"stored": 2, "duplicate": 1}
    (told,) = RelationalLedger(file).later(10)
    assert (told.hub, told.outcome) == ("hub-0001", Outcome.STORED)
    (repeat,) = keep(file, message(0))
    assert (repeat.outcome, repeat.repeat) == (Outcome.STORED, True)


def test_a_key_that_another_reading_took_stays_its_own(file: OpenLedger, aside: SetAside) -> None:
    """Other content under it is a conflict, found again beside it by its repeat."""
    register(file, "bp-0001")
    register(file, "hub-0001")
    keep(file, message(0, facts=NOT_SERVED, hub="hub-0001", systolic=140), message(0))
    write(file, lambda connection: hubs.serve(connection, "hub-0001", "bp-0001", LATER, None, LATER))
    assert outcomes([aside.replay(1, WHO)]) == [(1, "quarantined", "key.conflict")]
    assert rows(file, "SELECT position FROM key") == [(2,)]
    (repeat,) = keep(file, message(0, hub="hub-0001", systolic=140))
    assert (repeat.reason, repeat.repeat) == (Reason.KEY_CONFLICT, True)
    assert in_short(counted(file)) == {"stored": 1, "quarantined": 1, "duplicate": 1}


# ---------------------------------------------------------------- which facts count


@pytest.mark.parametrize(
    ("start", "made_at", "end", "served"),
    [
        (LATER, LATER, None, True),
        (LATER, LATER + 1, None, False),
        (NOW, LATER, None, True),
        (NOW + 1, LATER, None, False),
        (0, 0, NOW, False),
        (0, 0, NOW + 1, True),
    ],
    ids=["from-now-on", "from-a-later-time", "then", "after-it", "until-it-came", "until-later"],
)
def test_a_service_counts_for_the_moment_a_message_came(
    file: OpenLedger,
    start: int,
    made_at: int,
    end: int | None,
    served: bool,  # noqa: FBT001 - a case's outcome
) -> None:
    """One without a beginning vouches for what came before; one with a beginning, or an end, is taken at its word."""
    register(file, "bp-0001")
    register(file, "hub-0001")
    write(file, lambda connection: hubs.serve(connection, "hub-0001", "bp-0001", start, end, made_at))
    with file.readers.connect() as connection:
        assert facts(connection, "bp-0001", "hub-0001", NOW, Rules()).served is served
        assert not facts(connection, "hub-0001", "bp-0001", NOW, Rules()).served


@pytest.mark.parametrize(("revoked_at", "status"), [(NOW, DeviceStatus.REVOKED), (NOW + 1, DeviceStatus.ACTIVE)])
def test_a_revocation_counts_from_its_own_moment_on(file: OpenLedger, revoked_at: int, status: DeviceStatus) -> None:
    """What came before it is judged as that of a registered device, and a revoked hub speaks for nobody."""
    for device in ("bp-0001", "bp-0002"):
        write(file, partial(devices.add, new=NewDevice(device), secret_hash="-", now=LATER))
    write(file, lambda connection: hubs.serve(connection, "bp-0001", "bp-0002", 0, None, 0))
    write(file, lambda connection: devices.revoke(connection, "bp-0001", revoked_at))
    with file.readers.connect() as connection:
        assert facts(connection, "bp-0001", None, NOW, Rules()).status is status
        assert facts(connection, "bp-0002", "bp-0001", NOW, Rules()).served is (status is DeviceStatus.ACTIVE)
        assert facts(connection, "bp-0009", None, NOW, Rules()).status is DeviceStatus.UNKNOWN


def test_a_message_does_not_grow_old_in_the_quarantine(file: OpenLedger) -> None:
    """Its age is measured from its arrival, by the age that is set today."""
    old = Facts(NOW, DeviceStatus.ACTIVE, {0: ClockFacts(synced=True)}, oldest=1)
    keep(file, message(facts=old))
    register(file, "bp-0001")
    year = 365 * 86_400_000_000
    strict = SetAside(file, lambda: NOW + year, lambda: Rules(oldest=1))
    assert outcomes([strict.replay(1, WHO)]) == [(1, "quarantined", "time.too_old")]
    assert outcomes([SetAside(file, lambda: NOW + year).replay(1, WHO)]) == [(1, "stored", None)]


def test_a_clock_that_was_measured_since_corrects_what_came_before(file: OpenLedger, aside: SetAside) -> None:
    """An offset belongs to the epoch: a time in the future is none by the right clock, if ours may correct."""
    register(file, "bp-0001")
    keep(file, message(taken_at="2027-11-18T08:30:00+04:00"))
    assert outcomes([aside.replay(1, WHO)]) == [(1, "quarantined", "time.future")]
    year = -365 * 86_400_000_000
    echo = State("bp-0001", NOW + 1, epoch=0, offset=year, uncertainty=5)
    hello = Told("bp-0001", NOW + 1, "a1b2c3d4", STREAM, 1, epoch=0, synced=False)
    RelationalLedger(file).commit([hello, echo], NOW + 1).result()
    undisciplined = SetAside(file, lambda: LATER, lambda: Rules(disciplined=False))
    assert outcomes([undisciplined.replay(1, WHO)]) == [(1, "quarantined", "time.future")]
    assert outcomes([aside.replay(1, WHO)]) == [(1, "stored", None)]
    assert rows(file, 'SELECT mark, "offset" FROM reading') == [("corrected", year)]


def test_a_retained_message_stays_what_it_is(file: OpenLedger, aside: SetAside) -> None:
    """The flag came with it: an old value does not turn new by waiting."""
    register(file, "bp-0001")
    raw = RawMessage("bp-0001", Channel.READING, json.dumps(body()).encode(), NOW, retained=True)
    keep(file, judge(raw, FACTS))
    assert outcomes([aside.replay(1, WHO)]) == [(1, "quarantined", "mqtt.retained")]


def test_facts_that_change_between_judging_and_keeping_count(file: OpenLedger, aside: SetAside) -> None:
    """What was judged in a snapshot is judged again inside the commit when the registry is another by then."""
    from ingest.ledger import replay

    keep(file, message(facts=UNKNOWN))
    with file.readers.connect() as connection:
        found = replay.find(connection, 1)
        assert found is not None
        again = replay.judge_again(connection, found, Rules())
    assert again.judged.verdict.reason is Reason.DEVICE_UNKNOWN
    register(file, "bp-0001")
    made = file.writer.write(lambda connection: replay.keep(connection, again, Rules(), WHO, LATER))
    assert made is not None
    assert made.outcome == "stored"
    assert file.writer.write(lambda connection: replay.keep(connection, again, Rules(), WHO, LATER)) is None
    assert len(decisions_on(file, 1)) == 1


def test_a_message_that_the_program_fails_on_stops_no_other(
    file: OpenLedger, aside: SetAside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays in the quarantine under the name that the gateway gives it, and those behind it are judged."""
    keep(file, message(0, facts=UNKNOWN), message(1, facts=UNKNOWN))
    register(file, "bp-0001")

    def fails_on_the_first(raw: RawMessage, known: Facts) -> Judged:
        if b'"seq": 0' in raw.payload:
            raise RuntimeError
        return judge(raw, known)

    monkeypatch.setattr("ingest.ledger.replay.judge", fails_on_the_first)
    done = aside.replay_all(EVERYTHING, WHO)
    assert outcomes(done.lines) == [(1, "quarantined", "schema.type"), (2, "stored", None)]
    assert in_short(counted(file)) == {"stored": 1, "quarantined": 1}


# ---------------------------------------------------------------- what cannot be, and dry runs


def test_what_cannot_be_judged_again_says_why(file: OpenLedger, aside: SetAside) -> None:
    """A message that was cut, a hello, one that is decided already; in bulk it is a line like the others."""
    register(file, "bp-0001")
    long = json.dumps(body(0, note="x" * 1_000_000)).encode()
    hello = RawMessage("bp-0001", Channel.HELLO, b"{", NOW)
    keep(
        file,
        judge(RawMessage("bp-0001", Channel.READING, long, NOW), FACTS),
        judge(hello, FACTS),
        message(2, systolic=9),
    )
    for position, code, words in (
        (1, "quarantine.cut", "first 64 KiB"),
        (2, "quarantine.no_reading", "a hello"),
    ):
        with pytest.raises(Conflict, match=words) as refused:
            aside.replay(position, WHO)
        assert refused.value.code == code
    with pytest.raises(Unknown):
        aside.replay(99, WHO)
    done = aside.replay_all(EVERYTHING, WHO)
    assert outcomes(done.lines) == [
        (1, "refused", "quarantine.cut"),
        (2, "refused", "quarantine.no_reading"),
        (3, "quarantined", "value.impossible"),
    ]
    assert "64 KiB" in str(done.lines[0].why)
    assert rows(file, "SELECT position FROM replay") == [(3,)]


def test_a_dry_run_tells_what_would_be_and_changes_nothing(file: OpenLedger, aside: SetAside) -> None:
    """The same lines as the run itself, also where one message stands on another."""
    register(file, "bp-0001")
    register(file, "hub-0001")
    for space in ("", " ", "  "):
        keep(file, message(0, facts=NOT_SERVED, hub="hub-0001", space=space))
    keep(file, message(0, facts=NOT_SERVED, hub="hub-0001", systolic=131), message(1, systolic=9000))
    write(file, lambda connection: hubs.serve(connection, "hub-0001", "bp-0001", LATER, None, LATER))
    before = everything(file)
    told = aside.replay_all(EVERYTHING, WHO, dry_run=True)
    assert everything(file) == before
    assert aside.replay_all(EVERYTHING, WHO).lines == told.lines
    assert [line.outcome for line in told.lines] == ["stored", "duplicate", "duplicate", "quarantined", "quarantined"]
    assert [line.changed for line in told.lines] == [True, True, True, True, False]


def test_a_filter_finds_its_own(file: OpenLedger, aside: SetAside) -> None:
    """By reason, by device, by the time of arrival, and page by page, oldest first."""
    keep(
        file,
        message(0, facts=UNKNOWN),
        message(1, facts=UNKNOWN),
        message(0, "bp-0002", facts=UNKNOWN),
        message(2, systolic=9000),
    )
    later = replace(message(0, "bp-0003", facts=UNKNOWN).raw, received_at=NOW + 10)
    keep(file, judge(later, UNKNOWN))
    asked = {
        (4,): Wanted(reason="value.impossible"),
        (1, 2): Wanted(device="bp-0001", reason="device.unknown"),
        (5,): Wanted(since=NOW + 1),
        (1, 2, 3, 4): Wanted(until=NOW + 10),
    }
    with file.readers.connect() as connection:
        for ids, wanted in asked.items():
            assert [found.id for found in quarantined(connection, wanted, 10)] == sorted(ids, reverse=True)
        assert [found.id for found in quarantined(connection, Wanted(), 2, before=5)] == [4, 3]
    for ids, wanted in asked.items():
        assert [line.id for line in aside.replay_all(wanted, WHO, dry_run=True).lines] == list(ids)
    first = aside.replay_all(EVERYTHING, WHO, most=3)
    assert ([line.id for line in first.lines], first.after) == ([1, 2, 3], 3)
    rest = aside.replay_all(EVERYTHING, WHO, after=3, most=3)
    assert ([line.id for line in rest.lines], rest.after) == ([4, 5], None)


# ---------------------------------------------------------------- dismissing


def test_a_dismissed_message_waits_no_longer_and_can_be_judged_again(file: OpenLedger, aside: SetAside) -> None:
    """It is counted as dismissed; not dismissed twice; by its id it is judged again, in bulk it is not found."""
    keep(file, message(facts=UNKNOWN))
    assert aside.dismiss(1, WHO, "another practice's").outcome == "dismissed"
    assert in_short(counted(file)) == {"dismissed": 1}
    with pytest.raises(Conflict) as refused:
        aside.dismiss(1, WHO)
    assert refused.value.code == "quarantine.settled"
    with pytest.raises(Unknown):
        aside.dismiss(2, WHO)
    with pytest.raises(Unfit):
        aside.dismiss(1, WHO, "two\nlines")
    register(file, "bp-0001")
    assert aside.replay_all(EVERYTHING, WHO).lines == []
    assert aside.replay(1, WHO).outcome == "stored"
    assert in_short(counted(file)) == {"stored": 1}
    assert decisions_on(file, 1) == [
        ("device.unknown", "dismissed", "another practice's"),
        ("device.unknown", "stored", None),
    ]


def test_many_are_dismissed_by_a_filter(file: OpenLedger, aside: SetAside) -> None:
    """Those that it finds, and no others; nothing is told to a device."""
    keep(file, *(message(seq, facts=UNKNOWN) for seq in range(20)), message(20, systolic=9000))
    done = aside.dismiss_all(Wanted(reason="device.unknown"), WHO, "old", most=15)
    assert (len(done.lines), done.after) == (15, 15)
    assert len(aside.dismiss_all(Wanted(reason="device.unknown"), WHO, "old").lines) == 5
    assert in_short(counted(file)) == {"dismissed": 20, "quarantined": 1}
    assert RelationalLedger(file).later(10) == []


@pytest.mark.unbalanced("rows are taken away")
@pytest.mark.parametrize("statement", ["DELETE FROM reading", "DELETE FROM replay", "UPDATE replay SET who = 'soft'"])
def test_rows_that_a_decision_needs_are_looked_for(file: OpenLedger, aside: SetAside, statement: str) -> None:
    """One that counts has its reading and its decision, as it was kept."""
    keep(file, message(facts=UNKNOWN))
    register(file, "bp-0001")
    aside.replay(1, WHO)
    write(file, lambda connection: connection.exec_driver_sql(statement))
    with file.readers.connect() as connection:
        assert verify(connection).faults
