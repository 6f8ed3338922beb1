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

    items: list[Item | None] = field(default_factory=list)
    """By place; None for a part that is not noted."""
    answered: dict[int, PieceKept] = field(default_factory=dict)
    numbers: dict[tuple[str, str], int | None] = field(default_factory=dict)
    """Of each (device, blob): the number of the file its parts were written to."""

    @property
    def kept(self) -> list[Piece]:
        """Parts to be written."""
        return [item for item in self.items if isinstance(item, Piece)]


def sort_out(connection: Connection, items: Sequence[Item]) -> SortedOut:
    """Decide about parts: one of a blob that is there is answered, one too many refused, one past the end set aside."""
    parts = [item for item in items if isinstance(item, Piece)]
    known = dict(contents.standing(connection, {(part.raw.device, part.sha256) for part in parts}))
    room = {device: contents.Room.of(connection, device) for device in {part.raw.device for part in parts}}
    found = SortedOut()
    for place, item in enumerate(items):
        if isinstance(item, Judged) and item.reading is not None and item.reading.blob is not None:
            key = (item.reading.key.device, item.reading.blob.sha256)
            if key in known:
                known[key] = known[key].claimed(item.reading.blob.size)
        if isinstance(item, Piece):
            found.items.append(_decided(item, known[item.raw.device, item.sha256], room[item.raw.device]))
            if found.items[-1] is None:
                done = known[item.raw.device, item.sha256].done
                found.answered[place] = PieceKept(refused=not done)
        else:
            found.items.append(item)
    return found


def _decided(part: Piece, at: contents.Standing, room: contents.Room) -> Item | None:
    if at.size is not None and part.start + len(part.raw.payload) > at.size:
        return Judged(part.raw, part.sha, _PAST_THE_END)
    if at.done or not room.takes(part.sha256, len(part.raw.payload)):
        return None
    return part


def write(blobs: Blobs, sorted_out: SortedOut) -> None:
    """Put parts on stable storage; raises LedgerUnavailable, and then none of the batch may be answered.

    Parts of a file that cannot be written are refused alone: what is wrong with one file is not everybody's fault.
    """
    kept = sorted_out.kept
    try:
        sorted_out.numbers = blobs.keep(
            [Range(piece.raw.device, piece.sha256, piece.start, piece.raw.payload) for piece in kept]
        )
    except OSError as error:
        raise LedgerUnavailable(
            f"The parts of a file cannot be written ({error.strerror}).",
            "Nothing was acknowledged that is not on disk; devices keep what was not answered.",
            "See that the disk of the data folder has room and is writable.",
        ) from None
    for place, item in enumerate(sorted_out.items):
        if isinstance(item, Piece) and sorted_out.numbers[item.raw.device, item.sha256] is None:
            sorted_out.items[place], sorted_out.answered[place] = None, PieceKept(refused=True)


def commit(connection: Connection, blobs: Blobs, sorted_out: SortedOut, now: Instant) -> list[Answer]:
    """Note the parts and keep the rest; an answer for each item of the batch, in order.

    A part whose file was taken away since (its blob is complete, or was refused) is answered and not noted: no row may
    tell of bytes that lie elsewhere, and the reading's next answer says what is missing.
    """
    gone = {key for key, number in sorted_out.numbers.items() if number is not None and blobs.number(*key) != number}
    items: list[Item] = []
    answered = dict(sorted_out.answered)
    for place, item in enumerate(sorted_out.items):
        if isinstance(item, Piece) and (item.raw.device, item.sha256) in gone:
            answered[place] = PieceKept()
        elif item is not None:
            items.append(item)
    done = iter(journal.commit(connection, items, now))
    return [answered[place] if place in answered else next(done) for place in range(len(sorted_out.items))]
