"""What a delivery knows of its destination: what it said, when it is asked again, and what it may have forgotten."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import select

from fhir_export.push.circuit import FIRST_WAIT
from fhir_export.push.delivery import Delivery
from fhir_export.push.forgotten import TRIES
from fhir_export.push.knowledge import ABSENCE, SOONEST
from fhir_export.push.memory import MemoryRecord
from fhir_export.push.port import Answer, Capability, Ending, Identity, Outgoing, Record, RecordUnavailable
from fhir_export.push.statement import NOT_TAKEN
from ingest.ledger.schema import DELIVERED
from tests.push.shelf import SECOND, Clock, Shelf, observation

Delivers = Callable[[Record], Delivery]
Settle = Callable[[Delivery], None]
AWAY = Answer(Ending.UNSENT)


class Telling(MemoryRecord):
    """Says what it is told to say; counts how often it was asked, and what was read."""

    def __init__(self, *said: Capability) -> None:
        super().__init__()
        self.said, self.asked = list(said), 0
        self.reads: list[Identity] = []

    def capability(self) -> Capability:
        """The next word; the last one from then on."""
        self.asked += 1
        return self.said.pop(0) if len(self.said) > 1 else self.said[0]

    def read(self, identity: Identity, most: int) -> bytes | None:
        """As the record does, and noted."""
        self.reads.append(identity)
        return super().read(identity, most)

    def forget(self, *ids: str) -> None:
        """As after a kill before it was written."""
        self.versions = {key: held for key, held in self.versions.items() if key[1] not in ids}


ALL = Capability(batch=True)


@pytest.mark.parametrize("code", ["record.not_fhir_r4", "record.not_json", "record.client_ids"])
def test_an_unfit_destination_gets_nothing_and_nothing_is_parked(
    shelf: Shelf, clock: Clock, delivers: Delivers, settle: Settle, code: str
) -> None:
    """It is asked again and again, and when it has become fit all arrives."""
    shelf.add(observation("a"))
    unfit = Capability(batch=True, lacks=(code,))
    record = Telling(unfit, unfit, unfit, ALL)
    delivery = delivers(record)
    clock.pass_by(delivery.step().wait_s)
    assert (record.calls, delivery.waits_because, delivery.lacks) == ([], code, (code,))
    assert shelf.waiting() == {"a": ("due", None)}
    settle(delivery)
    assert (record.asked, shelf.delivered(), delivery.lacks) == (4, [1], ())


def test_a_type_that_is_not_taken_is_parked_with_its_reason_and_goes_when_it_is(
    shelf: Shelf, clock: Clock, delivers: Delivers, settle: Settle
) -> None:
    """Nothing of it is sent; other types arrive; a new statement that names it lets it go by itself."""
    shelf.add({"resourceType": "Media", "id": "m"})
    shelf.add({"resourceType": "Media", "id": "other"}, parked="record.refused:value")
    shelf.add(observation("a"))
    record = Telling(Capability(batch=True, types=frozenset({"Observation"})), ALL)
    settle(delivers(record))
    assert shelf.waiting() == {"m": ("parked", NOT_TAKEN), "other": ("parked", "record.refused:value")}
    assert record.sent.keys() == {("Observation", "a")}
    settle(delivers(record))  # a new process asks anew
    assert shelf.waiting() == {"other": ("parked", "record.refused:value")}


def test_what_it_said_is_remembered(shelf: Shelf, delivers: Delivers) -> None:
    """One question serves many rounds."""
    record = Telling(ALL)
    delivery = delivers(record)
    for n in range(5):
        shelf.add(observation(f"o{n}"))
        delivery.step()
    assert (record.asked, len(record.versions)) == (1, 5)


@pytest.mark.parametrize(("away", "times"), [(ABSENCE // SECOND - 5, 1), (3 * ABSENCE // SECOND, 2)])
def test_after_a_long_absence_it_is_asked_again_once(
    shelf: Shelf, clock: Clock, delivers: Delivers, settle: Settle, away: int, times: int
) -> None:
    """Away for less than a minute it is the same server; after that it may be another."""
    record = Telling(ALL)
    delivery = delivers(record)
    shelf.add(observation("a"))
    record.instead = lambda _: AWAY
    delivery.step()
    clock.pass_by(away)
    delivery.step()
    record.instead = None
    settle(delivery)
    assert (record.asked, shelf.delivered()) == (times, [1])


def test_a_surprising_answer_leads_to_a_question_and_many_to_no_more(
    shelf: Shelf, clock: Clock, delivers: Delivers
) -> None:
    """405 from a FHIR server does not fit what it said; within a minute the second one asks nothing."""
    record = Telling(ALL)
    record.instead = lambda _: Answer(Ending.ANSWERED, 405, fhir=True)
    delivery = delivers(record)
    asked = []
    for n in range(4):
        shelf.add(observation(f"o{n}"))
        delivery.step()
        delivery.step()
        asked.append(record.asked)
        clock.pass_by(SOONEST / SECOND * 0.6)
    assert asked == [1, 1, 2, 2]
    assert set(shelf.waiting().values()) == {("parked", "record.not_supported")}


def test_what_was_forgotten_is_delivered_again(shelf: Shelf, clock: Clock, delivers: Delivers, settle: Settle) -> None:
    """Confirmed, then lost with the last moments before a kill: back in the record, the rest untouched."""
    due = shelf.readings(20)
    record = Telling(ALL)
    delivery = delivers(record)
    settle(delivery)
    record.forget("r19-heart-rate", "r19-provenance", "r3-provenance")
    _away(record, shelf, delivery, clock)
    settle(delivery)
    assert {key: len(held) for key, held in record.versions.items()} == {
        **{one.identity: 1 for one in due},
        ("Observation", "later"): 1,
    }
    assert shelf.waiting() == {}
    assert len(shelf.confirmed()) == 20
    assert {key: n for key, n in record.sent.items() if n > 1}.keys() == {
        ("Observation", "r19-heart-rate"), ("Provenance", "r19-provenance"), ("Provenance", "r3-provenance"),
        ("Observation", "later"),
    }  # fmt: skip


def test_only_the_last_moments_are_looked_at(shelf: Shelf, clock: Clock, delivers: Delivers, settle: Settle) -> None:
    """What was confirmed seconds before the last confirmation is taken to be on the other side's disk."""
    record = Telling(ALL)
    delivery = delivers(record)
    for name in ("old", "new"):
        shelf.add(observation(name))
        settle(delivery)
        clock.pass_by(10)
    record.reads.clear()
    _away(record, shelf, delivery, clock)
    settle(delivery)
    assert record.reads == [("Observation", "new")]


def test_a_new_process_looks_too(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """One power cut may have ended both sides: at its start a delivery trusts the last moments as little."""
    shelf.add(observation("a"))
    record = Telling(ALL)
    settle(delivers(record))
    record.forget("a")
    settle(delivers(record))
    delivers(record).step()
    assert record.versions.keys() == {("Observation", "a")}


def test_a_search_that_is_cut_off_goes_on_where_it_was(
    shelf: Shelf, clock: Clock, delivers: Delivers, settle: Settle
) -> None:
    """Each of many is read once though the line is gone again and again, and the pauses do not grow meanwhile."""
    shelf.readings(10)
    record = Failing(ALL)
    settle(delivers(record))
    record.lost = lambda count: count % (5 + TRIES) >= 5
    delivery, waits = delivers(record), []
    for _ in range(12):
        waits.append(delivery.step().wait_s)
        clock.pass_by(waits[-1] + 0.001)
    assert sorted(record.reads) == sorted(record.versions)
    assert max(waits) <= FIRST_WAIT / SECOND
    assert sum(wait > 0 for wait in waits) >= 5


def test_a_line_that_loses_answers_now_and_then_is_no_absence(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """One lost answer in seven, many reads: no pause, and what is new goes out behind them."""
    shelf.readings(60)
    record = Failing(ALL)
    settle(delivers(record))
    record.lost = lambda count: count % 7 == 0
    shelf.add(observation("new"))
    delivery = delivers(record)
    assert [delivery.step().wait_s for _ in range(2)] == [0.0, 0.0]
    assert record.sent["Observation", "new"] == 1


def test_nothing_is_sent_before_all_is_certain(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """Many are looked at in several steps, between which a loop can end; what is new waits for the last of them."""
    shelf.readings(60)
    record = Telling(ALL)
    settle(delivers(record))
    shelf.add(observation("new"))
    delivery = delivers(record)
    found = []
    for _ in range(2):
        delivery.step()
        found.append((len(record.reads), record.sent["Observation", "new"]))
    assert found == [(100, 0), (182, 1)]


def test_what_somebody_deleted_there_stays_deleted(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """A record that remembers the deletion has forgotten nothing."""
    shelf.add(observation("a"))
    record = Telling(ALL)
    settle(delivers(record))
    shelf.add(observation("b"))
    delivers(Erased(record)).step()
    assert shelf.waiting() == {}
    assert record.sent == {("Observation", "a"): 1, ("Observation", "b"): 1}


def test_a_reading_that_goes_again_keeps_its_confirmation(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """The device was told that the record has it; that stays true, and is not told twice."""
    shelf.readings(1)
    record = Telling(ALL)
    settle(delivers(record))
    record.forget("r0-heart-rate")
    settle(delivers(record))
    delivers(record).step()
    assert len(shelf.confirmed()) == 1
    with shelf.file.readers.connect() as connection:
        assert len(connection.execute(select(DELIVERED.c.position)).all()) == 5


def _away(record: Telling, shelf: Shelf, delivery: Delivery, clock: Clock) -> None:
    """The record is not reached for a moment, while there is something to send."""
    shelf.add(observation("later"))
    record.instead = lambda _: AWAY
    clock.pass_by(delivery.step().wait_s + 0.001)
    record.instead = None


class Failing(Telling):
    """Reads whose number is ``lost`` get no answer; those are not noted."""

    lost: Callable[[int], bool] = staticmethod(lambda _: False)
    _count = 0

    def read(self, identity: Identity, most: int) -> bytes | None:
        """Sometimes nothing."""
        self._count += 1
        if self.lost(self._count):
            raise RecordUnavailable("record.no_answer")
        return super().read(identity, most)


class Erased:
    """A record from which everything was deleted in good order."""

    def __init__(self, record: Telling) -> None:
        self._record = record

    def capability(self) -> Capability:
        """The record's."""
        return self._record.capability()

    def send(self, outgoing: Sequence[Outgoing]) -> Sequence[Answer]:
        """The record's."""
        return self._record.send(outgoing)

    def read(self, identity: Identity, most: int) -> bytes | None:
        """Gone, and known to be."""
        del identity, most
        raise RecordUnavailable("record.gone")
