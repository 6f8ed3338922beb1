"""One reading's way, the balance, and every row looked at again."""

from __future__ import annotations

import pytest

from fhir_export import feed
from fhir_export.model import Resource
from ingest.ledger.balance import Balance, balance
from ingest.ledger.files import OpenLedger
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.verify import Fault, verify
from ingest.model import Key
from registry import audit
from registry.faults import Unfit, Unknown
from registry.trace import Stage, Trace, trace
from tests.support.engines import Place, in_a_file
from tests.support.ledgers import NOW, STREAM, judged, reading, register

READING = Key("bp-0001", STREAM, 0).reading
BAD = Key("bp-0001", STREAM, 1).reading


@pytest.fixture
def kept(file: OpenLedger) -> OpenLedger:
    """A stored reading, its repeat, a quarantined one, another content under its number, and something unreadable."""
    register(file, "bp-0001")
    items = [reading(0), reading(0), reading(1, systolic=9000), reading(0, systolic=129), judged(b"{")]
    RelationalLedger(file).commit(items, NOW).result()
    return file


def change(file: OpenLedger, statement: str, *values: bytes) -> None:
    """Tamper with the ledger."""
    file.writer.write(lambda connection: connection.exec_driver_sql(statement, values))


def traced(file: OpenLedger, text: str) -> Trace:
    """The trace of what ``text`` names."""
    with file.readers.connect() as connection:
        return trace(connection, text)


def outcomes(found: Trace) -> list[tuple[str, str, str | None]]:
    """Stage, outcome and reason, in order."""
    return [(stage.stage, stage.outcome, stage.reason) for stage in found.stages]


@pytest.mark.parametrize("text", [READING, f"{READING}-blood-pressure", f"bp-0001:{STREAM}:0"])
def test_a_reading_is_found_by_any_of_its_names(kept: OpenLedger, text: str) -> None:
    """Reading id, FHIR id, or key."""
    found = traced(kept, text)
    assert (found.reading, found.device, found.stream, found.seq) == (READING, "bp-0001", STREAM, 0)
    assert found.kind == "blood_pressure"
    assert found.stages[0] == Stage("received", NOW, "received")
    assert [stage.stage for stage in found.stages] == [
        "received", "judged", "committed", "answered", "attributed", "published", "delivered",
    ]  # fmt: skip


def test_a_quarantined_reading_says_why(kept: OpenLedger) -> None:
    """Reason and pointer; nothing follows."""
    found = traced(kept, BAD)
    assert found.kind is None
    assert ("judged", "quarantined", "value.impossible /values/systolic/value") in outcomes(found)
    assert outcomes(found)[-3:] == [
        ("attributed", "none", None),
        ("published", "none", None),
        ("delivered", "none", None),
    ]


def test_what_a_person_decided_is_a_stage(kept: OpenLedger) -> None:
    """A dismissal has its own time."""
    change(kept, "UPDATE quarantine SET state = 'dismissed', changed_at = 7 WHERE position = 3")
    assert Stage("judged", 7, "dismissed") in traced(kept, BAD).stages


def test_a_reading_without_a_patient_says_so(kept: OpenLedger) -> None:
    """The inbox's doubt is the reason."""
    change(kept, "INSERT INTO inbox VALUES (1, 'bp-0001', 'assignment.none', 5)")
    assert Stage("attributed", 5, "inbox", "assignment.none") in traced(kept, READING).stages


def test_a_reading_is_delivered_when_every_resource_is(kept: OpenLedger) -> None:
    """One that is parked speaks for all; then one that is due; then the last time."""
    change(kept, "INSERT INTO attribution VALUES (1, 1, 'p', 5, 'device', 6, NULL)")
    change(
        kept,
        """INSERT INTO feed (position, type, id, version, at, patient, reading, body, row_hash)
        VALUES (1, 'Observation', 'o1', 1, 8, 'p', 1, '', ''), (2, 'Observation', 'o2', 1, 8, 'p', 1, '', '')""",
    )
    change(
        kept,
        """INSERT INTO delivery (destination, position, type, id, state, tries, next_try, due_at) VALUES
        ('record', 1, 'Observation', 'o1', 'due', 0, 0, 0), ('record', 2, 'Observation', 'o2', 'due', 0, 0, 0)""",
    )
    change(kept, "UPDATE delivery SET state = 'parked', answer = 'record.conflict' WHERE position = 2")
    assert traced(kept, READING).stages[-3:] == (
        Stage("attributed", 6, "attributed"),
        Stage("published", 8, "published"),
        Stage("delivered", None, "parked", "record record.conflict"),
    )
    change(kept, "DELETE FROM delivery WHERE position = 2")
    change(kept, "INSERT INTO delivered VALUES ('record', 2, 20, 1, '1')")
    assert traced(kept, READING).stages[-1] == Stage("delivered", None, "due", "record")
    change(kept, "DELETE FROM delivery")
    change(kept, "INSERT INTO delivered VALUES ('record', 1, 30, 1, '1')")
    assert traced(kept, READING).stages[-1] == Stage("delivered", 30, "delivered")


def test_a_reading_is_delivered_when_every_destination_has_it(kept: OpenLedger) -> None:
    """The one that waits is named, wherever its name stands in the order; then the last one's time counts."""
    change(
        kept,
        """INSERT INTO feed (position, type, id, version, at, patient, reading, body, row_hash)
        VALUES (1, 'Observation', 'o1', 1, 8, 'p', 1, '', '')""",
    )
    change(kept, "INSERT INTO delivered VALUES ('a', 1, 20, 1, '1'), ('m', 1, 30, 1, '1')")
    change(
        kept,
        """INSERT INTO delivery (destination, position, type, id, state, tries, next_try, due_at)
        VALUES ('b', 9, 'Observation', 'o9', 'due', 0, 0, 0), ('z', 1, 'Observation', 'o1', 'due', 0, 0, 0)""",
    )
    assert traced(kept, READING).stages[-1] == Stage("delivered", None, "due", "z")
    change(kept, "DELETE FROM delivery")
    assert traced(kept, READING).stages[-1] == Stage("delivered", 30, "delivered")


@pytest.mark.parametrize("text", ["0" * 32, f"bp-0001:{STREAM}:99", f"bp-0002:{STREAM}:0"])
def test_a_reading_that_never_came_is_unknown(kept: OpenLedger, text: str) -> None:
    """It is said, with what to look at."""
    with pytest.raises(Unknown):
        traced(kept, text)


@in_a_file
@pytest.mark.parametrize(
    "text", ["", "abc", READING.upper(), f"{READING}/x", f"bp-0001:{STREAM}:01", f"bp-0001:{STREAM}"]
)
def test_a_text_that_names_no_reading_is_unfit(kept: OpenLedger, text: str) -> None:
    """Before anything is looked up."""
    with pytest.raises(Unfit):
        traced(kept, text)


def balanced(file: OpenLedger) -> Balance:
    """The balance now."""
    with file.readers.connect() as connection:
        return balance(connection)


def test_every_message_is_in_one_state(kept: OpenLedger) -> None:
    """Received = stored + duplicate + quarantined."""
    RelationalLedger(kept).commit([judged(b"{}")], NOW).result()
    found = balanced(kept)
    assert found == Balance(received=6, stored=1, duplicate=1, quarantined=4, dismissed=0, pending=0)
    assert found.balanced


def test_what_a_person_decided_counts(kept: OpenLedger) -> None:
    """A dismissed message is no longer quarantined, and the sum stays."""
    change(kept, "UPDATE quarantine SET state = 'dismissed' WHERE position = 3")
    assert balanced(kept) == Balance(received=5, stored=1, duplicate=1, quarantined=2, dismissed=1, pending=0)


@pytest.mark.unbalanced("rows are taken away to see that it shows")
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM reading WHERE position = 1",
        "DELETE FROM quarantine WHERE position = 3",
        "UPDATE journal SET outcome = 'lost' WHERE position = 2",
        "UPDATE quarantine SET state = 'replayed' WHERE position = 3",
    ],
)
def test_a_message_without_its_rows_unbalances(kept: OpenLedger, statement: str) -> None:
    """A verdict that its rows do not bear out counts nowhere."""
    assert balanced(kept).balanced
    change(kept, statement)
    assert not balanced(kept).balanced


def test_a_ledger_as_written_has_no_fault(kept: OpenLedger) -> None:
    """Every row counts: five messages, a reading, an audit row."""
    audit.note(kept.writer, audit.Access(NOW, "soft", audit.Action.READ, "Patient", "p", 1))
    seen: list[tuple[int, int]] = []
    with kept.readers.connect() as connection:
        found = verify(connection, lambda done, whole: seen.append((done, whole)))
    assert (found.rows, found.blobs, found.faults) == (7, 0, ())
    assert seen[-1] == (7, 7)


@pytest.mark.unbalanced("rows are tampered with to see that it shows")
@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE journal SET received_at = 1 WHERE position = 2", Fault("journal", 2, "row_hash")),
        ("UPDATE journal SET outcome = 'stored' WHERE position = 3", Fault("journal", 3, "stored_without_reading")),
        ("DELETE FROM journal WHERE position = 1", Fault("reading", 1, "reading_without_journal")),
        ("DELETE FROM journal WHERE position = 3", Fault("key", 3, "key_without_journal")),
        ("DELETE FROM key WHERE seq = 0", Fault("journal", 1, "journal_without_key")),
        ("UPDATE key SET seq = 5 WHERE seq = 1", Fault("key", 3, "key_without_journal")),
        ("UPDATE measurement SET value = '129' WHERE ordinal = 0", Fault("reading", 1, "row_hash")),
        ("DELETE FROM measurement WHERE ordinal = 1", Fault("reading", 1, "row_hash")),
        ("UPDATE reading SET used_at = used_at + 1", Fault("reading", 1, "row_hash")),
        ("DELETE FROM reading", Fault("measurement", 1, "measurement_without_reading")),
        ("DELETE FROM quarantine WHERE position = 4", Fault("journal", 4, "quarantined_without_row")),
        ("UPDATE journal SET first = NULL WHERE position = 2", Fault("journal", 2, "duplicate_without_first")),
        ("UPDATE journal SET payload = 'x' WHERE position = 3", Fault("journal", 3, "row_hash")),
        ("UPDATE audit SET who = 'other'", Fault("audit", 1, "row_hash")),
    ],
)
def test_a_changed_or_missing_row_shows(kept: OpenLedger, statement: str, fault: Fault) -> None:
    """Each kind of tampering is among the faults, by table and position."""
    audit.note(kept.writer, audit.Access(NOW, "soft", audit.Action.READ, "Patient", "p", 1))
    change(kept, statement)
    with kept.readers.connect() as connection:
        assert fault in verify(connection).faults


@pytest.mark.parametrize(
    ("statement", "value", "fault"),
    [
        ("UPDATE journal SET payload = ? WHERE position = 3", b"{}", Fault("journal", 3, "row_hash")),
        ("UPDATE reading SET reading = ?", b"\0", Fault("reading", 1, "reading_id")),
    ],
)
def test_changed_bytes_show(kept: OpenLedger, statement: str, value: bytes, fault: Fault) -> None:
    """As any other value."""
    change(kept, statement, value)
    with kept.readers.connect() as connection:
        assert fault in verify(connection).faults


def test_a_row_that_was_taken_out_leaves_a_hole(kept: OpenLedger, place: Place) -> None:
    """In a file it shows; in a database the journal has holes of its own, where a commit was undone."""
    change(kept, "DELETE FROM journal WHERE position = 2")
    with kept.readers.connect() as connection:
        assert (Fault("journal", 3, "position_gap") in verify(connection).faults) == place.is_file


def test_a_changed_resource_shows(kept: OpenLedger) -> None:
    """The feed's hash covers the body."""
    made = feed.Version(Resource.of({"resourceType": "Patient", "id": "p"}), "p")
    kept.writer.write(lambda connection: feed.append(connection, [made], NOW))
    with kept.readers.connect() as connection:
        assert verify(connection).faults == ()
    change(kept, "UPDATE feed SET body = ?", made.content + b" ")
    with kept.readers.connect() as connection:
        assert verify(connection).faults == (Fault("feed", 1, "row_hash"),)
