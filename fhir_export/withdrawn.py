"""What takes back the resources of readings: each again as entered-in-error, and a Provenance that says so.

Comes in: journal positions. Goes out: versions to append, in order. Refuses to know: why, who gets the reading.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from sqlalchemy import Connection, select

from fhir_export import mapping
from fhir_export.feed import Version
from fhir_export.model import Resource, decode
from ingest.ledger.schema import FEED, RESOURCE
from ingest.model import Instant

_WRONG = "entered-in-error"


def taken_back(connection: Connection, positions: Collection[int], gateway: str, at: Instant) -> Iterator[Version]:
    """Versions that take back, at ``at``, everything made from these readings that still stands."""
    if not positions:
        return
    newest = (
        select(FEED.c.body, FEED.c.patient, FEED.c.device, RESOURCE.c.site, FEED.c.reading)
        .join_from(FEED, RESOURCE, FEED.c.position == RESOURCE.c.position)
        .where(FEED.c.reading.in_(positions), RESOURCE.c.type == FEED.c.type)  # its index begins with the type
        .order_by(FEED.c.reading, FEED.c.position)
    )
    for _, rows in groupby(connection.execute(newest), key=lambda row: row.reading):
        made = [Version(decode(row.body), row.patient, row.device, row.site, row.reading, gateway) for row in rows]
        yield from _reading(made, at)


def _reading(made: Sequence[Version], at: Instant) -> Iterator[Version]:
    """One reading's: what has a status, then the one Provenance that it was made under, turned round."""
    standing = [version for version in made if version.resource.body.get("status", _WRONG) != _WRONG]
    for version in standing:
        yield replace(version, resource=Resource.of(mapping.entered_in_error(version.resource.body)))
    references = {version.resource.reference for version in standing}
    for version in made:
        told = [target["reference"] for target in version.resource.body.get("target", ())]
        if not references.isdisjoint(told):
            word = mapping.retraction(version.resource.body, told, at)
            yield replace(version, resource=word)
