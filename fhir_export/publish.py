"""From accepted readings to resource versions: attribute, map once, append to the feed, make deliveries due.

Comes in: new journal rows, and what became due again (an assignment made later, a clock settled, a person changed).
Goes out: rows of ``feed``, ``delivery``, ``attribution`` and ``inbox``, and the cursor, in one transaction. Refuses to
know: HTTP, who reads the feed. The sole caller of ``fhir_export.mapping``.

Mapping is done before the transaction, so that the gateway's commits never wait for it. What a person or device could
change in between is looked at again inside it: a reading that goes to the inbox just as its assignment is made is due
again, and never forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from threading import Event

from sqlalchemy import Connection, select

from fhir_export import mapping
from fhir_export.destinations import Dispatch
from fhir_export.feed import Version, append
from fhir_export.model import Deployment, NotFhir, Resource, decode, validated
from ingest.clock import settle
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.files import LedgerFile
from ingest.ledger.readings import Accepted, accepted
from ingest.ledger.schema import ATTRIBUTION, CLOCK, CURSOR, DUE, FEED, READING, RESOURCE
from ingest.ledger.sqlite import named_faults
from ingest.model import ClockFacts, Instant, TimeMark, Timing
from registry import assignments, devices, people
from registry.attribution import Doubt, attribute
from registry.model import Attributed, Device

CURSOR_NAME = "publish"
MAPPING_REFUSED = "mapping.refused"
"""In the inbox: what was built from it was not FHIR. A defect of ours; the reading is kept and waits for the mend."""

_ROUND = 50  # readings a round: about 50 ms of mapping, and a transaction of a few
_IDLE_S = 0.1


@dataclass(slots=True)
class _Round:
    """What one round found and built, before it is written."""

    cursor: int
    due: list[int] = field(default_factory=list)
    registry: list[Version] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    attributed: list[tuple[Accepted, Attributed, Timing]] = field(default_factory=list)
    doubtful: list[tuple[Accepted, str]] = field(default_factory=list)
    retracted: list[int] = field(default_factory=list)


class Publisher:
    """One loop over one ledger; one process at a time publishes."""

    def __init__(
        self,
        file: LedgerFile,
        deployment: Deployment,
        dispatch: Dispatch,
        now: Callable[[], Instant],
        *,
        disciplined: bool,
    ) -> None:
        self._file, self._deployment, self._dispatch = file, deployment, dispatch
        self._now, self._disciplined = now, disciplined
        self.problem: str | None = None

    def run(self, stop: Event, published: Callable[[], None] = lambda: None) -> None:
        """Publish until ``stop`` is set; ``published`` is called after each round that appended something."""
        self._file.writer.write(lambda connection: self._dispatch.open(connection, self._now()))
        while not stop.is_set():
            try:
                found = self.step()
                self.problem = None
            except LedgerUnavailable as fault:
                found, self.problem = 0, fault.happened
            if found:
                published()
            else:
                stop.wait(_IDLE_S)

    def step(self, most: int = _ROUND) -> int:
        """Publish up to ``most`` readings; returns how many rows were looked at. Raises LedgerUnavailable."""
        with named_faults(), self._file.readers.connect() as connection:
            found = self._look(connection, most)
        if found is None:
            return 0
        try:
            self._file.writer.write(lambda connection: self._write(connection, found))
        except LedgerUnavailable:
            self._dispatch.forget()
            raise
        return len(found.attributed) + len(found.doubtful) + len(found.due)

    # ------------------------------------------------------------ look and build

    def _look(self, connection: Connection, most: int) -> _Round | None:
        cursor = connection.execute(select(CURSOR.c.position).where(CURSOR.c.name == CURSOR_NAME)).scalar() or 0
        fresh = list(
            connection.execute(
                select(READING.c.position).where(READING.c.position > cursor).order_by(READING.c.position).limit(most)
            ).scalars()
        )
        due = connection.execute(select(DUE).order_by(DUE.c.position).limit(most)).all()
        if not fresh and not due:
            return None
        found = _Round(fresh[-1] if fresh else cursor, [row.position for row in due])
        found.retracted = [int(row.ref) for row in due if row.what == "retraction"]
        again = {int(row.ref) for row in due if row.what == "reading"}
        self._attribute(connection, found, {*fresh, *again})
        self._retract(connection, found)
        changed = {
            ("Patient" if row.what == "patient" else "Device", row.ref)
            for row in due
            if row.what in ("patient", "device")
        }
        self._registry(connection, found, changed)
        return found

    def _attribute(self, connection: Connection, found: _Round, positions: set[int]) -> None:
        given = connection.execute(select(ATTRIBUTION).where(ATTRIBUTION.c.position.in_(positions))).all()
        taken: dict[int, int] = {}
        for row in given:
            taken[row.position] = max(taken.get(row.position, 0), row.n)
        current = {row.position for row in given if row.retracted_at is None}
        current.difference_update(found.retracted)
        kept = [a for a in accepted(connection, positions) if a.position not in current]
        known = devices.find(connection, {a.reading.key.device for a in kept})
        for each, who, timing in self._decide(connection, kept):
            device = known.get(each.reading.key.device)
            if device is None or isinstance(who, Doubt):
                found.doubtful.append((each, str(who)))
                continue
            reading = replace(each.reading, timing=timing)
            n = taken.get(each.position, 0) + 1
            self._map(found, each, Attributed(reading, each.received_at, who, device, n))

    def _decide(
        self, connection: Connection, kept: Sequence[Accepted]
    ) -> Iterable[tuple[Accepted, str | Doubt, Timing]]:
        """Whose each reading is, by what is known on this connection."""
        names = {each.reading.key.device for each in kept}
        assigned, clocks = assignments.of_devices(connection, names), _clocks(connection, names)
        for each in kept:
            reading = each.reading
            timing = reading.timing
            if timing.mark is TimeMark.UNVERIFIED:
                facts = clocks.get((reading.key.device, reading.clock), ClockFacts())
                timing = settle(timing.taken_at, facts, disciplined=self._disciplined)
            yield each, attribute(timing, assigned.get(reading.key.device, ()), reading.flags, reading.exam), timing

    def _map(self, found: _Round, each: Accepted, attributed: Attributed) -> None:
        try:
            built = [validated(resource) for resource in mapping.observations(attributed, self._deployment)]
        except NotFhir:
            found.doubtful.append((each, MAPPING_REFUSED))
            return
        device = mapping.device_id(attributed.device.device)
        found.attributed.append((each, attributed, attributed.reading.timing))
        found.versions += [
            Version(resource, attributed.patient, device, attributed.device.site, each.position) for resource in built
        ]

    def _retract(self, connection: Connection, found: _Round) -> None:
        newest = (
            select(FEED)
            .join_from(FEED, RESOURCE, FEED.c.position == RESOURCE.c.position)
            .where(FEED.c.reading.in_(found.retracted))
            .order_by(FEED.c.position)
        )
        for row in connection.execute(newest):
            resource = decode(row.body)
            if resource.body.get("status") != "entered-in-error":
                wrong = Resource.of(mapping.entered_in_error(resource.body))
                found.versions.append(Version(validated(wrong), row.patient, row.device, None, row.reading))

    def _registry(self, connection: Connection, found: _Round, changed: set[tuple[str, str]]) -> None:
        """Patients and devices that changed, and those that a reading of this round is the first to refer to."""
        wanted_patients = {a.patient for _, a, _ in found.attributed}
        wanted_devices = {a.device.device: a.device for _, a, _ in found.attributed}
        wanted_devices |= devices.find(connection, {id_ for type_, id_ in changed if type_ == "Device"})
        wanted_patients |= {id_ for type_, id_ in changed if type_ == "Patient"}
        built: list[tuple[Resource, Device | None]] = [
            (mapping.patient_resource(patient, self._deployment), None)
            for patient in people.find(connection, wanted_patients).values()
        ]
        built += [(mapping.device_resource(device, self._deployment), device) for device in wanted_devices.values()]
        for resource, device in built:
            if self._is_new(connection, resource):
                found.registry.append(Version(validated(resource), site=device.site if device else None))

    def _is_new(self, connection: Connection, resource: Resource) -> bool:
        body = connection.execute(
            select(FEED.c.body)
            .join_from(RESOURCE, FEED, FEED.c.position == RESOURCE.c.position)
            .where(RESOURCE.c.type == resource.type, RESOURCE.c.id == resource.id)
        ).scalar()
        return body is None or decode(body).body != resource.body

    # ------------------------------------------------------------ write

    def _write(self, connection: Connection, found: _Round) -> None:
        now = self._now()
        appended = append(connection, [*found.registry, *found.versions], now)
        self._dispatch.add(connection, appended, now)
        _keep_attributions(connection, found, now)
        self._keep_doubts(connection, [(a.position, a.reading.key.device, why) for a, why in found.doubtful], now)
        if found.due:
            connection.execute(DUE.delete().where(DUE.c.position.in_(found.due)))
        self._look_again(connection, found)
        connection.exec_driver_sql("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (CURSOR_NAME, found.cursor))

    def _keep_doubts(self, connection: Connection, rows: list[tuple[int, str, str]], now: Instant) -> None:
        if rows:
            connection.exec_driver_sql(
                "INSERT INTO inbox (position, device, why, since) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (position) DO UPDATE SET why = excluded.why",
                [(*row, now) for row in rows],
            )

    def _look_again(self, connection: Connection, found: _Round) -> None:
        """A doubt that was settled while this round was built is due again: nobody else will notice it."""
        doubts = {each.position: why for each, why in found.doubtful if why != MAPPING_REFUSED}
        if not doubts:
            return
        kept = [each for each, _ in found.doubtful if each.position in doubts]
        for each, who, _ in self._decide(connection, kept):
            if str(who) != doubts[each.position]:
                connection.execute(DUE.insert().values(what="reading", ref=str(each.position)))


def _keep_attributions(connection: Connection, found: _Round, now: Instant) -> None:
    if found.retracted:
        connection.exec_driver_sql(
            "UPDATE attribution SET retracted_at = ? WHERE position = ? AND retracted_at IS NULL",
            [(now, position) for position in found.retracted],
        )
    rows = [
        (each.position, attributed.attribution, attributed.patient, timing.used, str(timing.mark), now, None)
        for each, attributed, timing in found.attributed
    ]
    if rows:
        connection.exec_driver_sql("INSERT INTO attribution VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        connection.exec_driver_sql("DELETE FROM inbox WHERE position = ?", [(row[0],) for row in rows])


def _clocks(connection: Connection, names: set[str]) -> dict[tuple[str, int], ClockFacts]:
    return {
        (row.device, row.epoch): ClockFacts(
            None if row.synced is None else bool(row.synced), row.offset, row.uncertainty
        )
        for row in connection.execute(select(CLOCK).where(CLOCK.c.device.in_(names)))
    }
