"""What tells of the origin of a resource, found without an index of its own.

Comes in: a reference, ``Type/id``. Goes out: a condition on RESOURCE. Refuses to know: what is told.

A Provenance comes from the reading whose resources it names, so it is looked for among the few versions of that
reading, and its own list of targets decides.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Text, cast, exists, func, select

from ingest.ledger.schema import FEED, RESOURCE


def has_target(reference: str) -> ColumnElement[bool]:
    """Whether the newest version of a Provenance has this target, in whatever version."""
    type_, _, id_ = reference.partition("/")
    readings = select(FEED.c.reading).where(FEED.c.type == type_, FEED.c.id == id_, FEED.c.reading.is_not(None))
    told = FEED.alias("told")
    target = func.json_each(cast(told.c.body, Text), "$.target").table_valued("value")
    named = exists().where(func.json_extract(target.c.value, "$.reference") == reference)
    of_it = select(told.c.position).where(told.c.reading.in_(readings), told.c.type == "Provenance", named)
    return RESOURCE.c.position.in_(of_it)
