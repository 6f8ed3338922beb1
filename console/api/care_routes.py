"""Routes that take care of the ledger: pruning, and what a person knows of damaged rows.

Comes in: requests whose form is right. Goes out: what was done. Refuses to know: what may go, what is damaged.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from console.api.access import Who
from console.api.wire_ledger import FaultOut
from console.office import Office
from ingest.ledger.looks import note_known
from ingest.ledger.pruning import prune


class PruneIn(BaseModel):
    """How old a message is at least, and whether to say only what would go."""

    model_config = ConfigDict(extra="forbid")

    older_than_days: Annotated[int, Field(ge=1, le=36_500)]
    dry_run: bool = False


class PrunedOut(BaseModel):
    """What went, or would; ``kept``: old segments that stay, by why."""

    segments: int
    messages: int
    bytes: int
    kept: dict[str, int]


def add(router: APIRouter, office: Office) -> None:
    """Put the routes on ``router``."""

    @router.post("/ledger/prune", tags=["ledger"])
    def prune_ledger(wanted: PruneIn, who: Who) -> PrunedOut:
        """Take the bytes of messages out that are old, sealed and confirmed by every record."""
        gone = prune(office.file, office.now(), wanted.older_than_days, who, dry_run=wanted.dry_run)
        return PrunedOut(segments=gone.segments, messages=gone.messages, bytes=gone.bytes, kept=gone.kept)

    @router.post("/ledger/known", tags=["ledger"])
    def know_damaged(who: Who) -> dict[str, list[FaultOut]]:
        """Note that a person knows of the damaged rows that no seal covers: parts start without them."""
        found = office.file.writer.write(lambda connection: note_known(connection, who, office.now()))
        return {"items": [FaultOut(table=f.table, position=f.position, what=f.what) for f in found]}
