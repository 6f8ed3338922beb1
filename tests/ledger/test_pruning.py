"""Pruning: old messages lose their bytes, and a repeat is still a repeat, a conflict still a conflict."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ingest.ledger import pruning
from ingest.ledger.balance import balance
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import OpenLedger
from ingest.ledger.pruning import DAY, Pruned, prune
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.sealing import HOUR, Sealer
from ingest.ledger.verify import verify
from ingest.model import Outcome
from ingest.reasons import Reason
from ingest.wire import FOLDED
from tests.support.ledgers import NOW, body, judged, reading, register

START = NOW // HOUR * HOUR
OTHER = FOLDED + b"x" * 32
LATER = START + 40 * DAY
READINGS = 60
GIVEN = "INSERT INTO attribution SELECT position, 1, 'p1', used_at, mark, 0, NULL FROM reading"
PUBLISHED = "INSERT INTO cursor VALUES ('publish', 1000)"
FEED = """
INSERT INTO feed VALUES (1, 'Observation', 'o1', 1, 0, 'p1', NULL, 2, ?, ?)
"""


def does(file: OpenLedger, statement: str, *values: object) -> None:
    """One statement, as somebody else's job."""
    file.writer.write(lambda connection: connection.exec_driver_sql(statement, values))


def asked(file: OpenLedger, statement: str) -> list[tuple[object, ...]]:
    """Rows."""
    with file.readers.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def payloads(file: OpenLedger) -> list[bytes]:
    """Of all messages but the dismissed one."""
    with file.readers.connect() as connection:
        rows = connection.exec_driver_sql("SELECT payload FROM journal WHERE outcome != 'quarantined'")
        return [bytes(payload) for (payload,) in rows]


def faults(file: OpenLedger) -> list[tuple[str, int | None, str]]:
    """What `verify` finds."""
    with file.readers.connect() as connection:
        return [(fault.table, fault.position, fault.what) for fault in verify(connection).faults]


def seal(file: OpenLedger, at: int) -> None:
    """Seal what is closed."""
    while Sealer(file, lambda: at).step():
        pass


@pytest.fixture
def old(file: OpenLedger) -> OpenLedger:
    """Sixty readings, a repeat of one in other words, a dismissed message: sealed, published, confirmed long ago."""
    register(file, "bp-0001")
    again = {**dict(reversed(body(3).items())), "battery": 12}
    items = [*(reading(seq) for seq in range(READINGS)), judged(json.dumps(again).encode()), judged(b"{}")]
    RelationalLedger(file).commit(items, START).result(10)
    seal(file, START + HOUR)
    does(file, GIVEN)
    does(file, PUBLISHED)
    does(file, "UPDATE quarantine SET state = 'dismissed'")
    return file


def test_bytes_go_and_everything_else_stays(old: OpenLedger) -> None:
    """Every message of the segment is a fingerprint afterwards; rows, hashes and balance are what they were."""
    rows = "SELECT position, sha, size, outcome, row_hash FROM journal ORDER BY position"
    before, counts = asked(old, rows), asked(old, "SELECT count(*) FROM measurement")
    size = sum(map(len, payloads(old)))
    dry = prune(old, LATER, 30, "@operator", dry_run=True)
    assert all(len(payload) > 100 for payload in payloads(old))
    done = prune(old, LATER, 30, "@operator")
    assert dry == done == Pruned(1, READINGS + 1, size - (READINGS + 1) * 40, {})
    assert all(payload.startswith(FOLDED) for payload in payloads(old))
    assert asked(old, "SELECT size FROM journal WHERE outcome = 'quarantined' AND length(payload) = size") == [(2,)]
    assert (asked(old, rows), asked(old, "SELECT count(*) FROM measurement")) == (before, counts)
    assert [row[:7] for row in asked(old, "SELECT * FROM tombstone")] == [
        (1, "journal", 1, READINGS + 2, READINGS + 1, "retention", "@operator"),
        (2, "payload", 1, READINGS + 2, READINGS + 1, "retention", "@operator"),
    ]
    assert faults(old) == []
    assert prune(old, LATER, 30, "@operator") == Pruned(0, 0, 0, {})
    with old.readers.connect() as connection:
        found = balance(connection)
    assert (found.stored, found.duplicate, found.balanced) == (READINGS, 1, True)


def test_a_repeat_of_a_pruned_reading_is_a_repeat(old: OpenLedger) -> None:
    """By the same bytes, and by the same content in other words; another content is a conflict as ever."""
    prune(old, LATER, 30, "@operator")
    ledger = RelationalLedger(old)
    other_words = {**dict(reversed(body(5).items())), "battery": 99}
    same, told, other = ledger.commit(
        [reading(5), judged(json.dumps(other_words).encode()), reading(5, systolic=131)], LATER
    ).result(10)
    assert (same.outcome, same.repeat) == (told.outcome, told.repeat) == (Outcome.STORED, True)  # type: ignore[union-attr]
    assert (other.outcome, other.reason) == (Outcome.QUARANTINED, Reason.KEY_CONFLICT)  # type: ignore[union-attr]
    assert asked(old, "SELECT count(*) FROM reading") == [(READINGS,)]
    assert faults(old) == []


def test_digits_in_a_list_are_no_number(old: OpenLedger) -> None:
    """What differs whole differs pruned: a list that holds a number's digits is another content."""
    prune(old, LATER, 30, "@operator")
    sent = body(5)
    values = {name: {**value, "value": [str(value["value"])]} for name, value in sent["values"].items()}
    (kept,) = RelationalLedger(old).commit([judged(json.dumps({**sent, "values": values}).encode())], LATER).result(10)
    assert (kept.outcome, kept.repeat) == (Outcome.QUARANTINED, False)  # type: ignore[union-attr]


def test_two_calls_at_once_bury_a_segment_once(old: OpenLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that looked before the other wrote leaves it alone."""
    other: list[bool] = []
    whole = pruning._whole  # noqa: SLF001 - the moment between looking and writing

    def meanwhile(*asked: Any) -> Any:  # noqa: ANN401
        found = whole(*asked)
        if not other:
            other.append(True)
            prune(old, LATER, 30, "@hourly")
        return found

    monkeypatch.setattr(pruning, "_whole", meanwhile)
    assert prune(old, LATER, 30, "@operator") == Pruned(0, 0, 0, {"pruned": 1})
    assert len(asked(old, "SELECT * FROM tombstone")) == 2
    assert faults(old) == []


def not_published(file: OpenLedger) -> None:
    """The publisher has not come so far."""
    does(file, "UPDATE cursor SET position = 20 WHERE name = 'publish'")


def in_inbox(file: OpenLedger) -> None:
    """A reading waits for its patient."""
    does(file, "INSERT INTO inbox VALUES (4, 'bp-0001', 'assignment.none', 0)")


def is_due(file: OpenLedger) -> None:
    """A reading is to be looked at again."""
    does(file, "INSERT INTO due (what, ref) VALUES ('patient', 'p1'), ('retraction', '7')")


def not_given(file: OpenLedger) -> None:
    """A reading that nobody was given, though it was published."""
    does(file, "DELETE FROM attribution WHERE position = 9")


def not_confirmed(file: OpenLedger) -> None:
    """One destination has not confirmed one of its resources."""
    does(file, FEED, b"{}", b"h")
    does(file, "INSERT INTO delivery VALUES ('ward', 1, 'Observation', 'o1', 'p1', NULL, 'parked', 3, 0, 0, '422')")


def quarantine(file: OpenLedger) -> None:
    """A message of the same hour waits for a person."""
    does(file, "UPDATE quarantine SET state = 'waiting'")


def pending(file: OpenLedger) -> None:
    """A content has not come."""
    does(file, "INSERT INTO content VALUES (12, 'bp-0001', NULL, NULL, 'waiting', NULL, NULL, NULL, 0)")


@pytest.mark.parametrize(
    ("does_wait", "why"),
    [
        (not_published, "not_published"),
        (in_inbox, "inbox"),
        (is_due, "due"),
        (not_given, "not_given"),
        (not_confirmed, "not_confirmed"),
        (quarantine, "quarantine"),
        (pending, "pending"),
    ],
)
def test_what_somebody_waits_for_stays_whole(
    old: OpenLedger, does_wait: Callable[[OpenLedger], None], why: str
) -> None:
    """A segment one of whose readings is not yet safe everywhere is not touched, and the answer says why."""
    does_wait(old)
    assert prune(old, LATER, 30, "@operator") == Pruned(0, 0, 0, {why: 1})
    assert asked(old, "SELECT count(*) FROM tombstone") == [(0,)]


def test_what_is_young_or_open_stays_whole(old: OpenLedger) -> None:
    """Younger than asked, or not sealed: nothing goes."""
    assert prune(old, START + 30 * DAY, 30, "@operator") == Pruned(0, 0, 0, {})
    RelationalLedger(old).commit([reading(READINGS)], START + HOUR).result(10)
    assert prune(old, LATER, 30, "@operator").messages == READINGS + 1
    assert len(asked(old, "SELECT payload FROM journal WHERE length(payload) > 100")) == 1


def test_a_cut_in_the_midst_is_gone_on_with(old: OpenLedger) -> None:
    """After a fault between two batches all is sound, and the next call does the rest."""
    calls: list[int] = []
    write = old.writer.write

    class Cut:
        """A writer that fails at its third job."""

        def write(self, job: Callable[..., object]) -> object:
            """As the writer's."""
            calls.append(1)
            if len(calls) > 2:
                raise LedgerUnavailable("Cut.", "Off.", "Here.")
            return write(job)

    torn = OpenLedger(old.path, old.name, Cut(), old.readers, old.blobs, old.store)  # type: ignore[arg-type]
    with pytest.raises(LedgerUnavailable):
        prune(torn, LATER, 30, "@operator")
    whole = "SELECT count(*) FROM journal WHERE length(payload) > 100"
    assert asked(old, whole) == [(READINGS + 1 - 50,)]
    assert faults(old) == []
    prune(old, LATER, 30, "@operator")
    assert (asked(old, whole), faults(old)) == ([(0,)], [])


@pytest.mark.parametrize(
    ("statement", "values", "fault"),
    [
        ("UPDATE journal SET payload = ? WHERE position = 5", (b"x" * 40,), ("journal", 5, "row_hash")),
        ("UPDATE journal SET payload = NULL WHERE position = 5", (), ("journal", 5, "row_hash")),
        ("UPDATE journal SET payload = ? WHERE position = 5", (OTHER,), ("tombstone", 2, "fingerprints_changed")),
        ("UPDATE journal SET received_at = 1 WHERE position = 5", (), ("journal", 5, "row_hash")),
        ("DELETE FROM tombstone WHERE tombstone = 1", (), ("journal", 5, "row_hash")),
        ("DELETE FROM tombstone WHERE tombstone = 1", (), ("tombstone", 1, "position_gap")),
        ("UPDATE tombstone SET who = 'other' WHERE tombstone = 1", (), ("tombstone", 1, "row_hash")),
        ("DELETE FROM segment WHERE segment = 1", (), ("tombstone", 1, "tombstone_without_segment")),
        ("DELETE FROM key WHERE seq = 4", (), ("journal", 5, "journal_without_key")),
    ],
)  # fmt: skip
def test_a_tombstone_excuses_nothing_else(
    old: OpenLedger, statement: str, values: tuple[object, ...], fault: tuple[str, int, str]
) -> None:
    """Only the bytes that it tells of may be absent, and only by their fingerprint."""
    prune(old, LATER, 30, "@operator")
    does(old, statement, *values)
    assert fault in faults(old)


def test_a_fingerprint_without_a_tombstone_shows(old: OpenLedger) -> None:
    """Bytes that were taken out by somebody else are missing."""
    does(old, "UPDATE journal SET payload = ? WHERE position = 5", OTHER)
    assert faults(old) == [("journal", 5, "row_hash")]
