"""What the ledger's rows hold after a batch: every byte and digit as it was sent."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Row, select, text

from ingest.ledger.files import OpenLedger
from ingest.ledger.integrity import row_hash
from ingest.ledger.port import Item, Kept, State, Told
from ingest.ledger.readings import accepted
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.rows import KEPT_OF_TOO_LARGE, journal_hash
from ingest.ledger.schema import GAP, JOURNAL, QUARANTINE, STREAM
from ingest.ledger.verify import verify
from ingest.model import Judged, Outcome, Verdict
from ingest.reasons import Reason
from ingest.sequence import LIMIT
from tests.support.ledgers import NOW, body, judged, raw, reading
from tests.support.ledgers import STREAM as STREAM_ID

DEVICE = "bp-0001"


def commit(file: OpenLedger, *items: Item, now: int = NOW) -> Sequence[Any]:
    """Commit one batch."""
    return RelationalLedger(file).commit(items, now).result(10)


def journal(file: OpenLedger) -> Sequence[Row[Any]]:
    """Every journal row."""
    with file.readers.connect() as connection:
        return connection.execute(select(JOURNAL).order_by(JOURNAL.c.position)).all()


def tracing(seq: int) -> Judged:
    """An ECG of two leads, extreme samples included."""
    samples = {
        "I": struct.pack("<600h", *([-32768, 32767, -1, 0] * 150)),
        "II": struct.pack("<600h", *range(-300, 300)),
    }
    recording = {
        "sampling_hz": 500, "unit": "uV", "step": 1.250, "baseline": 0, "encoding": "int16le",
        "leads": {name: base64.b64encode(of).decode() for name, of in samples.items()},
    }  # fmt: skip
    sent = body(seq) | {"kind": "ecg", "values": {}, "recording": recording}
    return judged(json.dumps(sent).replace('"step": 1.25', '"step": 1.250').encode(), "ecg-0001")


def test_bytes_are_kept_as_they_came(file: OpenLedger) -> None:
    """The payload is in the journal bit by bit, with its hash, whatever it says."""
    payloads = [json.dumps(body(1), indent=3).encode(), b"\xff\xfe\0", b"", b'{"v": 1']
    commit(file, *map(judged, payloads))
    assert [(row.payload, row.size, row.sha) for row in journal(file)] == [
        (payload, len(payload), hashlib.sha256(payload).digest()) for payload in payloads
    ]


def test_digits_and_samples_come_back(file: OpenLedger) -> None:
    """A reading read from the ledger is the reading that was judged: values, units, samples, flags, context."""
    sent = body(2, flags=["movement", "cuff_loose"], exam="E-1", replaces=1)
    sent["context"] = {"body_site": "arm", "position": "sitting"}
    sent["values"]["systolic"] = {"value": 128, "unit": "mm[Hg]"}
    plain = judged(json.dumps(sent).replace("128", "128.00").encode())
    items = [plain, tracing(1), reading(3, "no number"), reading(4)]
    assert [item.verdict.outcome for item in items].count(Outcome.STORED) == 3
    commit(file, *items)
    with file.readers.connect() as connection:
        found = accepted(connection, [1, 2, 3, 4])
    assert [each.reading for each in found] == [item.reading for item in items if item.reading]
    assert [(each.position, each.received_at) for each in found] == [(1, NOW), (2, NOW), (4, NOW)]
    assert found[0].reading.measurements[0].value == "128.00"


def test_positions_count_without_a_hole(file: OpenLedger) -> None:
    """Each message takes the next position, over batches, repeats and quarantine."""
    commit(file, reading(1), reading(1), judged(b"{"))
    commit(file, reading(2), reading(1, 140))
    assert [row.position for row in journal(file)] == [1, 2, 3, 4, 5]
    assert [(row.outcome, row.first) for row in journal(file)] == [
        ("stored", None), ("duplicate", 1), ("quarantined", None), ("stored", None), ("quarantined", None),
    ]  # fmt: skip


def test_a_repeat_is_kept_in_full_only_when_its_bytes_differ(file: OpenLedger) -> None:
    """The same bytes are in the journal once; other bytes of the same content are kept beside them."""
    spelt_otherwise = json.dumps(body(1), indent=1).encode()
    commit(file, reading(1), reading(1), judged(spelt_otherwise))
    assert [row.payload for row in journal(file)][1:] == [None, spelt_otherwise]


def test_of_too_large_a_message_the_beginning_is_kept(file: OpenLedger) -> None:
    """64 KiB of it, beside its length and the hash of the whole."""
    payload = b"{" + b" " * 1_000_000
    (kept,) = commit(file, judged(payload))
    assert kept.reason is Reason.JSON_TOO_LARGE
    (row,) = journal(file)
    assert (row.payload, row.size) == (payload[:KEPT_OF_TOO_LARGE], len(payload))
    assert row.sha == hashlib.sha256(payload).digest()
    assert KEPT_OF_TOO_LARGE == 64 * 1024


def test_a_conflict_keeps_the_reason_it_has(file: OpenLedger) -> None:
    """A taken key is the last in the order of reasons: an impossible value under it is an impossible value."""
    (first, wrong, again) = commit(file, reading(1), reading(1, 999), reading(1, 999))
    assert (first.outcome, wrong.reason, again.reason) == (Outcome.STORED, *[Reason.VALUE_IMPOSSIBLE] * 2)
    (later,) = commit(file, judged(json.dumps(body(1, 999), indent=1).encode()))
    assert (later.repeat, later.reason) == (True, Reason.VALUE_IMPOSSIBLE)
    with file.readers.connect() as connection:
        assert not verify(connection).faults
        assert len(connection.execute(select(QUARANTINE)).all()) == 1


def test_broken_bytes_are_those_of_one_device(file: OpenLedger) -> None:
    """Bytes without a key that come again are a repeat only of what the same device sent."""
    first, other = commit(file, judged(b"{", dup=True), judged(b"{", "bp-0002", dup=True))
    assert not first.repeat
    assert not other.repeat


def test_a_batch_that_fails_leaves_nothing(file: OpenLedger) -> None:
    """When a batch raises, none of it is kept, and the same items can come again."""
    impossible = Judged(raw(b"x"), b"", Verdict(Outcome.QUARANTINED, None))  # a quarantine has a reason: NOT NULL
    with pytest.raises(Exception, match=r"NOT NULL|NotNull"):
        commit(file, reading(1), impossible)
    assert not journal(file)
    (kept,) = commit(file, reading(1))
    assert not kept.repeat


# ---------------------------------------------------------------- row hashes

values = st.recursive(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary(), lambda inner: st.lists(inner, max_size=3)
)


def plain_json(value: Any) -> Any:  # noqa: ANN401 - any value of a row
    """Bytes as hex, lists as lists."""
    if isinstance(value, bytes):
        return value.hex()
    return [plain_json(each) for each in value] if isinstance(value, list) else value


@given(st.lists(values, max_size=6))
def test_a_row_hash_is_anybody_s(row: list[Any]) -> None:
    """The hash is the first 16 bytes of SHA-256 over the compact JSON array of the values, bytes as hex."""
    told = json.dumps(plain_json(row), separators=(",", ":"), ensure_ascii=False)
    assert row_hash(row) == hashlib.sha256(told.encode()).digest()[:16]


@pytest.mark.unbalanced("rows are changed to see that it shows")
@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("journal", "payload", b"x"), ("journal", "received_at", 1), ("journal", "outcome", "pending"),
        ("reading", "taken_at", "x"), ("reading", "used_at", 1), ("measurement", "value", "127"),
        ("measurement", "unusual", 1), ("recording", "samples", b"\0\0"), ("recording", "leads", "[]"),
        ("recording", "complete", 0),
    ],
)  # fmt: skip
def test_any_changed_value_shows(file: OpenLedger, table: str, column: str, value: object) -> None:
    """A value that was changed in the file is found by the row's hash."""
    commit(file, reading(1), tracing(2))
    at = 2 if table == "recording" else 1
    change = text(f"UPDATE {table} SET {column} = :value WHERE position = {at}")  # noqa: S608 - the names above
    file.writer.write(lambda connection: connection.execute(change, {"value": value}))
    with file.readers.connect() as connection:
        assert {(fault.table, fault.position) for fault in verify(connection).faults} >= {
            ("reading" if table == "measurement" else table, at)
        }


def test_a_journal_hash_covers_its_row(file: OpenLedger) -> None:
    """The hash of a journal row covers everything but itself."""
    commit(file, reading(1))
    (row,) = journal(file)
    assert journal_hash(tuple(row)[:-1]) == row.row_hash


# ---------------------------------------------------------------- streams and gaps


def gaps(file: OpenLedger) -> list[tuple[int, int, str | None]]:
    """Gaps, with how they were closed."""
    with file.readers.connect() as connection:
        rows = connection.execute(select(GAP.c.first, GAP.c.last, GAP.c.closed_as).order_by(GAP.c.gap))
        return [(row.first, row.last, row.closed_as) for row in rows]


def test_gaps_are_closed_by_name(file: OpenLedger) -> None:
    """A gap is split, filled or lost, each by what happened to it and not by what happened beside it."""
    commit(file, reading(0), reading(9))
    commit(file, reading(5))
    commit(file, *map(reading, range(1, 5)), State(DEVICE, NOW, stream=STREAM_ID, lost=((6, 7),)))
    assert gaps(file) == [(1, 8, "split"), (1, 4, "filled"), (6, 8, "split"), (8, 8, None)]
    commit(file, State(DEVICE, NOW, stream=STREAM_ID, lost=((8, 8),)))
    assert gaps(file)[-1] == (8, 8, "lost")


def test_too_many_gaps_fold_and_unfold(file: OpenLedger) -> None:
    """Beyond the limit the oldest gaps are unclear; once there is room, a hello counts them again from the keys."""
    numbers = range(0, 2 * LIMIT + 20, 2)
    commit(file, *map(reading, numbers))
    with file.readers.connect() as connection:
        row = connection.execute(select(STREAM)).one()
    assert (row.unclear_first, row.unclear_last) == (1, 17)
    assert [gap for gap in gaps(file) if gap[2] is None] == [(n, n, None) for n in range(19, 2 * LIMIT + 19, 2)]
    (welcome,) = commit(file, Told(DEVICE, NOW, "a1b2c3d4", STREAM_ID, numbers[-1] + 1))
    assert welcome.settled == 0
    commit(file, State(DEVICE, NOW, stream=STREAM_ID, lost=((100, 2 * LIMIT + 20),)), reading(3))
    commit(file, reading(7), Told(DEVICE, NOW, "a1b2c3d4", STREAM_ID, numbers[-1] + 1))
    assert sorted(first for first, _, closed_as in gaps(file) if closed_as is None and first < 20) == [
        1, 5, 9, 11, 13, 15, 17, 19,
    ]  # fmt: skip
    (welcome,) = commit(file, *map(reading, range(1, 100, 2)), Told(DEVICE, NOW, "a1b2c3d4", STREAM_ID, 5))[-1:]
    assert welcome.settled == numbers[-1]


def test_a_stranger_s_number_is_not_believed(file: OpenLedger) -> None:
    """A hello cannot give its device the EUI-64 that another one is registered with; a free one is filled in."""
    with_number = "INSERT INTO device (device, eui64, simulated, secret_hash, added_at) VALUES (?, ?, 0, '-', 0)"
    rows = [("bp-0001", None), ("bp-0002", "00-00-00-00-00-00-00-01")]
    file.writer.write(lambda connection: connection.exec_driver_sql(with_number, rows))
    for number in ("00-00-00-00-00-00-00-01", "00-00-00-00-00-00-00-02"):
        commit(file, Told(DEVICE, NOW, "a1b2c3d4", STREAM_ID, 0, eui64=number))
    with file.readers.connect() as connection:
        found = connection.execute(text("SELECT eui64 FROM device ORDER BY device")).scalars().all()
    assert found == ["00-00-00-00-00-00-00-02", "00-00-00-00-00-00-00-01"]


def due(file: OpenLedger) -> list[tuple[str, str]]:
    """What is due, emptied."""
    with file.readers.connect() as connection:
        rows = [(row.what, row.ref) for row in connection.execute(text("SELECT what, ref FROM due ORDER BY position"))]
    file.writer.write(lambda connection: connection.execute(text("DELETE FROM due")))
    return rows


def test_a_device_is_due_when_it_says_something_new(file: OpenLedger) -> None:
    """The first hello, another firmware and other kinds make its resource due; the same hello again does not."""
    first = Told(DEVICE, NOW, "a1b2c3d4", STREAM_ID, 0, firmware="1", kinds=("blood_pressure",))
    for told, expected in [
        (first, 1),
        (first, 0),
        (Told(DEVICE, NOW, "ffffffff", STREAM_ID, 9, firmware="1", kinds=("blood_pressure", "ecg")), 1),
        (Told(DEVICE, NOW, "ffffffff", STREAM_ID, 9, firmware="2", kinds=("blood_pressure", "ecg")), 1),
    ]:
        commit(file, told)
        assert due(file) == [("device", DEVICE)] * expected


def test_kept_answers_are_plain(file: OpenLedger) -> None:
    """An answer that was read from rows equals the one that was given first, but for ``repeat``."""
    (first,) = commit(file, reading(1, 999))
    (again,) = commit(file, reading(1, 999))
    assert again == Kept(first.outcome, first.reason, first.pointer, repeat=True, reading=first.reading)
