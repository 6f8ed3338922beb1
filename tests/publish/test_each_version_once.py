"""Whatever happens to readings, devices, clocks and processes: each reader sees each version of each resource once."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Connection, Row, select, text

from fhir_export.destinations import Destination, Dispatch
from fhir_export.mapping import gateway_id
from fhir_export.model import Deployment, decode
from fhir_export.publish import Publisher
from fhir_export.push import outcomes, rows
from ingest.judge import judge
from ingest.ledger.belonging import FOLDER
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.ledger.port import Item, State, Told
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.schema import DUE, FEED, META
from ingest.ledger.verify import verify
from ingest.model import Channel, DeviceStatus, Facts, Outcome, RawMessage
from registry import assignments, devices, people
from registry.faults import Conflict, Unfit
from registry.model import Assignment, Patient
from tests.publish.between import Cut, between, cut
from tests.support.engines import Place, place
from tests.support.ledgers import NOW, STREAM, body

MINUTE = 60_000_000
DEVICES = ("bp-0001", "bp-0002")
GATEWAY = gateway_id("constantes")
PATIENTS = ("p1", "p2")
DESTINATIONS = (Destination("looks-up"), Destination("writes", "write"))
ATTRIBUTED_OR_NOT = """
SELECT r.position, r.reading, r.flags,
  (SELECT patient FROM attribution a WHERE a.position = r.position AND a.retracted_at IS NULL) AS patient,
  (SELECT used_at FROM attribution a WHERE a.position = r.position AND a.retracted_at IS NULL) AS used_at,
  (SELECT count(*) FROM attribution a WHERE a.position = r.position AND a.retracted_at IS NULL) AS held,
  (SELECT count(*) FROM attribution a WHERE a.position = r.position) AS ever,
  (SELECT why FROM inbox i WHERE i.position = r.position) AS why
FROM reading r
"""

# Most of what happens concerns one device, one clock and a few minutes: only then do things get in each other's way.
device_names = st.sampled_from([*DEVICES[:1] * 3, *DEVICES])
patient_names = st.sampled_from(PATIENTS)
seqs = st.integers(0, 40)
minutes = st.integers(0, 6)
epochs = st.sampled_from([0, 0, 7])
unclear = st.sampled_from([0, 7, 7])
sizes = st.sampled_from([1, 2, 50])
orders = st.sampled_from(
    [("retraction",), ("retraction", "reading"), ("reading", "retraction"), ("retraction", "reading", "retraction")]
)
readings = st.tuples(
    seqs, minutes, epochs, st.sampled_from([120, 120, 140, 999]), st.sampled_from([False, False, False, True])
)
"""seq, minute, clock epoch, systolic pressure (999 is impossible), whether it is a test."""


@dataclass
class Reader:
    """Someone who follows the feed by cursor."""

    seen: list[tuple[int, str, str, int]] = field(default_factory=list)

    def read(self, connection: Connection, limit: int) -> int:
        """Read the next versions; returns how many."""
        after = self.seen[-1][0] if self.seen else 0
        wanted = select(FEED.c.position, FEED.c.type, FEED.c.id, FEED.c.version).where(FEED.c.position > after)
        found = connection.execute(wanted.order_by(FEED.c.position).limit(limit)).all()
        self.seen += [(row.position, row.type, row.id, row.version) for row in found]
        return len(found)


@cache
def empty_ledger() -> Path:
    """A migrated ledger to copy: migrating takes a quarter of a second."""
    path = Path(tempfile.mkdtemp(prefix="each-version-")) / "ledger.sqlite"
    atexit.register(shutil.rmtree, path.parent)
    with open_ledger(path) as file:  # each copy belongs to a folder of its own
        file.writer.write(lambda connection: connection.execute(META.delete().where(META.c.name == FOLDER)))
    return path


def at(minute: int) -> str:
    """A time of measurement, as a device writes it."""
    then = datetime.fromtimestamp(NOW / 1e6, UTC) + timedelta(minutes=minute - 60)
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(minute: int) -> int:
    """The same in microseconds."""
    return NOW + (minute - 60) * MINUTE


class EachVersionOnce(RuleBasedStateMachine):
    """A ledger in use: everything that can happen to it, in any order."""

    # ------------------------------------------------------------ the world

    @initialize()
    def register(self) -> None:
        """Two devices and two patients are known, and three readers follow the feed."""
        self.folder = Path(tempfile.mkdtemp(prefix="each-version-"))
        self.generation = 0
        self.file = self.begun()
        self.now = NOW
        self.sent: dict[tuple[str, int], list[bytes]] = defaultdict(list)
        self.readers = [Reader() for _ in range(3)]
        self.feed: list[Row[Any]] = []
        self.versions: dict[tuple[str, str], int] = {}
        self.standing: dict[tuple[int, str], set[str]] = defaultdict(set)
        self.given_up: set[int] = set()
        self.next_seq = 100
        self.owed: set[tuple[str, int]] = set()
        self.followed: set[tuple[str, str, str]] = set()
        for name in DEVICES:
            new = devices.NewDevice(name, site="site-1")
            self.write(partial(devices.add, new=new, secret_hash="-", now=self.now))
        for name in PATIENTS:
            person = Patient(name, "EXEMPLE-FICTIF", ("Camille",), "1970-01-01", "unknown", test=True)
            self.write(partial(people.add, patient=person, now=self.now))
        self.commit(*(Told(name, self.now, "a1b2c3d4", STREAM, 0, epoch=0, synced=True) for name in DEVICES))
        first = Assignment("first", DEVICES[0], "p1", instant(1), instant(5))
        self.write(lambda connection: assignments.assign(connection, first, self.now))
        self.start_publisher()

    @property
    def path(self) -> Path:
        """The ledger in use: a crash goes on with a copy."""
        return self.folder / f"{self.generation}.sqlite"

    def begun(self) -> OpenLedger:
        """A new ledger."""
        shutil.copy(empty_ledger(), self.path)
        return open_ledger(self.path)

    def cut_off(self, old: OpenLedger) -> OpenLedger:
        """What another process finds after a power cut: a copy of the files as they lie on the disk."""
        before = self.path
        self.generation += 1
        for suffix in ("", "-wal"):
            if (there := before.with_name(before.name + suffix)).exists():
                shutil.copy(there, self.path.with_name(self.path.name + suffix))
        found = open_ledger(self.path)
        old.close()
        return found

    def write(self, job: Callable[[Connection], Any]) -> Any:  # noqa: ANN401 - what the job returns
        """One job of someone else's."""
        return self.file.writer.write(job)

    def start_publisher(self) -> None:
        """As after the start of a process."""
        self.dispatch = Dispatch(DESTINATIONS)
        self.write(lambda connection: self.dispatch.open(connection, self.now))
        self.publisher = self.made(self.file)

    def made(self, file: OpenLedger) -> Publisher:
        """A publisher on this file, with what the present one remembers."""
        return Publisher(file, Deployment("2.999.1"), self.dispatch, self.tick, disciplined=lambda: True)

    def tick(self) -> int:
        """The clock on the wall; it may be set back by a rule."""
        self.now += 1_000
        return self.now

    def commit(self, *items: Item) -> Any:  # noqa: ANN401 - answers
        """What the gateway does."""
        return RelationalLedger(self.file).commit(items, self.tick()).result(10)

    def judged(self, device: str, payload: bytes) -> Any:  # noqa: ANN401 - a judged message
        """What the gateway makes of bytes."""
        known = RelationalLedger(self.file).known({device}, 0)[device]
        raw = RawMessage(device, Channel.READING, payload, NOW)
        return judge(raw, Facts(NOW, DeviceStatus.ACTIVE, dict(known.clocks)))

    def teardown(self) -> None:
        """When all is quiet, everybody has seen everything, and what waits has a reason."""
        if not hasattr(self, "file"):
            return
        try:
            while self.publisher.step():
                pass
            self.holds()
            with self.file.readers.connect() as connection:
                for reader in self.readers:
                    while reader.read(connection, 3):
                        pass
                    assert reader.seen == [(row.position, row.type, row.id, row.version) for row in self.feed]
                self.doubts_are_real(connection)
                standing = {reading for (reading, _), ids in self.standing.items() if ids}
                assert not standing & self.given_up, "taken back, and there again"
                rest = connection.execute(select(FEED).order_by(FEED.c.position)).all()
                assert [tuple(row) for row in rest] == [tuple(row) for row in self.feed]
                assert not verify(connection).faults
        finally:
            self.file.close()
            shutil.rmtree(self.folder)

    # ------------------------------------------------------------ what devices do

    @rule(device=device_names, sent=st.lists(readings, min_size=1, max_size=4))
    def measure(self, device: str, sent: list[tuple[int, int, int, int, bool]]) -> None:
        """New readings, or others under the same key; sometimes impossible, sometimes a test."""
        for seq, minute, epoch, systolic, test in sent:
            self.take(device, seq, minute, epoch, systolic, test=test)

    def take(self, device: str, seq: int, minute: int, epoch: int, systolic: int = 120, *, test: bool = False) -> None:
        """The gateway takes one reading."""
        more: dict[str, Any] = {"taken_at": at(minute), "clock": epoch} | ({"flags": ["test"]} if test else {})
        payload = json.dumps(body(seq, systolic, **more)).encode()
        known = self.sent[device, seq]
        judged = self.judged(device, payload)
        (kept,) = self.commit(judged)
        assert kept.repeat == (payload in known)
        assert known or kept.outcome is judged.verdict.outcome
        assert kept.repeat or not known or kept.outcome is Outcome.QUARANTINED
        known.append(payload)

    @precondition(lambda self: any(self.sent.values()))
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """Messages come again, in one batch, spelt otherwise."""
        known = [(device, payload) for (device, _), sent in self.sent.items() for payload in sent]
        again = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=4))
        items = [self.judged(device, json.dumps(json.loads(payload), indent=1).encode()) for device, payload in again]
        assert all(kept.repeat for kept in self.commit(*items))

    @rule(device=device_names, epoch=unclear, synced=st.booleans(), firmware=st.sampled_from(["1", "2"]))
    def hello(self, device: str, epoch: int, synced: bool, firmware: str) -> None:  # noqa: FBT001 - drawn
        """The device connects: its firmware may have changed, its clock may be known to be right."""
        self.commit(Told(device, self.now, "a1b2c3d4", STREAM, 6, firmware=firmware, epoch=epoch, synced=synced))

    @rule(device=device_names, epoch=unclear, wrong_by=st.sampled_from([0, -5, 5, 2_000_000]))
    def echo(self, device: str, epoch: int, wrong_by: int) -> None:
        """The device's clock is measured."""
        self.commit(State(device, self.now, epoch=epoch, offset=wrong_by * MINUTE, uncertainty=MINUTE // 60))

    # ------------------------------------------------------------ what people do

    @rule(device=device_names, patient=patient_names, start=minutes, length=st.sampled_from([2, 6, 99]))
    def assign(self, device: str, patient: str, start: int, length: int) -> None:
        """A device is given to a patient, now or back in time."""
        end = None if length == 99 else instant(start + length)
        made = Assignment(assignments.new_id(), device, patient, instant(start), end)
        with suppress(Conflict):
            self.write(lambda connection: assignments.assign(connection, made, self.now))

    @rule(device=device_names, minute=minutes)
    def take_away(self, device: str, minute: int) -> None:
        """The device is handed back."""
        with self.file.readers.connect() as connection:
            held = assignments.listed(connection, device=device)
        for each in held[:1]:
            with suppress(Conflict, Unfit):
                self.write(partial(assignments.end, assignment=each.assignment, at=instant(minute)))

    @precondition(lambda self: any(self.standing.values()))
    @rule(data=st.data(), words=orders)
    def take_back(self, data: st.DataObject, words: tuple[str, ...]) -> None:
        """A published reading was wrong, or is to be attributed anew; somebody may change his mind."""
        with self.file.readers.connect() as connection:
            held = connection.execute(text("SELECT position FROM attribution WHERE retracted_at IS NULL")).scalars()
            published = sorted(set(held) - self.given_up)
        if published:
            position = data.draw(st.sampled_from(published))
            for what in words:
                row = DUE.insert().values(what=what, ref=str(position))
                self.write(partial(Connection.execute, statement=row))
            (self.given_up.add if words[-1] == "retraction" else self.given_up.discard)(position)

    # ------------------------------------------------------------ what processes do

    @rule(most=sizes)
    def publish(self, most: int) -> None:
        """The publisher does a round."""
        self.publisher.step(most)

    @rule(
        most=sizes, device=device_names, patient=patient_names, minute=minutes, epoch=epochs, what=st.integers(0, 5),
        seq=seqs,
    )  # fmt: skip
    def publish_while_things_change(
        self, most: int, device: str, patient: str, minute: int, epoch: int, what: int, seq: int
    ) -> None:
        """Something happens between what the publisher sees of a new reading and what it writes."""
        while self.publisher.step():
            pass
        self.next_seq += 1
        self.take(device, self.next_seq, minute, epoch)
        happens: list[Callable[[], object]] = [
            lambda: self.assign(device, patient, minute, 99),
            lambda: self.take_away(device, minute),
            lambda: self.hello(device, epoch, synced=True, firmware="3"),
            lambda: self.echo(device, epoch, 5),
            lambda: self.made(self.file).step(most),
            lambda: self.take(device, seq + 1, minute, epoch),
        ]
        self.made(between(self.file, before=happens[what])).step(most)

    @rule(
        most=sizes, where=st.sampled_from(["before", "inside", "after"]), restart=st.booleans(), device=device_names,
        patient=patient_names, minute=minutes, seq=seqs,
    )  # fmt: skip
    def crash(
        self,
        most: int,
        where: str,
        restart: bool,  # noqa: FBT001 - drawn
        device: str,
        patient: str,
        minute: int,
        seq: int,
    ) -> None:
        """A round is cut off; the process starts again on what is on disk, or goes on."""
        self.assign(device, patient, minute, 2)
        self.take(device, seq, minute, 0)
        with suppress(Cut):
            self.made(between(self.file, **{where: cut})).step(most)
        if restart:
            self.power_cut()

    def power_cut(self) -> None:
        """Go on with what is on the disk, without any closing word."""
        self.file = self.cut_off(self.file)
        self.start_publisher()

    @rule(destination=st.sampled_from(DESTINATIONS), count=st.integers(1, 5))
    def deliver(self, destination: Destination, count: int) -> None:
        """A destination confirms some of what is due there."""
        with self.file.readers.connect() as connection:
            due = rows.due(connection, destination.name, self.now + MINUTE)[:count]
        done = [outcomes.Delivered(each, "1") for each in due]
        if done:
            self.write(lambda c: outcomes.settle(c, destination.name, done, self.now, confirms=True))

    @rule(which=st.integers(0, 2), limit=st.integers(1, 5))
    def read(self, which: int, limit: int) -> None:
        """A reader takes a page."""
        with self.file.readers.connect() as connection:
            self.readers[which].read(connection, limit)

    @rule(back=st.sampled_from([1, 3_600]))
    def set_the_clock_back(self, back: int) -> None:
        """The clock on the wall is corrected."""
        self.now -= back * 1_000_000

    # ------------------------------------------------------------ what always holds

    @invariant()
    def holds(self) -> None:
        """The feed is in order, and every reading is somewhere."""
        if not hasattr(self, "publisher"):
            return
        with self.file.readers.connect() as connection:
            last = self.feed[-1].position if self.feed else 0
            for row in connection.execute(select(FEED).where(FEED.c.position > last).order_by(FEED.c.position)):
                self.follows(row)
            newest = {(row.type, row.id): row for row in connection.execute(text("SELECT * FROM resource"))}
            assert {key: row.version for key, row in newest.items()} == self.versions
            assert all(self.feed[r.position - 1][1:4] == (r.type, r.id, r.version) for r in newest.values())
            # A device has a site, and so has all that comes from it, what is taken back too.
            placed = [row for row in newest.values() if row.type != "Patient" and row.id != GATEWAY]
            assert {row.site for row in placed} <= {"site-1"}
            self.deliveries(connection)
            self.readings(connection)

    def follows(self, row: Row[Any]) -> None:
        """One more version, behind all the others."""
        key = (row.type, row.id)
        assert row.position == len(self.feed) + 1
        assert row.version == self.versions.get(key, 0) + 1
        assert not self.feed or row.at >= self.feed[-1].at
        resource = decode(row.body).body
        if row.type == "Provenance":
            self.tells(row, resource)
        elif row.reading is not None:
            assert ("Patient", row.patient) in self.versions
            assert ("Device", row.device) in self.versions
            assert resource["subject"]["reference"] == f"Patient/{row.patient}"
            slug = row.id[33:].split("-")[0]
            standing = self.standing[row.reading, slug]
            (standing.discard if resource["status"] == "entered-in-error" else standing.add)(row.id)
            assert len(standing) <= 1
        self.feed.append(row)
        self.versions[key] = row.version
        self.owe(row)

    def tells(self, row: Row[Any], resource: dict[str, Any]) -> None:
        """A Provenance comes once, after what it is about: standing when it was made, taken back when that was."""
        assert row.version == 1
        assert ("Device", GATEWAY) in self.versions
        taken_back = resource["activity"]["coding"][0]["code"] == "NULLIFY"
        assert ("-retraction-" in row.id) == taken_back
        standing = {id_ for (reading, _), ids in self.standing.items() if reading == row.reading for id_ in ids}
        targets = {target["reference"].removeprefix("Observation/") for target in resource["target"]}
        assert (standing & targets) == (set() if taken_back else targets)
        assert all(("Observation", target) in self.versions for target in targets)

    def owe(self, row: Row[Any]) -> None:
        """Who has to get this version, by the rules of ``fhir_export.destinations`` told otherwise."""
        for destination in DESTINATIONS:
            name = destination.name
            refers = [("Device", row.device), ("Device", GATEWAY)]
            refers += [("Patient", row.patient)] * (destination.patients == "write")
            if row.reading is None and (name, row.type, row.id) in self.followed:
                self.owed.add((name, row.position))
            for type_, id_ in refers if row.reading is not None else ():
                if (name, type_, id_) not in self.followed:
                    self.followed.add((name, type_, id_))
                    newest = max(r.position for r in self.feed if (r.type, r.id) == (type_, id_))
                    self.owed.add((name, newest))
            if row.reading is not None:
                self.owed.add((name, row.position))

    def deliveries(self, connection: Connection) -> None:
        """Each version is due, or was delivered, once to everyone who should have it."""
        found = connection.execute(
            text("SELECT destination, position FROM delivery UNION ALL SELECT destination, position FROM delivered")
        ).all()
        assert sorted(tuple(row) for row in found) == sorted(self.owed)

    def readings(self, connection: Connection) -> None:
        """Each reading belongs to somebody, waits for somebody, was taken back, or was not looked at yet."""
        cursor = connection.execute(text("SELECT position FROM cursor WHERE name = 'publish'")).scalar() or 0
        covering = text("""SELECT 1 FROM assignment a JOIN reading r ON r.device = a.device
            WHERE r.position = :position AND a.patient = :patient
            AND a.start <= :used AND (a.end IS NULL OR :used < a.end)""")
        for row in connection.execute(text(ATTRIBUTED_OR_NOT)).all():
            assert row.held <= 1
            assert row.held + (row.why is not None) <= 1
            assert row.ever or row.why or row.position > cursor, "lost between the journal, the inbox and the record"
            standing = [id_ for (reading, _), ids in self.standing.items() if reading == row.position for id_ in ids]
            assert len([id_ for id_ in standing if "-clock" not in id_]) == row.held
            for id_ in standing:
                newest = self.feed[max(r.position for r in self.feed if r.id == id_) - 1]
                assert newest.patient == row.patient
                facts = {"position": row.position, "patient": row.patient, "used": row.used_at}
                assert connection.execute(covering, facts).first(), "attributed to somebody who did not have the device"

    def doubts_are_real(self, connection: Connection) -> None:
        """Nothing waits for a person that the registry and the clocks can answer."""
        waiting = connection.execute(
            text("""SELECT i.position, i.why, r.device, r.clock, r.used_at, r.mark, r.uncertainty, r.flags,
            c.synced, c.offset, c.uncertainty AS half FROM inbox i JOIN reading r ON r.position = i.position
            LEFT JOIN clock c ON c.device = r.device AND c.epoch = r.clock""")
        ).all()
        for row in waiting:
            used, around = row.used_at, row.uncertainty or 0
            if row.mark == "unverified" and row.offset is not None:
                used, around = used + (row.offset if abs(row.offset) > 2 * MINUTE else 0), row.half
            known = row.mark != "unverified" or (row.synced or row.offset is not None)
            plausible = 1_420_070_400_000_000 <= used <= NOW + 5 * MINUTE
            held = assignments.listed(connection, device=row.device)
            holds = {a.patient for a in held if a.start <= used - around and (a.end is None or used + around < a.end)}
            assert row.flags or not known or not plausible or not holds, row.why


EachVersionOnce.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestEachVersionOnce = EachVersionOnce.TestCase


class EachVersionOnceInPostgres(EachVersionOnce):
    """The same in a database, which outlives its clients."""

    place: ClassVar[Place]

    def begun(self) -> OpenLedger:
        """The database, emptied."""
        assert self.place.clear()
        return self.place.open()

    def cut_off(self, old: OpenLedger) -> OpenLedger:
        """Every line to the database is cut."""
        assert self.place.cut()
        found = self.place.open()
        old.close()
        return found


@pytest.fixture
def _in_a_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    with place(request, "postgres", tmp_path) as EachVersionOnceInPostgres.place:
        yield


EachVersionOnceInPostgres.TestCase.settings = settings(
    EachVersionOnce.TestCase.settings, max_examples=8, stateful_step_count=30
)
TestEachVersionOnceInPostgres = pytest.mark.services(
    pytest.mark.usefixtures("_in_a_database")(EachVersionOnceInPostgres.TestCase)
)
