"""The feed: immutable resource versions in commit order; everything that leaves is read from here.

Comes in: built resources with what they can be found by. Goes out: rows of ``feed``, ``resource`` and ``identifier``.
Refuses to know: how a resource is built, who reads it.

A client's cursor and ``_lastUpdated`` are feed positions and times: both only grow, so whoever follows sees each
version once, however late its reading came.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from fhir_export.model import Resource, encode
from ingest.clock import parse
from ingest.ledger.integrity import row_hash
from ingest.ledger.many import insert
from ingest.ledger.schema import RESOURCE
from ingest.model import Instant
from ingest.reasons import Rejected

SECOND = 1_000_000
_DEVICES = re.compile(rb'"reference":"Device/([A-Za-z0-9.-]{1,64})"')
_FRACTION = re.compile(r"\.(\d+)")

_CODED = {
    "Observation": "code",
    "DiagnosticReport": "code",
    "DocumentReference": "type",
    "Media": "view",
    "ImagingStudy": "modality",
}
_DATED = {
    "Observation": "effectiveDateTime",
    "DiagnosticReport": "effectiveDateTime",
    "DocumentReference": "date",
    "Media": "createdDateTime",
    "ImagingStudy": "started",
    "Provenance": "recorded",
}
"""What R4's search parameters look at: ``code`` (of Media ``view``, of ImagingStudy ``modality``, of DocumentReference
``type``), and ``date`` (``created``, ``started``, ``recorded``)."""

_LAST = """
SELECT coalesce(max(position), 0), coalesce((SELECT at FROM feed ORDER BY position DESC LIMIT 1), 0) FROM feed
"""
_FEED = "INSERT INTO feed VALUES"
_RESOURCE = "INSERT INTO resource VALUES"
_FORGET_RESOURCE = "DELETE FROM resource WHERE type = ? AND id = ?"
_FORGET_IDENTIFIERS = "DELETE FROM identifier WHERE type = ? AND id = ?"
_IDENTIFIER = "INSERT INTO identifier (type, value, system, id) VALUES"
_ONCE = "ON CONFLICT DO NOTHING"


@dataclass(frozen=True, slots=True)
class Version:
    """A resource version to append, with the ids of the Patient and Device it refers to and its journal position.

    ``gateway`` is the id of the Device that put it together, if it was made of a reading. ``content`` is its bytes,
    made here: not in the transaction, where others would wait for it.
    """

    resource: Resource
    patient: str | None = None
    device: str | None = None
    site: str | None = None
    reading: int | None = None
    gateway: str | None = None
    content: bytes = field(init=False, repr=False, compare=False)
    devices: frozenset[str] = field(init=False, repr=False, compare=False)
    """Ids of the Devices that the resource refers to."""
    found_by: tuple[str | None, Instant | None, Instant | None] = field(init=False, repr=False, compare=False)
    """Codes, and the first and last microsecond of its time."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "content", encode(self.resource))
        body = self.resource.body
        object.__setattr__(self, "found_by", (_codes(body), *_period(body)))
        object.__setattr__(self, "devices", frozenset(id_.decode() for id_ in _DEVICES.findall(self.content)))

    @property
    def key(self) -> tuple[str, str]:
        """Type and id."""
        return self.resource.type, self.resource.id


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a version went."""

    position: int
    number: int
    version: Version


def append(connection: Connection, versions: Sequence[Version], now: Instant) -> list[Appended]:
    """Append versions in order, inside the caller's transaction."""
    position, latest = connection.exec_driver_sql(_LAST).one()
    at = max(now, latest + 1)  # a clock that was set back must not hide a version from who asks `since`
    numbers = _numbers(connection, versions)
    done: list[Appended] = []
    feed: list[tuple[Any, ...]] = []
    for version in versions:
        position += 1
        key = version.key
        number = numbers[key] = numbers.get(key, 0) + 1
        row = (position, *key, number, at, version.patient, version.device, version.reading, version.content)
        feed.append((*row, feed_hash(row)))
        done.append(Appended(position, number, version))
    if done:
        insert(connection, _FEED, feed)
        _index(connection, done)
    return done


def feed_hash(row: Sequence[Any]) -> bytes:
    """The row hash of a feed row (its columns but the last): the body counts by its own hash."""
    return row_hash((*row[:8], hashlib.sha256(row[8]).digest()))


def _numbers(connection: Connection, versions: Sequence[Version]) -> dict[tuple[str, str], int]:
    """The number of the newest version of each of these that has one."""
    ids: dict[str, set[str]] = {}
    for version in versions:
        ids.setdefault(version.resource.type, set()).add(version.resource.id)
    return {
        (type_, id_): number
        for type_, wanted in ids.items()
        for id_, number in connection.execute(
            select(RESOURCE.c.id, RESOURCE.c.version).where(RESOURCE.c.type == type_, RESOURCE.c.id.in_(wanted))
        )
    }


def _index(connection: Connection, done: Sequence[Appended]) -> None:
    """What the newest versions can be found by."""
    newest = {appended.version.key: appended for appended in done}
    rows, identifiers = [], []
    for (type_, id_), appended in newest.items():
        version, body = appended.version, appended.version.resource.body
        rows.append((
            type_, id_, appended.position, appended.number, version.patient, version.device, version.site,
            *version.found_by,
        ))  # fmt: skip
        identifiers += [(type_, i["value"], i.get("system", ""), id_) for i in body.get("identifier", ())]
    changed = [key for key, appended in newest.items() if appended.number > 1]
    if changed:
        connection.exec_driver_sql(_FORGET_RESOURCE, changed)
        connection.exec_driver_sql(_FORGET_IDENTIFIERS, changed)
    insert(connection, _RESOURCE, rows)
    insert(connection, _IDENTIFIER, identifiers, _ONCE)


def _codes(body: dict[str, Any]) -> str | None:
    """The codings of the one element that its type is looked for by."""
    element = _CODED.get(body["resourceType"])
    held = body.get(element, {}) if element else {}
    codings: Iterable[dict[str, str]] = held if isinstance(held, list) else held.get("coding", ())
    words = [f"{coding.get('system', '')}|{coding['code']}" for coding in codings]
    return f" {' '.join(words)} " if words else None


def _period(body: dict[str, Any]) -> tuple[Instant | None, Instant | None]:
    """First and last microsecond that the time of a resource may mean: a time to the second covers that second."""
    element = _DATED.get(body["resourceType"])
    text = body.get(element) if element else None
    if text is None:
        return None, None
    try:
        start = parse(text)
    except Rejected:
        return None, None
    fraction = _FRACTION.search(text)
    digits = len(fraction[1]) if fraction else 0
    return start, start + SECOND // 10 ** min(digits, 6) - 1
