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
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from fhir_export.model import Resource, encode
from ingest.clock import parse
from ingest.ledger.integrity import row_hash
from ingest.model import Instant
from ingest.reasons import Rejected

SECOND = 1_000_000
_FRACTION = re.compile(r"\.(\d+)")

_FEED = "INSERT INTO feed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_RESOURCE = "INSERT OR REPLACE INTO resource VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_FORGET_IDENTIFIERS = "DELETE FROM identifier WHERE type = ? AND id = ?"
_IDENTIFIER = "INSERT OR IGNORE INTO identifier (type, value, system, id) VALUES (?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Version:
    """A resource version to append, with the ids of the Patient and Device it refers to and its journal position."""

    resource: Resource
    patient: str | None = None
    device: str | None = None
    site: str | None = None
    reading: int | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a version went."""

    position: int
    number: int
    version: Version


def append(connection: Connection, versions: Sequence[Version], now: Instant) -> list[Appended]:
    """Append versions in order, inside the caller's transaction."""
    position, latest = connection.exec_driver_sql(
        "SELECT coalesce(max(position), 0), coalesce((SELECT at FROM feed ORDER BY position DESC LIMIT 1), 0) FROM feed"
    ).one()
    at = max(now, latest)  # a clock that was set back must not hide a version from who asks `since`
    done: list[Appended] = []
    feed: list[tuple[Any, ...]] = []
    numbers: dict[tuple[str, str], int] = {}
    for version in versions:
        position += 1
        key = (version.resource.type, version.resource.id)
        number = numbers[key] = numbers.get(key, _newest(connection, *key)) + 1
        row = (
            position, *key, number, at, version.patient, version.device, version.reading, encode(version.resource),
        )  # fmt: skip
        feed.append((*row, feed_hash(row)))
        done.append(Appended(position, number, version))
    if feed:
        connection.exec_driver_sql(_FEED, feed)
    _index(connection, done)
    return done


def feed_hash(row: Sequence[Any]) -> bytes:
    """The row hash of a feed row (its columns but the last): the body counts by its own hash."""
    return row_hash((*row[:8], hashlib.sha256(row[8]).digest()))


def _newest(connection: Connection, type_: str, id_: str) -> int:
    row = connection.exec_driver_sql("SELECT version FROM resource WHERE type = ? AND id = ?", (type_, id_)).first()
    return int(row[0]) if row else 0


def _index(connection: Connection, done: Sequence[Appended]) -> None:
    rows, identifiers = [], []
    for appended in done:
        version, body = appended.version, appended.version.resource.body
        key = (version.resource.type, version.resource.id)
        rows.append((
            *key, appended.position, appended.number, version.patient, version.device, version.site, _codes(body),
            *_period(body),
        ))  # fmt: skip
        identifiers += [(key[0], i["value"], i.get("system", ""), key[1]) for i in body.get("identifier", ())]
        if appended.number > 1:
            connection.exec_driver_sql(_FORGET_IDENTIFIERS, key)
    if rows:
        connection.exec_driver_sql(_RESOURCE, rows)
    if identifiers:
        connection.exec_driver_sql(_IDENTIFIER, identifiers)


def _codes(body: dict[str, Any]) -> str | None:
    codings: Iterable[dict[str, str]] = body.get("code", {}).get("coding", ())
    words = [f"{coding.get('system', '')}|{coding['code']}" for coding in codings]
    return f" {' '.join(words)} " if words else None


def _period(body: dict[str, Any]) -> tuple[Instant | None, Instant | None]:
    """First and last microsecond that effectiveDateTime may mean: a time to the second covers that second."""
    text = body.get("effectiveDateTime")
    if text is None:
        return None, None
    try:
        start = parse(text)
    except Rejected:
        return None, None
    fraction = _FRACTION.search(text)
    digits = len(fraction[1]) if fraction else 0
    return start, start + SECOND // 10 ** min(digits, 6) - 1
