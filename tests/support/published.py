"""Readings given to a patient and in the feed, without mapping anything: what a projector sees."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from ingest.ledger.files import OpenLedger
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.schema import ATTRIBUTION, FEED, READING
from ingest.model import Judged
from tests.support.ledgers import NOW


def publish(file: OpenLedger, *items: Judged) -> None:
    """Commit one batch, and give what may be given to a patient: what gateway and publisher do."""
    RelationalLedger(file).commit(items, NOW).result(10)
    with file.readers.connect() as connection:
        rows = connection.execute(
            select(READING).where(READING.c.position.not_in(select(ATTRIBUTION.c.position)))
        ).all()
    for row in rows:
        if row.flags is None and row.mark != "unverified":
            give(file, row.position, row.used_at)


def give(file: OpenLedger, position: int, used_at: int, n: int = 1) -> None:
    """Attribute a reading at a time, for the n-th time, and put a version of it into the feed."""
    given = {"position": position, "n": n, "patient": "p1", "used_at": used_at, "mark": "device", "at": NOW}

    def job(connection: Connection) -> None:
        connection.execute(ATTRIBUTION.insert().values(**given))
        _append(connection, position)

    file.writer.write(job)


def take_back(file: OpenLedger, position: int) -> None:
    """Retract a reading's attributions, and put the version that says so into the feed."""
    back = ATTRIBUTION.update().where(ATTRIBUTION.c.position == position).values(retracted_at=NOW)

    def job(connection: Connection) -> None:
        connection.execute(back)
        _append(connection, position)

    file.writer.write(job)


def _append(connection: Connection, position: int) -> None:
    last = connection.execute(select(func.coalesce(func.max(FEED.c.position), 0))).scalar_one()
    version = {"type": "Observation", "version": last + 1, "at": NOW, "body": b"{}", "row_hash": b"h"}
    row = version | {"position": last + 1, "id": f"o{position}", "reading": position}
    connection.execute(FEED.insert().values(**row))
