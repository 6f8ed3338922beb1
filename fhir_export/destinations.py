"""Where resource versions are due: one delivery row for each version and destination, made when the version is.

Comes in: versions just appended to the feed. Goes out: rows of ``delivery``. Refuses to know: how they are sent.

A Patient or Device goes to a destination when something that refers to it does, and from then on in every version.
Everything else goes everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection

from fhir_export.feed import Appended
from ingest.ledger.many import insert
from ingest.model import Instant

_Row: TypeAlias = tuple[Any, ...]
NOT_LINKED = "patient.not_linked"
"""Parked: the record's own identity for this patient is not known (fhir.md: ``lookup`` destinations)."""

_DELIVERY, _ONCE = "INSERT INTO delivery VALUES", "ON CONFLICT DO NOTHING"
_FOLLOWS = """
SELECT 1 FROM delivery WHERE destination = ? AND type = ? AND id = ?
UNION ALL
SELECT 1 FROM feed f JOIN delivered d ON d.destination = ? AND d.position = f.position WHERE f.type = ? AND f.id = ?
LIMIT 1
"""
_FOLLOWING = ("Patient", "Device")
_NEWEST = "SELECT position FROM resource WHERE type = ? AND id = ?"
_RELEASE = """
UPDATE delivery SET state = 'due', answer = NULL, next_try = ? WHERE destination = ? AND state = 'parked' AND answer = ?
"""
_WITHOUT_PATIENT = """
SELECT w.patient FROM (SELECT DISTINCT destination, patient FROM delivery WHERE destination = ?) w
WHERE w.patient IS NOT NULL
AND NOT EXISTS (
  SELECT 1 FROM delivery p WHERE p.destination = w.destination AND p.type = 'Patient' AND p.id = w.patient)
AND NOT EXISTS (
  SELECT 1 FROM feed f JOIN delivered d ON d.destination = w.destination AND d.position = f.position
  WHERE f.type = 'Patient' AND f.id = w.patient)
"""


@dataclass(frozen=True, slots=True)
class Destination:
    """A record to push to. ``patients``: ``write`` makes our Patients there, ``lookup`` leaves identities to it."""

    name: str
    patients: Literal["lookup", "write"] = "lookup"


@dataclass(slots=True)
class Dispatch:
    """Decides what is due where."""

    destinations: Sequence[Destination]
    _following: set[tuple[str, str, str]] = field(default_factory=set)

    def add(self, connection: Connection, appended: Sequence[Appended], now: Instant) -> None:
        """Make the delivery rows of new versions, inside the transaction that appended them."""
        rows = [
            row
            for destination in self.destinations
            for entry in appended
            for row in self._due(connection, destination, entry, now)
        ]
        insert(connection, _DELIVERY, rows, _ONCE)

    def forget(self) -> None:
        """Forget what is remembered of a transaction that was undone."""
        self._following.clear()

    def open(self, connection: Connection, now: Instant) -> None:
        """What waited only because a destination looked patients up is due once that destination writes them."""
        for destination in self.destinations:
            if destination.patients == "write":
                patients = connection.exec_driver_sql(_WITHOUT_PATIENT, (destination.name,)).scalars().all()
                rows = [row for id_ in patients for row in self._follow(connection, destination, "Patient", id_, now)]
                insert(connection, _DELIVERY, rows, _ONCE)
                connection.exec_driver_sql(_RELEASE, (now, destination.name, NOT_LINKED))

    def _due(self, connection: Connection, to: Destination, entry: Appended, now: Instant) -> Iterator[_Row]:
        version = entry.version
        if version.resource.type in _FOLLOWING:
            if self._follows(connection, to, *version.key):
                yield _row(to, entry.position, version.key, now)
            return
        parked = NOT_LINKED if to.patients == "lookup" else None
        # The gateway is named by what tells of the reading's origin, and whatever else a resource names goes with it.
        named = {id_ for id_ in (version.device, version.gateway) if id_ is not None}
        named.update(version.devices)
        for device in sorted(named):
            yield from self._follow(connection, to, "Device", device, now)
        if version.patient is not None and parked is None:
            yield from self._follow(connection, to, "Patient", version.patient, now)
        yield _row(to, entry.position, version.key, now, (version.patient, version.device), parked)

    def _follow(self, connection: Connection, to: Destination, type_: str, id_: str, now: Instant) -> Iterator[_Row]:
        """The newest version of a Patient or Device, unless one was ever due there, or there is none yet."""
        if not self._follows(connection, to, type_, id_):
            position = connection.exec_driver_sql(_NEWEST, (type_, id_)).scalar()
            if position is not None:
                self._following.add((to.name, type_, id_))
                yield _row(to, position, (type_, id_), now)

    def _follows(self, connection: Connection, to: Destination, type_: str, id_: str) -> bool:
        key = (to.name, type_, id_)
        if key not in self._following and connection.exec_driver_sql(_FOLLOWS, key + key).first():
            self._following.add(key)
        return key in self._following


def _row(
    to: Destination,
    position: int,
    key: tuple[str, str],
    now: Instant,
    about: tuple[str | None, str | None] = (None, None),
    parked: str | None = None,
) -> _Row:
    return (to.name, position, *key, *about, "parked" if parked else "due", 0, now, now, parked)
