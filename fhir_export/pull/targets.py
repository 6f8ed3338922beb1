"""What tells of the origin of a resource, found without an index of its own.

Comes in: references, ``Type/id``. Goes out: ids of resources that have one of them as target. Refuses to know: what is
told.

A Provenance comes from the reading whose resources it names, so it is looked for among the few versions of that
reading, and its own list of targets decides.
"""

from __future__ import annotations

import json
from collections.abc import Collection

from sqlalchemy import Connection, select

from ingest.ledger.schema import FEED, RESOURCE

_TYPE = "Provenance"


def having(connection: Connection, references: Collection[str]) -> tuple[str, ...]:
    """Ids of the Provenances whose newest version has one of these targets, in whatever version."""
    return tuple({id_ for one in references for id_ in _having(connection, one)})


def _having(connection: Connection, reference: str) -> list[str]:
    type_, _, id_ = reference.partition("/")
    readings = select(FEED.c.reading).where(FEED.c.type == type_, FEED.c.id == id_, FEED.c.reading.is_not(None))
    told = (
        select(FEED.c.id, FEED.c.body)
        .join_from(FEED, RESOURCE, RESOURCE.c.position == FEED.c.position)
        .where(FEED.c.reading.in_(readings), FEED.c.type == _TYPE, RESOURCE.c.type == _TYPE)
    )
    return [id_ for id_, body in connection.execute(told) if reference in _targets(body)]


def _targets(body: bytes) -> list[str]:
    return [target.get("reference", "") for target in json.loads(body).get("target", ())]
