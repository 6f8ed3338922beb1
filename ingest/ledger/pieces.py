"""Parts of blobs on their way into files and rows: which are taken, written, and noted.

Comes in: a batch with parts among its items. Goes out: files on stable storage, then an answer for each item. Refuses
to know: the network, what a blob is for.

Files come before rows: after a crash in between, the bytes are there and no row knows them, and the device sends them
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from ingest.blobs import Blobs, Range
from ingest.ledger import contents, journal
from ingest.ledger.faults import LedgerUnavailable
from ingest.ledger.port import Answer, Item, PieceKept
from ingest.model import Instant, Judged, Outcome, Piece, Verdict
from ingest.reasons import Reason

_PAST_THE_END = Verdict(Outcome.QUARANTINED, Reason.BLOB_PART)


@dataclass(slots=True)
class SortedOut:
    """A batch, in order: what goes into the journal or is noted, and the answers that are known already by place."""

    items: list[Item] = field(default_factory=list)
    answered: dict[int, PieceKept] = field(default_factory=dict)
    kept: list[Piece] = field(default_factory=list)


def sort_out(connection: Connection, items: Sequence[Item]) -> SortedOut:
    """Decide about parts: one of a blob that is there is answered, one too many refused, one past the end set aside."""
    parts = [item for item in items if isinstance(item, Piece)]
    known = contents.standing(connection, {(part.raw.device, part.sha256) for part in parts})
    room = {
        device: contents.DEVICE_MOST - contents.under_way(connection, device)
        for device in {part.raw.device for part in parts}
    }
    found = SortedOut()
    for place, item in enumerate(items):
        if not isinstance(item, Piece):
            found.items.append(item)
            continue
        device, at = item.raw.device, known[item.raw.device, item.sha256]
        if at.size is not None and item.start + len(item.raw.payload) > at.size:
            found.items.append(Judged(item.raw, item.sha, _PAST_THE_END))
        elif at.done or len(item.raw.payload) > room[device]:
            found.answered[place] = PieceKept(refused=not at.done)
        else:
            room[device] -= len(item.raw.payload)
            found.items.append(item)
            found.kept.append(item)
    return found


def write(blobs: Blobs, kept: Sequence[Piece]) -> None:
    """Put parts on stable storage; raises LedgerUnavailable, and then none of the batch may be answered."""
    try:
        blobs.keep([Range(piece.raw.device, piece.sha256, piece.start, piece.raw.payload) for piece in kept])
    except OSError as error:
        raise LedgerUnavailable(
            f"The parts of a file cannot be written ({error.strerror}).",
            "Nothing was acknowledged that is not on disk; devices keep what was not answered.",
            "See that the disk of the data folder has room and is writable.",
        ) from None


def commit(connection: Connection, sorted_out: SortedOut, now: Instant) -> list[Answer]:
    """Note the parts and keep the rest; an answer for each item of the batch, in order."""
    done = iter(journal.commit(connection, sorted_out.items, now))
    count = len(sorted_out.items) + len(sorted_out.answered)
    return [sorted_out.answered[place] if place in sorted_out.answered else next(done) for place in range(count)]
