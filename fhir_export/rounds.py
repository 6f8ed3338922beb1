"""What one round of publishing finds and builds, before anything is written.

Comes in: one snapshot of the ledger. Goes out: a ``Round``: versions to append, who was attributed, what is in doubt,
and the facts that all of it stands on. Refuses to know: the transaction that writes it. The sole caller of
``fhir_export.mapping``.

Building takes about a millisecond a reading, nearly all of it in holding what was built against FHIR. So it is done
outside the transaction, where no commit of the gateway waits for it; ``stands`` says inside whether the facts are
still the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from sqlalchemy import Connection, Select, func, select

from fhir_export import mapping
from fhir_export.feed import Version
from fhir_export.model import Deployment, Resource
from fhir_export.referred import Noun, Referred, refers_to
from fhir_export.structure import NotFhir, validated
from fhir_export.withdrawn import taken_back
from ingest.clock import judge_time
from ingest.ledger.engine import watermark
from ingest.ledger.looks import damaged
from ingest.ledger.readings import Accepted, accepted
from ingest.ledger.schema import ATTRIBUTION, CLOCK, CURSOR, DUE, READING
from ingest.model import ClockFacts, DeviceStatus, Facts, Instant, TimeMark, Timing
from ingest.reasons import Rejected
from registry import assignments, claims, devices, people
from registry.attribution import Doubt, attribute
from registry.model import Assignment, Attributed, Device

CURSOR_NAME = "publish"
MAPPING_REFUSED = "mapping.refused"
"""In the inbox: what was built from it was not FHIR. A defect of ours; the reading is kept and waits for the mend."""

_Due: TypeAlias = tuple[int, str, str]
_Decided: TypeAlias = tuple[Accepted, "str | Doubt", Timing]


@dataclass(frozen=True, slots=True)
class Ground:
    """The facts that a round stands on: the cursor, the due rows it answers, whose the devices are, their clocks."""

    cursor: int
    due: tuple[_Due, ...]
    assigned: Mapping[str, Sequence[Assignment]]
    clocks: Mapping[tuple[str, int], ClockFacts]


@dataclass(slots=True)
class Round:
    """What one round found and built; ``cursor`` is where the journal's cursor goes, ``size`` what was looked at."""

    ground: Ground
    cursor: int
    size: int
    versions: list[Version] = field(default_factory=list)
    attributed: list[tuple[int, Attributed]] = field(default_factory=list)
    doubtful: list[tuple[Accepted, str]] = field(default_factory=list)
    retracted: tuple[int, ...] = ()
    damaged: tuple[int, ...] = ()
    """Readings whose rows are not as they were written: nothing is made of them."""


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds rounds.

    ``now`` is the time of day, ``disciplined`` whether this machine's clock may correct those of devices now, ``read``
    gives the bytes of a blob by its hex SHA-256 or raises BlobMissing.
    """

    deployment: Deployment
    now: Callable[[], Instant]
    disciplined: Callable[[], bool]
    referred: Referred
    read: Callable[[str], bytes]

    def look(self, connection: Connection, most: int) -> Round | None:
        """The next ``most`` readings of the journal and rows of ``due``, built; None when there is neither."""
        settled = watermark(connection)  # before the snapshot that everything else is read in
        cursor = _cursor(connection)
        newer = select(READING.c.position).where(READING.c.position > cursor, READING.c.position <= settled)
        fresh = connection.execute(newer.order_by(READING.c.position).limit(most)).scalars().all()
        due = _rows(connection, select(DUE).order_by(DUE.c.position).limit(most))
        if not fresh and not due:
            return None
        taken, current = _attributions(connection, {*fresh, *_refs(due, "reading"), *_refs(due, "retraction")})
        again, retracted = _in_order(due, taken)
        wanted = {*fresh, *again} - (current - retracted)
        changed = damaged(connection, wanted)
        kept = accepted(connection, wanted - changed, self.read)
        names = {each.reading.key.device for each in kept}
        ground = _ground(connection, cursor, due, names)
        found = Round(ground, fresh[-1] if fresh else cursor, len(fresh) + len(due))
        found.retracted, found.damaged = tuple(sorted(retracted)), tuple(sorted(changed))
        known = devices.find(connection, names | {ref for _, what, ref in due if what == "device"})
        decided = list(self._decide(ground, kept, known))
        given = [(each, who) for each, who, _ in decided if not isinstance(who, Doubt)]
        against = claims.doubts(connection, given, retracted)
        decided = [(each, against.get(each.position, who), timing) for each, who, timing in decided]
        refused = self._refer(connection, found, decided, known)
        # Before what takes its place: nobody ever sees two Observations of one reading that both stand.
        found.versions += taken_back(connection, retracted, mapping.gateway_id(self.deployment.gateway), self.now())
        for each, who, timing in decided:
            if isinstance(who, Doubt):
                found.doubtful.append((each, who))
            else:
                n = taken.get(each.position, 0) + 1
                self._map(found, each, self._attributed(each, timing, who, known, n), refused)
        return found

    def _decide(self, ground: Ground, kept: Sequence[Accepted], known: Collection[str]) -> Iterator[_Decided]:
        """Whose each reading is, and at what time it was measured, by what is known now."""
        for each in kept:
            reading, device = each.reading, each.reading.key.device
            timing = self._timing(each, ground.clocks.get((device, reading.clock), ClockFacts()))
            assigned = ground.assigned.get(device, ()) if device in known else ()
            yield each, attribute(timing, assigned, reading.flags, reading.exam), timing

    def _timing(self, each: Accepted, clock: ClockFacts) -> Timing:
        """As accepted, or as settled since; a clock that puts the time after its arrival settles nothing."""
        kept, epoch = each.reading.timing, each.reading.clock
        if kept.mark is not TimeMark.UNVERIFIED:
            return kept
        then = Facts(
            each.received_at,
            DeviceStatus.ACTIVE,
            {epoch: clock},
            disciplined=self.disciplined(),
            oldest=each.received_at,  # how old a reading may be was judged when it came
        )
        try:
            return judge_time(kept.taken_at, epoch, then)
        except Rejected:
            return kept

    def _refer(
        self, connection: Connection, found: Round, decided: Sequence[_Decided], known: Mapping[str, Device]
    ) -> set[str]:
        """Append patients and devices that are due or referred to, where they changed; those that cannot be told."""
        due = found.ground.due
        used = [(who, each.reading.key.device) for each, who, _ in decided if not isinstance(who, Doubt)]
        persons = {who for who, _ in used} | {ref for _, what, ref in due if what == "patient"}
        named = {device for _, device in used} | {ref for _, what, ref in due if what == "device"}
        nouns: list[Noun] = [*people.find(connection, persons).values()]
        nouns += [device for name, device in known.items() if name in named]
        nouns += [self.deployment] if used else []
        found.versions, refused = self.referred.versions(connection, nouns)
        return refused

    def _attributed(self, each: Accepted, timing: Timing, who: str, known: Mapping[str, Device], n: int) -> Attributed:
        return Attributed(
            replace(each.reading, timing=timing),
            each.kept_at,
            who,
            known[each.reading.key.device],
            each.sha,
            n,
            each.hub,
            each.found,
            self.now() if n > 1 else None,
        )

    def _map(self, found: Round, each: Accepted, attributed: Attributed, refused: set[str]) -> None:
        who, device = attributed.patient, attributed.device
        built = None if refused & refers_to(who, device.device, self.deployment) else self._resources(attributed)
        if built is None:
            found.doubtful.append((each, MAPPING_REFUSED))
            return
        about, gateway = mapping.device_id(device.device), mapping.gateway_id(self.deployment.gateway)
        found.attributed.append((each.position, attributed))
        found.versions += [Version(resource, who, about, device.site, each.position, gateway) for resource in built]

    def _resources(self, attributed: Attributed) -> list[Resource] | None:
        try:
            return [validated(resource) for resource in mapping.resources(attributed, self.deployment)]
        except NotFhir:
            return None


def stands(connection: Connection, ground: Ground) -> bool:
    """Whether nothing that a round was built on has changed since; asked inside the transaction that writes it."""
    rows = select(DUE).where(DUE.c.position.in_([position for position, _, _ in ground.due])).order_by(DUE.c.position)
    due = _rows(connection, rows) if ground.due else ()
    return _ground(connection, _cursor(connection), due, ground.assigned) == ground


def _rows(connection: Connection, wanted: Select[Any]) -> tuple[_Due, ...]:
    return tuple((row.position, row.what, row.ref) for row in connection.execute(wanted))


def _ground(connection: Connection, cursor: int, due: tuple[_Due, ...], names: Collection[str]) -> Ground:
    clocks = {
        (row.device, row.epoch): ClockFacts(
            None if row.synced is None else bool(row.synced), row.offset, row.uncertainty
        )
        for row in connection.execute(select(CLOCK).where(CLOCK.c.device.in_(names)))
    }
    return Ground(cursor, due, assignments.of_devices(connection, names), clocks)


def _cursor(connection: Connection) -> int:
    return connection.execute(select(CURSOR.c.position).where(CURSOR.c.name == CURSOR_NAME)).scalar() or 0


def _refs(due: Sequence[_Due], wanted: str) -> set[int]:
    return {int(ref) for _, what, ref in due if what == wanted}


def _in_order(due: Sequence[_Due], taken: Collection[int]) -> tuple[set[int], set[int]]:
    """Readings to be attributed, and those to be taken back first; of one reading, the later word counts.

    Only what was given to somebody (``taken``) can be taken back.
    """
    again: set[int] = set()
    retracted: set[int] = set()
    for _, what, ref in due:
        if what == "reading":
            again.add(int(ref))
        elif what == "retraction" and int(ref) in taken:
            retracted.add(int(ref))
            again.discard(int(ref))
    return again, retracted


def _attributions(connection: Connection, positions: Collection[int]) -> tuple[dict[int, int], set[int]]:
    """How many times each of these was given to somebody, and which of them belong to somebody now."""
    a = ATTRIBUTION.c
    counted = select(a.position, func.max(a.n), func.count() > func.count(a.retracted_at))
    rows = connection.execute(counted.where(a.position.in_(positions)).group_by(a.position)).all()
    return {position: n for position, n, _ in rows}, {position for position, _, held in rows if held}
