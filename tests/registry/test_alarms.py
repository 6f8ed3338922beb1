"""Events are noted once while they last, states are read from the tables, and each has words in both languages."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.ledger.alarms import clear, note
from ingest.ledger.files import OpenLedger
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.schema import ALARM
from registry import alarms
from registry.alarm import SECOND, Alarm, Limits
from registry.alarm_codes import REGISTRY, Code, Severity, Sort, words
from registry.faults import Conflict, Unknown
from tests.support.ledgers import NOW, reading, register

ROOT = Path(__file__).resolve().parents[2]
LIMITS = Limits()
DAY = 24 * 3600 * SECOND
FLOOD = "device.flood"


def current(file: OpenLedger, now: int = NOW, limits: Limits = LIMITS) -> dict[tuple[str, str], Alarm]:
    """Open alarms by code and subject."""
    with file.readers.connect() as connection:
        return {(alarm.code, alarm.subject): alarm for alarm in alarms.current(connection, now, limits)}


def happens(file: OpenLedger, at: int, code: str = FLOOD, subject: str = "bp-0001") -> None:
    """An event."""
    file.writer.write(lambda connection: note(connection, code, subject, at))


def insert(file: OpenLedger, table: str, **row: object) -> None:
    """Put a row in place as it would stand."""
    names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
    statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - a test's own words
    file.writer.write(lambda connection: connection.exec_driver_sql(statement, tuple(row.values())))


# ---------------------------------------------------------------- events


def test_an_event_that_lasts_has_one_row(file: OpenLedger) -> None:
    """First and last time, and how often; a late word does not set the last time back."""
    for at in (5, 9, 7):
        happens(file, at)
    assert current(file)[FLOOD, "bp-0001"] == Alarm(FLOOD, "bp-0001", 5, 9, 3)
    with file.readers.connect() as connection:
        assert len(connection.execute(ALARM.select()).all()) == 1


def test_codes_and_subjects_are_kept_apart(file: OpenLedger) -> None:
    """Each pair is an alarm of its own."""
    happens(file, 5)
    happens(file, 6, subject="bp-0002")
    happens(file, 7, code="device.replays_old")
    assert {name: alarm.count for name, alarm in current(file).items()} == {
        (FLOOD, "bp-0001"): 1, (FLOOD, "bp-0002"): 1, ("device.replays_old", "bp-0001"): 1,
    }  # fmt: skip


def test_what_happens_again_after_it_was_cleared_is_new(file: OpenLedger) -> None:
    """The old one is among the cleared ones; to clear what is not open does nothing."""
    happens(file, 5)
    file.writer.write(lambda connection: clear(connection, FLOOD, "bp-0001", 6))
    assert current(file) == {}
    file.writer.write(lambda connection: clear(connection, FLOOD, "bp-0001", 7))
    happens(file, 8)
    assert current(file)[FLOOD, "bp-0001"].since == 8
    with file.readers.connect() as connection:
        assert alarms.cleared(connection) == [Alarm(FLOOD, "bp-0001", 5, 5, 1, 6)]


def test_two_open_rows_of_one_event_are_one_alarm(file: OpenLedger) -> None:
    """Two gateways that commit at once open one each; what follows counts on the newest, and one word clears both."""
    for at in (5, 6):
        insert(file, "alarm", code=FLOOD, subject="bp-0001", since=at, last_at=at, count=1)
    happens(file, 9)
    assert current(file)[FLOOD, "bp-0001"] == Alarm(FLOOD, "bp-0001", 5, 9, 3)
    file.writer.write(lambda connection: clear(connection, FLOOD, "bp-0001", 10))
    assert current(file) == {}


def test_a_person_clears_an_event_and_no_state(file: OpenLedger) -> None:
    """A state ends when it is mended; what is not open is unknown."""
    happens(file, 5)
    alarms.clear(file, FLOOD, "bp-0001", 6)
    assert current(file) == {}
    with pytest.raises(Unknown):
        alarms.clear(file, FLOOD, "bp-0001", 7)
    with pytest.raises(Conflict):
        alarms.clear(file, "delivery.parked", "record", 7)


# ---------------------------------------------------------------- states


def test_a_new_ledger_has_no_alarm(file: OpenLedger) -> None:
    """Nothing is wrong where nothing is."""
    assert current(file) == {}


def test_what_is_due_too_long_or_parked_is_an_alarm(file: OpenLedger) -> None:
    """By destination; what is due since a moment ago is none."""
    due = {"type": "Patient", "id": "p", "tries": 0, "next_try": NOW}
    for position, (destination, state, age) in enumerate(
        [("record", "due", 901), ("record", "due", 899), ("region", "due", 10), ("record", "parked", 1)], start=1
    ):
        insert(
            file, "delivery", destination=destination, position=position, state=state, due_at=NOW - age * SECOND, **due
        )
    assert current(file) == {
        ("delivery.late", "record"): Alarm("delivery.late", "record", NOW - 901 * SECOND, NOW, 1),
        ("delivery.parked", "record"): Alarm("delivery.parked", "record", NOW - SECOND, NOW, 1),
    }
    assert ("delivery.late", "region") in current(file, limits=Limits(delivery_s=5))


def test_readings_that_nobody_publishes_are_an_alarm_after_a_minute(file: OpenLedger) -> None:
    """The exporter may be dead: nothing it writes can tell."""
    register(file, "bp-0001")
    RelationalLedger(file).commit([reading(0), reading(1), reading(2, systolic=9000)], NOW).result()
    assert current(file, NOW + 59 * SECOND) == {}
    found = current(file, NOW + 61 * SECOND)
    assert found["publishing.late", "export"] == Alarm("publishing.late", "export", NOW, NOW + 61 * SECOND, 2)
    insert(file, "cursor", name="publish", position=2)
    assert current(file, NOW + 61 * SECOND) == {}


def test_a_content_that_became_ready_and_is_not_published_is_an_alarm(file: OpenLedger) -> None:
    """Its journal row lies before the cursor; a reading that is due again for another cause has no age."""
    insert(file, "content", position=1, device="cam-0001", state="ready", changed_at=NOW - 61 * SECOND)
    insert(file, "due", what="reading", ref="1")
    insert(file, "due", what="patient", ref="p-1")
    found = current(file)["publishing.late", "export"]
    assert (found.since, found.count) == (NOW - 61 * SECOND, 1)
    insert(file, "inbox", position=1, device="cam-0001", why="assignment.none", since=NOW)
    assert current(file) == {}


def test_gaps_inbox_and_contents_are_alarms_by_device_when_they_are_old(file: OpenLedger) -> None:
    """With how many readings it is about; younger ones and closed gaps are none."""
    for first, last, seen, closed in [(3, 5, NOW - DAY, None), (9, 9, NOW - 5, None), (11, 90, NOW - DAY, NOW)]:
        insert(
            file, "gap", device="bp-0001", stream=b"s" * 16, first=first, last=last, first_seen=seen, closed_at=closed
        )
    for position, since in [(1, NOW - 2 * DAY), (2, NOW - 3 * DAY), (3, NOW - 5)]:
        insert(file, "inbox", position=position, device="bp-0001", why="assignment.none", since=since)
        insert(file, "content", position=position, device="cam-0001", state="waiting", changed_at=since)
    assert current(file) == {
        ("gap.open", "bp-0001"): Alarm("gap.open", "bp-0001", NOW - DAY, NOW, 3),
        ("inbox.old", "bp-0001"): Alarm("inbox.old", "bp-0001", NOW - 3 * DAY, NOW, 2),
        ("content.late", "cam-0001"): Alarm("content.late", "cam-0001", NOW - 3 * DAY, NOW, 2),
    }


def test_a_whole_file_that_nobody_looks_into_is_an_alarm(file: OpenLedger) -> None:
    """The inspector may be dead."""
    insert(file, "content", position=1, device="cam-0001", state="complete", changed_at=NOW - 61 * SECOND)
    insert(file, "content", position=2, device="cam-0001", state="complete", changed_at=NOW - 59 * SECOND)
    found = current(file)
    assert found == {("inspection.late", "inspect"): Alarm("inspection.late", "inspect", NOW - 61 * SECOND, NOW, 1)}


def test_what_the_site_has_to_decide_is_an_alarm_at_once(file: OpenLedger) -> None:
    """By reason, whether it was set aside at once or for its content; what its sender has to mend is none."""
    RelationalLedger(file).commit([reading(0, device="bp-0001"), reading(1, systolic=9000)], NOW).result()
    register(file, "bp-0002")
    RelationalLedger(file).commit([reading(0, systolic=9000, device="bp-0002")], NOW).result()
    insert(file, "content", position=70, device="cam-0001", state="refused", reason="blob.quota", changed_at=NOW - 5)
    insert(file, "content", position=71, device="cam-0001", state="refused", reason="image.undecodable", changed_at=NOW)
    found = {name: alarm.count for name, alarm in current(file).items()}
    assert found[("quarantine.waiting", "blob.quota")] == 1
    assert {subject for code, subject in found if code == "quarantine.waiting"} <= {"blob.quota", "device.unknown"}


def test_a_device_that_said_hello_and_nothing_since_is_an_alarm(file: OpenLedger) -> None:
    """Readings count as words; a revoked device and one that never said hello are not waited for."""
    old = NOW - 3 * DAY
    hello = {"at": old, "conn": "c", "online": 1, "stream": b"s" * 16, "oldest": 0, "next": 0, "kinds": "[]"}
    for device in ("bp-0001", "bp-0002", "bp-0003"):
        register(file, device)
        insert(file, "hello", device=device, wants_record=0, **hello)
    register(file, "bp-0004")
    file.writer.write(
        lambda connection: connection.exec_driver_sql("UPDATE device SET revoked_at = 1 WHERE device = 'bp-0003'")
    )
    RelationalLedger(file).commit([reading(0, device="bp-0002")], NOW).result()
    found = {name: alarm for name, alarm in current(file).items() if name[0] == "device.unheard"}
    assert found == {("device.unheard", "bp-0001"): Alarm("device.unheard", "bp-0001", old, NOW)}


def test_trends_that_are_late_are_an_alarm(file: OpenLedger) -> None:
    """As `series show` says it."""
    insert(
        file, "feed", position=1, type="Observation", id="o", version=1, at=NOW - 61 * SECOND, reading=1, body=b"",
        row_hash=b"",
    )  # fmt: skip
    assert current(file)["series.late", "project"].count == 1


def test_errors_come_first_and_then_the_oldest(file: OpenLedger) -> None:
    """What somebody has to act on stands on top; what was seen outside the ledger is among them."""
    happens(file, 1)
    happens(file, 9, "device.key_conflict")
    outside = [Alarm(Code.BROKER_AWAY, "gateway", 5, 6), Alarm(Code.DEVICE_FLOOD, "bp-0001", 0, 8, 2)]
    with file.readers.connect() as connection:
        found = alarms.current(connection, NOW, LIMITS, outside)
    assert [alarm.code for alarm in found] == ["broker.away", "device.key_conflict", "device.flood"]
    assert found[-1] == Alarm("device.flood", "bp-0001", 0, 8, 3)


# ---------------------------------------------------------------- the registry


@pytest.mark.parametrize("code", Code)
def test_every_code_has_its_words_in_both_languages(code: Code) -> None:
    """Three sentences each, that name at most the subject and the count."""
    entry = REGISTRY[code]
    assert entry.fr != entry.en
    for said in (entry.fr, entry.en):
        for text in (said.happened, said.safe, said.remedy):
            assert text.rstrip()[-1] in ".)", text
            assert {name for _, name, _, _ in string.Formatter().parse(text) if name} <= {"subject", "count"}


def test_a_code_of_a_newer_version_is_shown_as_an_error() -> None:
    """Whoever goes back a version still learns that something was noted."""
    alarm = Alarm("moon.full", "cam-0001", 1, 2)
    assert alarm.severity is Severity.ERROR
    assert "cam-0001" in words(alarm.code, "fr", alarm.subject, 1).happened


EVENTS = {str(code) for code in Code if REGISTRY[code].sort is Sort.EVENT}
MEMBERS = {code.name: str(code) for code in Code}


def raised() -> Iterator[tuple[Path, ast.AST, str]]:
    """Codes that stand in the code of the program: as texts with a dot in them, or as members of the enumeration."""
    for folder in ("gateway", "ingest", "app", "fhir_export"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield path, node, node.value
                elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Code":
                    yield path, node, MEMBERS[node.attr]


def test_every_event_is_raised_somewhere() -> None:
    """A code that nobody notes is taken off the list."""
    assert {text for _, _, text in raised()} & EVENTS == EVENTS


def test_whoever_notes_an_event_takes_a_listed_code() -> None:
    """The gateway's are constants of one module; others give theirs to `note` as it is."""
    events = ROOT / "gateway/events.py"
    given = {text for path, _, text in raised() if path == events and re.fullmatch(r"[a-z]+\.[a-z0-9_]+", text)}
    for folder in ("gateway", "ingest", "app", "fhir_export"):
        for path in (ROOT / folder).rglob("*.py"):
            given |= {
                node.args[1].value
                for node in ast.walk(ast.parse(path.read_text("utf-8")))
                if isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "note"
                and len(node.args) == 4
                and isinstance(node.args[1], ast.Constant)
                and isinstance(node.args[1].value, str)
            }
    assert given
    assert given <= EVENTS
