"""What becomes of due rows, with a record in this process."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import select

from fhir_export.push import delivery as delivery_module
from fhir_export.push import rows
from fhir_export.push.delivery import Delivery
from fhir_export.push.memory import MemoryRecord
from fhir_export.push.port import Answer, Capability, Ending, Identity, Outgoing, Record, RecordUnavailable
from ingest.ledger.schema import DELIVERY, FEED
from tests.push.shelf import HERE, Clock, Shelf, observation

Delivers = Callable[[Record], Delivery]
Settle = Callable[[Delivery], None]


def refusing(
    status: int, *ids: str, issues: tuple[str, ...] = (), fhir: bool = True
) -> Callable[[Outgoing], Answer | None]:
    """Answer these ids (all, if none is named) with a status."""
    said = Answer(Ending.ANSWERED, status, fhir=fhir, issues=issues)
    return lambda one: said if not ids or one.id in ids else None


def test_everything_due_arrives_once_and_is_confirmed(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """Each resource is sent once, its bytes unchanged, and each reading is confirmed once with its device."""
    due, record = shelf.readings(200), MemoryRecord()
    settle(delivers(record))
    assert record.versions == {one.identity: [one.body] for one in due}
    assert set(record.sent.values()) == {1}
    assert shelf.waiting() == {}
    assert shelf.delivered() == list(range(1, len(due) + 1))
    assert sorted(shelf.confirmed()) == [(n, "bp7-0001") for n in range(1, 201)]


def test_many_rounds_send_nothing_twice(
    shelf: Shelf, delivers: Delivers, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one round delivered is on disk before the next one looks."""
    monkeypatch.setattr(rows, "ROUND", 50)
    due, record = shelf.readings(150), MemoryRecord()
    settle(delivers(record))
    assert record.versions == {one.identity: [one.body] for one in due}
    assert set(record.sent.values()) == {1}


def test_a_row_that_changed_while_it_was_on_its_way_is_sent_once_more(
    shelf: Shelf, delivers: Delivers, settle: Settle
) -> None:
    """Another process marked it, because a later version may have gone out before: it is not taken for delivered."""
    shelf.add(observation("a"))
    marked = DELIVERY.update().values(tries=DELIVERY.c.tries + 1)

    def mark(_: Outgoing) -> None:
        shelf.file.writer.write(lambda c: c.execute(marked))

    record = MemoryRecord(afterwards=mark)
    delivery = delivers(record)
    delivery.step()
    assert shelf.delivered() == []
    record.afterwards = None
    settle(delivery)
    assert (shelf.delivered(), record.sent.total()) == ([1], 2)


def test_nothing_goes_before_what_it_refers_to(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """Whatever a resource refers to was taken in an earlier request."""
    record = Recorder()
    shelf.readings(150)
    settle(delivers(record))
    assert record.unknown == []


def test_a_round_without_work_asks_for_a_pause(shelf: Shelf, delivers: Delivers) -> None:
    """When nothing is due the loop may sleep, and the record is not spoken to."""
    record = MemoryRecord()
    assert delivers(record).step().wait_s == pytest.approx(delivery_module.IDLE_S)
    assert record.calls == []


def test_a_refused_resource_is_parked_and_the_rest_arrives(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """One of many is refused: it waits with its code, the others are there, its reading is not confirmed."""
    shelf.readings(60)
    record = MemoryRecord(instead=refusing(422, "r7-heart-rate", issues=("invalid",)))
    delivery = delivers(record)
    for _ in range(20):
        delivery.step()
    assert shelf.waiting() == {
        "r7-heart-rate": ("parked", "record.refused:invalid"),
        "r7-provenance": ("due", "record.waits"),
    }
    assert sorted(reading for reading, _ in shelf.confirmed()) == [n for n in range(1, 61) if n != 8]


def test_a_refused_batch_is_halved_to_the_culprit(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """A server that refuses the whole of a batch gets halves, until the one it means is alone."""
    with shelf.together():
        for n in range(100):
            shelf.add({"resourceType": "Observation", "id": f"o{n}"})
    record = WholeOrNothing(400, "o37")
    settle(delivers(record))
    assert shelf.waiting() == {"o37": ("parked", "record.refused:structure")}
    assert len(record.versions) == 99
    assert len(record.calls) < 20


def test_a_batch_that_is_too_large_is_halved(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """413 is no refusal of any resource: all arrive, in smaller requests."""
    with shelf.together():
        for n in range(40):
            shelf.add({"resourceType": "Observation", "id": f"o{n}"})
    record = Narrow(12)
    settle(delivers(record))
    assert (len(record.versions), shelf.waiting()) == (40, {})


@pytest.mark.parametrize(("status", "code"), [(403, "record.forbidden"), (404, "record.gone"), (410, "record.gone")])
def test_what_needs_a_person_is_parked(
    shelf: Shelf, delivers: Delivers, settle: Settle, status: int, code: str
) -> None:
    """Scope, consent, a patient merged there: parked under its code, and not sent again."""
    shelf.add(observation("a"))
    record = MemoryRecord(instead=refusing(status))
    settle(delivers(record))
    assert shelf.waiting() == {"a": ("parked", code)}
    assert record.sent.total() == 1


def test_a_refused_token_parks_nothing(shelf: Shelf, delivers: Delivers, clock: Clock) -> None:
    """After 401 the circuit is open: rows stay as they were, and the record is left alone for a while."""
    shelf.readings(50)
    record = MemoryRecord(instead=refusing(401))
    delivery = delivers(record)
    step = delivery.step()
    health = delivery.health()
    assert (health.code, health.backlog.due, health.backlog.parked) == ("record.unauthorized", 152, 0)
    assert step.wait_s > 0
    delivery.step()
    assert len(record.calls) == 1
    clock.pass_by(step.wait_s)
    record.instead = None
    delivery.step()
    assert delivery.health().code is None


def test_the_whole_destination_waits_as_long_as_asked(shelf: Shelf, delivers: Delivers, clock: Clock) -> None:
    """Retry-After holds for everything, is never cut short below the cap, and a little chance is added."""
    shelf.readings(50)
    busy = Answer(Ending.ANSWERED, 503, retry_after=40.0)
    record = MemoryRecord(instead=lambda _: busy)
    delivery = delivers(record)
    assert 40.0 <= delivery.step().wait_s <= 44.0
    clock.pass_by(39.0)
    delivery.step()
    assert len(record.calls) == 1
    record.instead = lambda _: Answer(Ending.ANSWERED, 429, retry_after=86_400.0)
    clock.pass_by(5.1)
    assert 300.0 <= delivery.step().wait_s <= 330.0


def test_an_outage_writes_nothing_and_ends_by_itself(
    shelf: Shelf, delivers: Delivers, clock: Clock, settle: Settle
) -> None:
    """While nobody listens no row changes, the pauses grow to five minutes at most, and then all arrives."""
    shelf.readings(30)
    record = MemoryRecord(instead=lambda _: Answer(Ending.UNSENT))
    delivery, pauses = delivers(record), []
    for _ in range(60):
        pauses.append(delivery.step().wait_s)
        clock.pass_by(pauses[-1] + 0.001)
    assert max(pauses) <= 300
    assert max(pauses[-20:]) > 30
    assert {state for state, _ in shelf.waiting().values()} == {"due"}
    assert {answer for _, answer in shelf.waiting().values()} == {None}
    assert delivery.health().code == "record.unreachable"
    record.instead = None
    settle(delivery)
    assert shelf.waiting() == {}


def test_rows_of_a_lost_batch_keep_their_place(shelf: Shelf, delivers: Delivers) -> None:
    """When no answer comes for many, the destination waits; the rows stay first in the queue."""
    shelf.readings(30)
    lost = MemoryRecord(instead=lambda _: Answer(Ending.LOST))
    delivers(lost).step()
    with shelf.file.readers.connect() as connection:
        rows = connection.execute(select(DELIVERY.c.tries, DELIVERY.c.next_try)).all()
    assert {tuple(row) for row in rows} == {(0, 1), (1, 1)}


def test_a_resource_that_someone_else_wrote_is_counted(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """A first version that becomes the record's second one is delivered, and raises the count to alarm on."""
    sent = shelf.add(observation("a"))
    record = MemoryRecord()
    record.versions[sent.identity] = [b'{"resourceType":"Observation","id":"a"}']
    delivery = delivers(record)
    settle(delivery)
    assert (shelf.delivered(), delivery.counts.already_there) == ([1], 1)


def test_one_resource_that_kills_the_server_does_not_stop_the_rest(
    shelf: Shelf, delivers: Delivers, clock: Clock
) -> None:
    """A resource after which no answer ever comes ends up alone, with pauses of its own."""
    with shelf.together():
        for n in range(150):
            shelf.add({"resourceType": "Observation", "id": f"o{n}"})
    record = Dying("o50")
    delivery = delivers(record)
    for _ in range(30):
        clock.pass_by(delivery.step().wait_s + 0.001)
    assert set(shelf.waiting()) == {"o50"}
    assert len(record.versions) == 149


def test_a_parked_row_blocks_nobody(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """A thousand rows that wait for a person, and rows that refer to them, leave the way free."""
    with shelf.together():
        for n in range(1000):
            shelf.add({"resourceType": "Observation", "id": f"p{n}"}, parked="patient.not_linked")
            shelf.add({"resourceType": "Provenance", "id": f"v{n}", "target": [{"reference": f"Observation/p{n}"}]})
    last = shelf.add(observation("last"))
    record = MemoryRecord()
    delivery = delivers(record)
    for _ in range(4):
        delivery.step()
    assert record.versions == {last.identity: [last.body]}


def test_versions_go_one_after_the_other(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """Three versions of one resource arrive in their order, none of them left out."""
    bodies = [
        shelf.add({"resourceType": "Observation", "id": "a", "status": s}).body for s in ("final", "amended", "x")
    ]
    record = MemoryRecord()
    settle(delivers(record))
    assert record.versions == {("Observation", "a"): bodies}


def test_a_later_version_waits_for_a_parked_one(shelf: Shelf, delivers: Delivers) -> None:
    """While the first version is parked, the second is not sent."""
    shelf.add({"resourceType": "Observation", "id": "a", "status": "final"}, parked="record.refused:value")
    shelf.add({"resourceType": "Observation", "id": "a", "status": "amended"})
    record = MemoryRecord()
    delivers(record).step()
    assert record.calls == []


@pytest.mark.parametrize("status", [409, 412])
def test_a_conflict_over_the_same_content_is_a_success(
    shelf: Shelf, delivers: Delivers, settle: Settle, status: int
) -> None:
    """The record holds it already, with what servers add: delivered."""
    sent = shelf.add(observation("a"))
    record = MemoryRecord(instead=refusing(status))
    held = sent.body.replace(b'"status"', b'"meta":{"versionId":"4","source":"#x1"},"status"')
    record.versions[sent.identity] = [held]
    settle(delivers(record))
    assert (shelf.waiting(), shelf.delivered()) == ({}, [1])


def test_a_conflict_over_other_content_is_parked(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """Someone else's content under our id is for a person to look at."""
    sent = shelf.add(observation("a"))
    record = MemoryRecord(instead=refusing(409))
    record.versions[sent.identity] = [sent.body.replace(b"36.60", b"36.6")]
    settle(delivers(record))
    assert shelf.waiting() == {"a": ("parked", "record.conflict")}


def test_a_conflict_over_nothing_is_sent_again(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """Where a read finds nothing, the same bytes go again."""
    shelf.add(observation("a"))
    record = MemoryRecord(instead=refusing(409))
    delivery = delivers(record)
    delivery.step()
    assert shelf.waiting() == {"a": ("due", "record.conflict")}
    record.instead = None
    settle(delivery)
    assert shelf.delivered() == [1]


def test_a_success_that_names_nothing_is_looked_up(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """An empty 200 counts once the resource is seen to be there."""
    shelf.add(observation("a"))
    record = MemoryRecord(afterwards=lambda _: Answer(Ending.ANSWERED, 200, empty=True))
    settle(delivers(record))
    assert (shelf.delivered(), record.sent.total()) == ([1], 1)


def test_a_record_that_refuses_our_ids_gets_nothing(shelf: Shelf, delivers: Delivers) -> None:
    """It is not tried: every resource would be refused and parked."""
    shelf.add(observation("a"))
    record = MemoryRecord(Capability(batch=True, lacks=("record.client_ids",)))
    delivery = delivers(record)
    delivery.step()
    assert (record.calls, delivery.health().code) == ([], "record.client_ids")


def test_a_record_that_does_not_tell_what_it_does_is_asked_again(
    shelf: Shelf, delivers: Delivers, settle: Settle
) -> None:
    """Until its CapabilityStatement was read nothing is sent; then all is."""
    shelf.add(observation("a"))
    record = Mute(3)
    settle(delivers(record))
    assert (record.asked, shelf.delivered()) == (4, [1])


def test_without_batches_resources_go_in_groups_of_single_requests(
    shelf: Shelf, delivers: Delivers, settle: Settle
) -> None:
    """The record is given at most twenty at once, so that outcomes are written down soon."""
    shelf.readings(30)
    record = MemoryRecord(Capability(batch=False))
    settle(delivers(record))
    assert (max(record.calls), shelf.waiting()) == (20, {})


def test_an_altered_feed_row_is_not_sent(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """A body that is not what was written is parked, whatever it says now."""
    shelf.add(observation("a"))
    shelf.add(observation("b"))
    change = FEED.update().where(FEED.c.id == "a").values(body=b'{"resourceType":"Observation","id":"a"}')
    shelf.file.writer.write(lambda c: c.execute(change))
    record = MemoryRecord()
    settle(delivers(record))
    assert shelf.waiting() == {"a": ("parked", delivery_module.ALTERED)}
    assert set(record.versions) == {("Observation", "b")}


def test_a_reading_is_confirmed_once_for_all_its_versions(shelf: Shelf, delivers: Delivers, settle: Settle) -> None:
    """A later version of a confirmed reading's resource makes no second confirmation."""
    reading = shelf.journals("bp7-0001")
    record = MemoryRecord()
    delivery = delivers(record)
    shelf.add({"resourceType": "Observation", "id": "a", "status": "final"}, reading=reading)
    settle(delivery)
    shelf.add({"resourceType": "Observation", "id": "a", "status": "entered-in-error"}, reading=reading)
    settle(delivery)
    assert shelf.confirmed() == [(reading, "bp7-0001")]


def test_only_the_primary_destination_confirms(shelf: Shelf, clock: Clock, settle: Settle) -> None:
    """A further destination empties its own rows, and tells devices nothing."""
    reading = shelf.journals("bp7-0001")
    shelf.add(observation("a"), reading=reading, destination="second")
    settle(Delivery(shelf.file, "second", MemoryRecord(), clock, lambda: 0.5, confirms=False))
    assert (shelf.waiting(), shelf.confirmed()) == ({}, [])


def test_two_exporters_at_once_leave_each_content_once(shelf: Shelf, clock: Clock) -> None:
    """Both send the same bytes under the same ids: one version each, every reading confirmed once."""
    due, record = shelf.readings(100), MemoryRecord()
    both = [Delivery(shelf.file, HERE, record, clock, lambda: 0.5) for _ in range(2)]
    threads = [threading.Thread(target=lambda d=d: [d.step() for _ in range(20)]) for d in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert record.versions == {one.identity: [one.body] for one in due}
    assert (shelf.waiting(), len(shelf.confirmed())) == ({}, 100)


def test_an_overtaken_version_is_put_right(shelf: Shelf, clock: Clock, settle: Settle) -> None:
    """A slow exporter's first version lands on another's second one: the second is sent once more."""
    first = shelf.add({"resourceType": "Observation", "id": "a", "status": "final"})
    second = shelf.add({"resourceType": "Observation", "id": "a", "status": "amended"})
    record = MemoryRecord()
    quick = Delivery(shelf.file, HERE, record, clock, lambda: 0.5)
    slow = Delivery(shelf.file, HERE, Overtaken(record, lambda: settle(quick)), clock, lambda: 0.5)
    slow.step()
    assert record.versions[first.identity] == [first.body, second.body, first.body]
    settle(quick)
    assert record.versions[first.identity][-1] == second.body
    assert shelf.waiting() == {}


def test_health_tells_the_age_of_what_waits(shelf: Shelf, delivers: Delivers) -> None:
    """Counts by state, and since when the oldest due row waits."""
    shelf.add(observation("a"), parked="patient.not_linked")
    shelf.add(observation("b"))
    shelf.file.writer.write(lambda c: c.execute(DELIVERY.update().where(DELIVERY.c.id == "b").values(due_at=77)))
    backlog = delivers(MemoryRecord()).health().backlog
    assert (backlog.due, backlog.parked, backlog.oldest) == (1, 1, 77)


def test_a_loop_that_is_told_to_stop_ends_within_a_round(shelf: Shelf, clock: Clock) -> None:
    """After the request that is on its way, whose outcomes are written; the rest stays due."""
    shelf.readings(200)
    stop, record = threading.Event(), MemoryRecord()
    record.afterwards = lambda _: stop.set()
    Delivery(shelf.file, HERE, record, clock, lambda: 0.5).run(stop)
    assert (len(record.calls), len(shelf.delivered())) == (1, record.calls[0])


def test_a_woken_loop_delivers_at_once_and_stops_when_told(
    shelf: Shelf, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread sleeps while nothing is due, wakes when told that something is, and ends."""
    monkeypatch.setattr(delivery_module, "IDLE_S", 30.0)
    record = MemoryRecord()
    delivery, stop = Delivery(shelf.file, HERE, record, clock, lambda: 0.5), threading.Event()
    thread = threading.Thread(target=delivery.run, args=(stop,))
    thread.start()
    shelf.add(observation("a"))
    delivery.wake.set()
    until = time.monotonic() + 10
    while not shelf.delivered() and time.monotonic() < until:
        time.sleep(0.005)
    stop.set()
    delivery.wake.set()
    thread.join(10)
    assert (shelf.delivered(), thread.is_alive()) == ([1], False)


class Recorder(MemoryRecord):
    """Notes references to what no earlier request has brought."""

    def __init__(self) -> None:
        super().__init__()
        self.unknown: list[str] = []

    def send(self, outgoing: Sequence[Outgoing]) -> Sequence[Answer]:
        """Look first, then take."""
        for one in outgoing:
            tree = json.loads(one.body)
            for link in [tree.get("subject"), tree.get("device"), *tree.get("target", ())]:
                if link and tuple(link["reference"].split("/")) not in self.versions:
                    self.unknown.append(link["reference"])
        return super().send(outgoing)


class WholeOrNothing(MemoryRecord):
    """Refuses every request with a certain resource in it, as a whole."""

    def __init__(self, status: int, culprit: str) -> None:
        super().__init__()
        self._status, self._culprit = status, culprit

    def send(self, outgoing: Sequence[Outgoing]) -> Sequence[Answer]:
        """All or nothing."""
        if any(one.id == self._culprit for one in outgoing):
            self.calls.append(len(outgoing))
            shared = len(outgoing) > 1
            said = Answer(Ending.ANSWERED, self._status, shared=shared, fhir=True, issues=("structure",))
            return [said] * len(outgoing)
        return super().send(outgoing)


class Narrow(MemoryRecord):
    """Takes no more than so many at once."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def send(self, outgoing: Sequence[Outgoing]) -> Sequence[Answer]:
        """413 for more."""
        if len(outgoing) > self._most:
            return [Answer(Ending.ANSWERED, 413, shared=True)] * len(outgoing)
        return super().send(outgoing)


class Dying(MemoryRecord):
    """Gives no answer to any request with a certain resource in it."""

    def __init__(self, culprit: str) -> None:
        super().__init__()
        self._culprit = culprit

    def send(self, outgoing: Sequence[Outgoing]) -> Sequence[Answer]:
        """Nothing, or as usual."""
        if any(one.id == self._culprit for one in outgoing):
            return [Answer(Ending.LOST, shared=len(outgoing) > 1)] * len(outgoing)
        return super().send(outgoing)


class Mute(MemoryRecord):
    """Does not tell what it does until it was asked so often."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._times, self.asked = times, 0

    def capability(self) -> Capability:
        """Silence, then the answer."""
        self.asked += 1
        if self.asked <= self._times:
            raise RecordUnavailable("record.portal")
        return super().capability()


class Overtaken:
    """A line so slow that something else happens while a request is under way."""

    def __init__(self, record: MemoryRecord, meanwhile: Callable[[], None]) -> None:
        self._record, self._meanwhile = record, meanwhile

    def capability(self) -> Capability:
        """The record's."""
        return self._record.capability()

    def send(self, outgoing: Sequence[Outgoing]) -> Sequence[Answer]:
        """Late."""
        self._meanwhile()
        return self._record.send(outgoing)

    def read(self, identity: Identity, most: int) -> bytes | None:
        """The record's."""
        return self._record.read(identity, most)
