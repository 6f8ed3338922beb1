"""Who read what: one row, on stable storage, before an answer with patient data leaves.

Comes in: facts of one access. Goes out: nothing, or ``LedgerUnavailable``: then the answer must not leave. Refuses to
know: what was searched for, what was found; of the patient it keeps our own id.
"""

from __future__ import annotations

from concurrent.futures import TimeoutError as NotInTime
from dataclasses import astuple, dataclass
from enum import StrEnum

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.integrity import row_hash
from ingest.ledger.writer import Writer
from ingest.model import Instant

_PATIENCE_S = 10.0


class Action(StrEnum):
    """What was done."""

    READ = "read"
    SEARCH = "search"


@dataclass(frozen=True, slots=True)
class Access:
    """One access: ``who`` is a client's name, ``type`` a FHIR type, ``patient`` our own id when it is about one person.

    ``resources`` counts the resources in the answer: 0 for one that was refused, not found or found unchanged.
    """

    at: Instant
    who: str
    action: Action
    type: str
    patient: str | None
    resources: int


def note(writer: Writer, access: Access) -> None:
    """Keep the access; returns after the fsync.

    Raises LedgerUnavailable when it is not known to be kept, also after 10 s of waiting: a row that comes later tells
    of an answer that never left, which is the harmless side to err on.
    """
    try:
        writer.submit(lambda connection: _append(connection, access)).result(_PATIENCE_S)
    except (SQLAlchemyError, NotInTime) as error:
        raise LedgerUnavailable(
            f"The access could not be written to the audit trail ({type(error).__name__}).",
            "Nothing was shown.",
            "See that the disk of the data folder has room, is writable and healthy.",
        ) from None


def _append(connection: Connection, access: Access) -> None:
    # As text, because it runs for every answer while others wait for the ledger.
    last: int = connection.exec_driver_sql("SELECT coalesce(max(position), 0) FROM audit").scalar_one()
    row = (last + 1, *astuple(access))
    # The hash covers every column before it, the position too: a row that was taken out leaves a hole that shows.
    connection.exec_driver_sql("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, row_hash(row)))
