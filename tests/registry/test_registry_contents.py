"""Contents that come apart: what is shown of them, their way, and what they count as, at every stage."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import update

from ingest.content.found import Found, Picture
from ingest.ledger.balance import Balance, balance
from ingest.ledger.files import OpenLedger
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.schema import READING
from ingest.model import Blob, Channel, Image, Judged, Outcome, Verdict
from ingest.reasons import Reason
from registry import readings, waiting
from registry.contents import Content, Recorded
from registry.faults import Unknown
from registry.readings import Seen, Wanted
from registry.standing import standing
from registry.trace import Stage, trace
from registry.waiting import SetAside
from tests.support.apart import (
    DEVICE,
    PART,
    Apart,
    accept,
    accept_photograph,
    accept_tracing,
    inline,
    photograph,
    refuse,
    send,
    tracing,
)
from tests.support.ledgers import NOW, STREAM, raw, reading, register


@pytest.fixture(autouse=True)
def _device(file: OpenLedger) -> None:
    register(file, DEVICE)


def seen(file: OpenLedger, apart: Apart) -> Seen:
    """The reading as it is shown now; the list shows the same."""
    with file.readers.connect() as connection:
        found = readings.one(connection, apart.reading)
        assert found in readings.newest(connection, Wanted(), 10)
        return found


def way(file: OpenLedger, apart: Apart) -> tuple[Stage, ...]:
    """Its stages."""
    with file.readers.connect() as connection:
        return trace(connection, apart.reading).stages


def balanced(file: OpenLedger) -> Balance:
    """The balance, which balances."""
    with file.readers.connect() as connection:
        found = balance(connection)
    assert found.balanced
    return found


def counted(**counts: int) -> Balance:
    """A balance with these counts and no others."""
    none = dict.fromkeys(("stored", "duplicate", "quarantined", "dismissed", "pending"), 0)
    return Balance(received=sum(counts.values()), **{**none, **counts})


def test_what_has_not_come_of_a_photograph_is_shown(file: OpenLedger) -> None:
    """All of it at first, then the rest, then nothing: it is still to be looked at."""
    apart = photograph(file)
    blob = Blob(apart.sha256, 300_000, "image/jpeg")
    found = seen(file, apart)
    assert found.verdict == "pending"
    assert found.content == Content("waiting", blob=blob, missing=((0, 300_000),), image=Image("left", "macula"))
    send(file, apart, 1)
    assert seen(file, apart).content.missing == ((PART, 300_000),)
    send(file, apart)
    complete = seen(file, apart)
    assert (complete.content.state, complete.content.missing, complete.verdict) == ("complete", (), "pending")


def test_a_photograph_that_can_be_used_is_stored(file: OpenLedger) -> None:
    """What its tags say fills what the message left open, and nothing else."""
    apart = photograph(file, pupil="natural")
    accept_photograph(file, apart, eye="right", field="disc")
    found = seen(file, apart)
    assert found.verdict == "stored"
    assert found.content.image == Image("left", "macula", None, "natural")
    assert found.content.picture is not None
    assert (found.content.picture.width, found.content.picture.height) == (64, 48)


def test_the_tags_say_what_a_message_leaves_open(file: OpenLedger) -> None:
    """Eye and field of a DICOM photograph."""
    apart = photograph(file)
    said = {"blob": {"sha256": apart.sha256, "size": len(apart.content), "content_type": "image/jpeg"}, "image": {}}
    change = update(READING).values(content=json.dumps(said))
    file.writer.write(lambda connection: connection.execute(change))
    accept(file, apart, Found(picture=Picture(1, 1, 8), eye="right", field="disc"))
    assert seen(file, apart).content.image == Image("right", "disc")


def test_a_content_that_cannot_be_used_is_quarantined(file: OpenLedger) -> None:
    """With the reason, where people look for it, until they have decided."""
    apart = photograph(file)
    refuse(file, apart, "image.laterality_conflict", "/image/eye")
    found = seen(file, apart)
    assert (found.verdict, found.content.reason, found.content.pointer) == (
        "quarantined", "image.laterality_conflict", "/image/eye",
    )  # fmt: skip
    with file.readers.connect() as connection:
        (aside,) = waiting.quarantined(connection, waiting.Wanted(), 10)
        assert standing(connection, NOW).quarantined == 1
        whole = waiting.quarantined_one(connection, apart.position)
    assert (aside.id, aside.device, aside.reason, aside.pointer) == (
        apart.position, DEVICE, "image.laterality_conflict", "/image/eye",
    )  # fmt: skip
    assert (whole.aside, whole.state, whole.key) == (aside, "waiting", f"{DEVICE}:{STREAM}:0")
    assert whole.payload.startswith(b'{"v": 1')


def test_a_content_in_the_quarantine_s_own_table_is_there_once(file: OpenLedger) -> None:
    """As a person left it."""
    apart = photograph(file)
    refuse(file, apart, "image.undecodable")
    row = (apart.position, DEVICE, None, None, b"", "image.undecodable", "dismissed", 1)
    statement = "INSERT INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    file.writer.write(lambda connection: connection.exec_driver_sql(statement, row))
    with file.readers.connect() as connection:
        assert waiting.quarantined(connection, waiting.Wanted(), 10) == []
        assert waiting.quarantined_one(connection, apart.position).state == "dismissed"
        assert standing(connection, NOW).quarantined == 0
    assert balanced(file) == counted(dismissed=1)


def test_the_quarantine_is_listed_newest_first(file: OpenLedger) -> None:
    """Messages and contents in one order; a number that is not in it is unknown."""
    first = photograph(file)
    RelationalLedger(file).commit([reading(5, systolic=9000, device=DEVICE)], NOW).result()
    last = photograph(file, 1, b"q")
    for apart in (first, last):
        refuse(file, apart, "blob.hash_mismatch")
    with file.readers.connect() as connection:
        listed = waiting.quarantined(connection, waiting.Wanted(), 10)
        assert [each.id for each in listed] == [3, 2, 1]
        assert [each.reason for each in listed[:2]] == ["blob.hash_mismatch", "value.impossible"]
        assert isinstance(listed[0], SetAside)
        assert waiting.quarantined(connection, waiting.Wanted(), 1) == listed[:1]
        with pytest.raises(Unknown):
            waiting.quarantined_one(connection, 4)


def test_a_recording_is_shown_without_its_samples(file: OpenLedger) -> None:
    """From the message, and from a file once that was looked at."""
    ten_seconds = Recorded("500", "uV", ("I", "II"), 5000, complete=True)
    whole = seen(file, inline(file, 1))
    assert (whole.verdict, whole.content) == ("stored", Content(recording=ten_seconds))
    assert ten_seconds.seconds == 10
    apart = tracing(file, 2)
    assert seen(file, apart).content.recording is None
    accept_tracing(file, apart)
    assert seen(file, apart).content.recording == ten_seconds


def test_the_way_of_a_content_is_told(file: OpenLedger) -> None:
    """How much is missing; then that it is decided, and the second answer."""
    apart = photograph(file)
    stages = way(file, apart)
    assert [stage.stage for stage in stages] == [
        "received", "judged", "committed", "answered", "content", "attributed", "published", "delivered",
    ]  # fmt: skip
    assert stages[1].outcome == stages[3].outcome == "pending"
    assert stages[4] == Stage("content", NOW, "waiting", "300000 of 300000 bytes missing")
    send(file, apart, 1)
    assert way(file, apart)[4] == Stage("content", NOW, "waiting", "37856 of 300000 bytes missing")
    send(file, apart)
    assert way(file, apart)[4] == Stage("content", NOW, "complete")
    accept_photograph(file, apart)
    decided = way(file, apart)
    assert decided[4] == Stage("content", NOW + 5, "ready")
    assert (decided[5].stage, decided[5].at, decided[5].outcome) == ("answered", NOW + 5, "stored")
    assert decided[6] == Stage("attributed", None, "waiting")


def test_the_way_of_a_refused_content_ends_with_its_reason(file: OpenLedger) -> None:
    """A verdict that was told before is superseded; nobody will get it."""
    apart = photograph(file)
    accept_photograph(file, apart)
    refuse(file, apart, "image.laterality_conflict", "/image/eye", NOW + 9)
    content, first, second, attributed = way(file, apart)[4:8]
    assert content == Stage("content", NOW + 9, "refused", "image.laterality_conflict /image/eye")
    assert (first.at, first.outcome) == (NOW + 5, "superseded")
    assert (second.at, second.outcome) == (NOW + 9, "quarantined")
    assert attributed == Stage("attributed", None, "none")


def test_the_balance_counts_a_content_by_what_became_of_it(file: OpenLedger) -> None:
    """Pending until it is decided; its parts, and what else comes on other channels, are no part of the sum."""
    first, second = photograph(file, 0), photograph(file, 1, b"q" * 1000)
    assert balanced(file) == counted(pending=2)
    send(file, first)
    assert balanced(file) == counted(pending=2)
    accept_photograph(file, first)
    assert balanced(file) == counted(pending=1, stored=1)
    refuse(file, second, "blob.hash_mismatch")
    assert balanced(file) == counted(quarantined=1, stored=1)
    photograph(file, 0)
    bad_part = Judged(raw(b"x", DEVICE, Channel.BLOB), b"h" * 32, Verdict(Outcome.QUARANTINED, Reason.BLOB_PART))
    RelationalLedger(file).commit([bad_part], NOW).result()
    assert balanced(file) == counted(quarantined=1, stored=1, duplicate=1)


@pytest.mark.unbalanced("its rows are taken away")
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM content",
        "DELETE FROM reading",
        "UPDATE content SET state = 'lost'",
        "INSERT INTO quarantine VALUES (1, 'eye-0001', NULL, NULL, '', 'blob.quota', 'waiting', 1)",
    ],
)
def test_a_pending_message_without_its_rows_unbalances(file: OpenLedger, statement: str) -> None:
    """A verdict that its rows do not bear out counts nowhere."""
    photograph(file)
    file.writer.write(lambda connection: connection.exec_driver_sql(statement))
    with file.readers.connect() as connection:
        found = balance(connection)
    assert (found.balanced, found.unaccounted) == (False, 1)
