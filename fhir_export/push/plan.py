"""The order of a round: references before referrers, one version after the other, batches that are taken. Pure.

Comes in: due rows, and what the destination has not confirmed. Goes out: waves of rows, batches. Refuses to know: what
came of them.

A batch's entries may be carried out in any order (FHIR R4, http.html#brules), so a row and one it refers to are never
in the same wave. A version waits until the one before it is confirmed *in the ledger*: a kill between the two can then
never send the older one after the newer one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from fhir_export.push.circuit import SECOND
from fhir_export.push.port import Identity
from fhir_export.push.rows import Blocker, Due
from ingest.model import Instant

MOST_ENTRIES = 100
MOST_BYTES = 1_000_000
SINGLES = 20
"""Single PUTs between two commits of their outcomes."""
SUSPECT = 3
"""A row that failed so often goes alone: a resource that a server cannot bear does not take others with it."""
PARKED_WAIT = 60 * SECOND
"""How long a row waits that refers to a parked one, before it is looked at again."""

_POINTS = re.compile(rb'"(?:reference|url)":"([A-Z][A-Za-z]{1,63})/([A-Za-z0-9.-]{1,64})"')
# Each refers to the ones before it at most. A Binary and the resource that shows it name each other: the name in the
# latter is followed by readers, the one in the former only says who may read, and servers take it unchecked.
_FIRST = {"Patient": 0, "Device": 1, "Binary": 2}
_FRAME = 300  # bytes around an entry's resource: addresses and request


@dataclass(frozen=True, slots=True)
class Planned:
    """A row, and the positions of this round that must be confirmed before it goes."""

    due: Due
    needs: frozenset[int]


@dataclass(frozen=True, slots=True)
class Plan:
    """``waves`` in order; ``held``: rows that wait for others, each with the instant to look at it again."""

    waves: Sequence[Sequence[Planned]]
    held: Mapping[int, Instant]


Links: TypeAlias = Mapping[int, frozenset[Identity]]
"""What each row refers to, by position."""


def references(due: Due) -> frozenset[Identity]:
    """What a resource refers to, from its bytes (compact JSON) and its row."""
    found = {_identity(*pair) for pair in set(_POINTS.findall(due.outgoing.body))}
    if due.outgoing.type == "Binary":
        found = {identity for identity in found if identity[0] in _FIRST}
    if due.patient:
        found.add(("Patient", due.patient))
    if due.device:
        found.add(("Device", due.device))
    found.discard(due.outgoing.identity)
    return frozenset(found)


@lru_cache(1024)  # a few patients and devices are named by all
def _identity(type_: bytes, id_: bytes) -> Identity:
    return type_.decode(), id_.decode()


def links(rows: Sequence[Due]) -> Links:
    """What rows refer to; looked for once a round, for it costs as much as the rest of a plan."""
    return {due.position: references(due) for due in rows}


def asked(rows: Sequence[Due], linked: Links) -> frozenset[Identity]:
    """The identities whose unconfirmed rows a plan must know, besides these rows."""
    own = frozenset(due.outgoing.identity for due in rows if due.version > 1)
    targets = frozenset().union(*(linked[due.position] for due in rows))
    return own | (targets - _new(rows).keys())


def plan(rows: Sequence[Due], linked: Links, unconfirmed: Mapping[Identity, Sequence[Blocker]], now: Instant) -> Plan:
    """Waves of ``rows``, which are in order of position."""
    unconfirmed = {**_new(rows), **unconfirmed}
    waves: list[list[Planned]] = []
    wave_of: dict[int, int] = {}
    held: dict[int, Instant] = {}
    present = {due.position for due in rows}
    for due in sorted(rows, key=_rank):
        before = _before(due.position, unconfirmed.get(due.outgoing.identity, ()))
        waiting = [identity for identity in linked[due.position] if identity in unconfirmed]
        targets = [b for identity in waiting for b in _targets(due.position, identity, unconfirmed)]
        outside = [b for b in (*before, *targets) if b.position not in present]
        if outside:
            held[due.position] = max(_look_again(blocker, now) for blocker in outside)
        elif not before and all(b.position in wave_of for b in targets):
            needs = frozenset(b.position for b in targets)
            wave = max((wave_of[n] + 1 for n in needs), default=0)
            waves.extend([] for _ in range(wave + 1 - len(waves)))
            waves[wave].append(Planned(due, needs))
            wave_of[due.position] = wave
    return Plan(waves, held)


def _new(rows: Sequence[Due]) -> Mapping[Identity, Sequence[Blocker]]:
    """Rows with a resource's first version: what refers to it waits for that one, and there is none before it."""
    return {
        due.outgoing.identity: (Blocker(due.position, parked=False, next_try=due.next_try),)
        for due in rows
        if due.version == 1 and due.outgoing.type not in _FIRST
    }


def packs(rows: Sequence[Due], *, batch: bool) -> Iterator[list[Due]]:
    """Rows as they go together: at most 100 and 1 MB, each identity once; a Binary and a suspect go alone."""
    most = MOST_ENTRIES if batch else SINGLES
    pack: list[Due] = []
    size = 0
    for due in rows:
        entry = len(due.outgoing.body) + _FRAME
        if due.tries >= SUSPECT or due.outgoing.type == "Binary":
            yield [due]
            continue
        if pack and (len(pack) == most or size + entry > MOST_BYTES):
            yield pack
            pack, size = [], 0
        pack.append(due)
        size += entry
    if pack:
        yield pack


def _before(position: int, blockers: Sequence[Blocker]) -> list[Blocker]:
    return [blocker for blocker in blockers if blocker.position < position]


def _rank(due: Due) -> tuple[int, int]:
    return _FIRST.get(due.outgoing.type, len(_FIRST)), due.position


def _targets(position: int, identity: Identity, unconfirmed: Mapping[Identity, Sequence[Blocker]]) -> Sequence[Blocker]:
    """Rows to wait for: earlier ones, and any of what always goes first: its newest may stand after its referrers."""
    blockers = unconfirmed.get(identity, ())
    return blockers if identity[0] in _FIRST else _before(position, blockers)


def _look_again(blocker: Blocker, now: Instant) -> Instant:
    return now + PARKED_WAIT if blocker.parked else max(now, blocker.next_try)
