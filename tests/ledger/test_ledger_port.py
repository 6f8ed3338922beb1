"""What every ledger promises the gateway: one suite for all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from ingest.judge import judge
from ingest.ledger.port import Answer, Item, Kept, PieceKept, State, Told, Welcomed
from ingest.model import Channel, ClockFacts, DeviceStatus, Outcome, RawMessage
from ingest.reasons import Reason
from tests.support.contents import CAMERA, PHOTOGRAPH, kept_part, live, part, parts, photograph
from tests.support.ledgers import FACTS, NOW, STREAM, Bench, body, judged, reading

DEVICE = "bp-0001"


def commit(bench: Bench, *items: Item, now: int = NOW) -> Sequence[Answer]:
    """Commit one batch and wait for it."""
    return bench.ledger.commit(items, now).result(10)


def kept(bench: Bench, item: Item) -> Kept:
    """Commit one message."""
    (answer,) = commit(bench, item)
    assert isinstance(answer, Kept)
    return answer


def hello(next_seq: int = 0, *, conn: str = "a1b2c3d4", **more: object) -> Told:
    """A hello of the device."""
    return Told(DEVICE, NOW, conn, STREAM, next_seq, **more)  # type: ignore[arg-type]


def test_a_new_reading_is_stored_under_its_id(bench: Bench) -> None:
    """A reading with a new key is stored and named by its id."""
    item = reading(7)
    assert item.key is not None
    assert kept(bench, item) == Kept(Outcome.STORED, reading=item.key.reading)


def test_the_same_bytes_again_are_a_repeat(bench: Bench) -> None:
    """A repeat gets the verdict of its key, in a later batch and in the same one."""
    first, again = commit(bench, reading(1), reading(1))
    assert isinstance(first, Kept)
    assert isinstance(again, Kept)
    assert (first.repeat, again.repeat, again.outcome) == (False, True, Outcome.STORED)
    assert kept(bench, reading(1)) == again


def test_equal_content_is_a_repeat(bench: Bench) -> None:
    """Another order of members, spaces and another battery level are the same reading."""
    kept(bench, reading(1))
    turned = dict(reversed(body(1, battery=12).items()))
    assert kept(bench, judged(json.dumps(turned, indent=2).encode())).repeat


def test_digits_are_content(bench: Bench) -> None:
    """128 and 128.0 under one key contradict each other: numbers are compared as text."""
    kept(bench, reading(1))
    other = json.dumps(body(1)).replace("128", "128.0").encode()
    assert kept(bench, judged(other)).reason is Reason.KEY_CONFLICT


def test_other_content_under_a_key_is_kept_beside_the_first(bench: Bench) -> None:
    """A conflicting message is quarantined, and each copy repeats its own verdict afterwards."""
    kept(bench, reading(1, 128))
    conflict = kept(bench, reading(1, 140))
    assert (conflict.outcome, conflict.reason, conflict.repeat) == (Outcome.QUARANTINED, Reason.KEY_CONFLICT, False)
    assert kept(bench, reading(1, 128)).outcome is Outcome.STORED
    again = kept(bench, reading(1, 140))
    assert (again.reason, again.repeat) == (Reason.KEY_CONFLICT, True)


def test_a_rejected_message_occupies_its_key(bench: Bench) -> None:
    """A corrected reading under the seq of a quarantined one is a conflict: it takes a new seq."""
    assert kept(bench, reading(3, 1280)).reason is Reason.VALUE_IMPOSSIBLE
    assert kept(bench, reading(3, 128)).reason is Reason.KEY_CONFLICT


def test_one_key_of_two_devices_is_two_readings(bench: Bench) -> None:
    """The device is part of the key."""
    first, second = commit(bench, reading(1), reading(1, device="bp-0002"))
    assert isinstance(first, Kept)
    assert isinstance(second, Kept)
    assert not second.repeat
    assert first.reading != second.reading


def test_bytes_without_a_key_are_a_repeat_only_with_dup(bench: Bench) -> None:
    """The same broken bytes are two messages, unless the broker says that it sends them again."""
    assert not kept(bench, judged(b"{")).repeat
    assert not kept(bench, judged(b"{")).repeat
    again = kept(bench, judged(b"{", dup=True))
    assert (again.repeat, again.reason) == (True, Reason.JSON_MALFORMED)


def test_a_hello_is_welcomed_with_what_is_settled(bench: Bench) -> None:
    """``settled`` is the highest seq below which nothing is missing."""
    assert commit(bench, hello(0)) == [Welcomed(None)]
    commit(bench, reading(0), reading(1), reading(4))
    assert commit(bench, hello(5)) == [Welcomed(1)]
    commit(bench, reading(2), reading(3))
    assert commit(bench, hello(5)) == [Welcomed(4)]


def test_a_gap_is_due_once_it_is_old_and_once_only(bench: Bench) -> None:
    """Missing numbers are overdue after a while, and not again until the device has connected anew."""
    commit(bench, hello(0), reading(0), reading(5))
    assert bench.ledger.overdue(NOW, 10) == []
    (gap,) = bench.ledger.overdue(NOW + 1, 10)
    assert (gap.stream, gap.first, gap.last, gap.since) == (STREAM, 1, 4, NOW)
    bench.ledger.asked([gap.gap], NOW + 2)
    assert bench.ledger.overdue(NOW + 10, 10) == []
    commit(bench, Told(DEVICE, NOW + 20, "ffffffff", STREAM, 6))
    assert len(bench.ledger.overdue(NOW + 30, 10)) == 1


def test_a_gap_that_is_half_filled_keeps_its_age(bench: Bench) -> None:
    """What is left of a gap is as old as the gap was."""
    commit(bench, hello(0), reading(0), reading(5))
    commit(bench, reading(3), now=NOW + 50)
    found = {(gap.first, gap.last, gap.since) for gap in bench.ledger.overdue(NOW + 100, 10)}
    assert found == {(1, 2, NOW), (4, 4, NOW)}


def test_a_gap_is_closed_by_what_the_device_declares_lost(bench: Bench) -> None:
    """Readings that will never come are settled."""
    commit(bench, hello(0), reading(0), reading(5))
    commit(bench, State(DEVICE, NOW, stream=STREAM, lost=((1, 4),)))
    assert bench.ledger.overdue(NOW + 100, 10) == []
    assert commit(bench, hello(6)) == [Welcomed(5)]


def test_nobody_is_asked_who_is_away(bench: Bench) -> None:
    """A device that went offline is not asked; the will of an older connection does not count."""
    commit(bench, hello(0, conn="a1b2c3d4"), reading(0), reading(5))
    commit(bench, State(DEVICE, NOW, conn="00000000", offline=True))
    assert len(bench.ledger.overdue(NOW + 100, 10)) == 1
    commit(bench, State(DEVICE, NOW, conn="a1b2c3d4", offline=True))
    assert bench.ledger.overdue(NOW + 100, 10) == []


def test_what_the_device_no_longer_holds_is_not_asked_for(bench: Bench) -> None:
    """A gap wholly below ``oldest`` stays open, and nobody is asked to fill it."""
    commit(bench, hello(6, oldest=5), reading(5))
    assert bench.ledger.overdue(NOW + 100, 10) == []


def test_facts_are_known_afterwards(bench: Bench) -> None:
    """Registration, clock and wishes of a device are facts for the next batch; others are left out."""
    bench.register(DEVICE)
    commit(bench, hello(0, epoch=7, synced=False, wants_record=True, max_down_bytes=2048))
    commit(bench, State(DEVICE, NOW, epoch=7, offset=-5, uncertainty=2))
    found = bench.ledger.known({DEVICE, "bp-0002"}, NOW)
    assert set(found) == {DEVICE}
    known = found[DEVICE]
    assert (known.status, known.wants_record, known.max_down_bytes) == (DeviceStatus.ACTIVE, True, 2048)
    assert known.clocks == {7: ClockFacts(synced=False, offset=-5, uncertainty=2)}


def test_a_confirmation_is_told_to_those_who_asked(bench: Bench) -> None:
    """Confirmations come in order, after the position asked for, and only for devices that want them."""
    commit(bench, hello(0, wants_record=True), reading(0), reading(1))
    for item in (reading(0), reading(1)):
        assert item.key is not None
        bench.confirm(item.key)
    first, second = bench.ledger.confirmations(0, 10)
    assert (first.seq, second.seq, first.sha) == (0, 1, reading(0).sha)
    assert bench.ledger.confirmations(first.position, 10) == [second]
    assert kept(bench, reading(0)).confirmed
    commit(bench, hello(2))
    assert bench.ledger.confirmations(0, 10) == []


def test_what_was_told_is_remembered(bench: Bench) -> None:
    """The position of the last confirmation that was passed on is kept."""
    assert bench.ledger.told() == 0
    bench.ledger.note_told(5)
    assert bench.ledger.told() == 5
    bench.ledger.note_told(3)  # by a gateway that is late
    assert bench.ledger.told() == 5


def test_a_hub_that_does_not_serve_a_device_takes_none_of_its_keys(bench: Bench) -> None:
    """A stranger who speaks for a device is set aside, and the device's own reading is stored as if he had not."""
    payload = json.dumps(body(7)).encode()
    stranger = judge(RawMessage(DEVICE, Channel.READING, payload, NOW, hub="mallory"), replace(FACTS, served=False))
    assert kept(bench, stranger).reason is Reason.DEVICE_NOT_SERVED
    assert kept(bench, reading(7, 140)) == Kept(Outcome.STORED, reading=reading(7).key.reading)  # type: ignore[union-attr]
    assert bench.ledger.overdue(NOW + 1, 10) == []


def test_a_hello_that_comes_again_after_a_newer_one_changes_nothing(bench: Bench) -> None:
    """A broker's redelivery of an old connection's hello does not put the new connection off line."""
    commit(bench, hello(0, conn="aaaaaaaa"), hello(0, conn="bbbbbbbb"), reading(0), reading(5))
    commit(bench, hello(0, conn="aaaaaaaa", dup=True), State(DEVICE, NOW, conn="aaaaaaaa", offline=True))
    assert len(bench.ledger.overdue(NOW + 100, 10)) == 1


def test_what_was_confirmed_before_the_first_hello_is_told_after_it(bench: Bench) -> None:
    """A device that says later that it wants to know is told of everything, others' confirmations in between or not."""
    mine, other = reading(0), reading(0, device="bp-0002")
    commit(bench, mine, other, Told("bp-0002", NOW, "cccccccc", STREAM, 1, wants_record=True))
    for item in (mine, other):
        assert item.key is not None
        bench.confirm(item.key)
    told = bench.ledger.confirmations(0, 10)
    assert [each.device for each in told] == ["bp-0002"]
    commit(bench, hello(1, wants_record=True))
    assert [each.device for each in bench.ledger.confirmations(told[-1].position, 10)] == [DEVICE]


# ---------------------------------------------------------------- contents that come apart


def test_a_reading_with_a_blob_is_pending_until_it_was_looked_at(bench: Bench) -> None:
    """What is missing grows less with each part; then a verdict comes later, and repeats say it."""
    bench.register(CAMERA)
    first = kept(bench, photograph())
    assert (first.outcome, first.missing, first.repeat) == (Outcome.PENDING, ((0, len(PHOTOGRAPH)),), False)
    one, two = parts()
    assert commit(bench, two) == [PieceKept()]
    again = kept(bench, photograph())
    assert (again.outcome, again.missing, again.repeat) == (Outcome.PENDING, ((0, two.start),), True)
    assert bench.ledger.later(10) == []
    commit(bench, one)
    bench.look()
    (told,) = bench.ledger.later(10)
    assert (told.position, told.device, told.outcome, told.reading) == (1, CAMERA, Outcome.STORED, first.reading)
    for position in (told.position, 0):  # the second one by a gateway that is late
        bench.ledger.note_later(position)
        assert bench.ledger.later(10) == []
    assert (kept(bench, photograph()).outcome, kept(bench, photograph()).missing) == (Outcome.STORED, None)


def test_a_blob_of_another_hash_is_refused_later(bench: Bench) -> None:
    """Its reading is quarantined under that name, and its parts begin anew."""
    bench.register(CAMERA)
    commit(bench, photograph(), parts()[0], kept_part(part(PHOTOGRAPH, 262_144, b"x" * 249_856)))
    bench.look()
    assert [told.reason for told in bench.ledger.later(10)] == [Reason.BLOB_HASH_MISMATCH]
    again = kept(bench, photograph())
    assert (again.outcome, again.reason) == (Outcome.QUARANTINED, Reason.BLOB_HASH_MISMATCH)


def test_a_part_past_the_end_of_its_blob_is_quarantined(bench: Bench) -> None:
    """The length is what the reading said."""
    bench.register(CAMERA)
    kept(bench, photograph())
    (answer,) = commit(bench, kept_part(part(PHOTOGRAPH, 262_144, b"x" * 249_857)))
    assert isinstance(answer, Kept)
    assert (answer.outcome, answer.reason, answer.reading) == (Outcome.QUARANTINED, Reason.BLOB_PART, None)


def test_parts_of_a_device_are_no_part_of_another_s(bench: Bench) -> None:
    """The same blob of two devices is sent twice."""
    bench.register(CAMERA)
    commit(bench, photograph(), *parts())
    bench.look()
    assert kept(bench, photograph(device="retino-0002")).missing == ((0, len(PHOTOGRAPH)),)
    assert commit(bench, *parts()) == [PieceKept(), PieceKept()]


def test_a_live_part_is_stored(bench: Bench) -> None:
    """Each by itself, whatever becomes of the recording."""
    assert kept(bench, live(0, 0, range(100))).outcome is Outcome.STORED
    assert kept(bench, live(0, 0, range(100))).repeat
