"""Routes about what waits and whether everything is there: quarantine, gaps, deliveries, balance, verify.

Comes in: requests whose form is right. Goes out: read models. Refuses to know: rules, tables.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path

from console.api.access import Who, audited
from console.api.wire import Limit
from console.api.wire_ledger import BalanceOut, DeliveryOut, GapOut, InboxOut, MessageOut, SetAsideOut, VerifiedOut
from console.office import Office
from ingest.ledger.balance import balance
from ingest.ledger.verify import verify
from registry import waiting
from registry.masking import masked, plain

_LARGEST = 2**63 - 1


def add(router: APIRouter, office: Office) -> None:
    """Put the routes on ``router``."""

    @router.get("/quarantine", tags=["waiting"])
    def list_quarantine(limit: Limit = 100) -> dict[str, list[SetAsideOut]]:
        """Messages that could not be used, newest first."""
        with office.snapshot() as connection:
            return {"items": [SetAsideOut.of(found) for found in waiting.quarantined(connection, limit)]}

    @router.get("/quarantine/{number}", tags=["waiting"])
    def show_quarantined(
        number: Annotated[int, Path(ge=1, le=_LARGEST)], who: Who, *, values: bool = False
    ) -> MessageOut:
        """One of them, its values masked unless ``values`` is true: then it is noted who saw them."""
        with office.snapshot() as connection:
            found = waiting.quarantined_one(connection, number)
        if not values:
            return MessageOut.whole(found, masked(found.payload))
        audited(office, who, "Observation", 1)
        return MessageOut.whole(found, plain(found.payload))

    @router.get("/inbox", tags=["waiting"])
    def count_inbox() -> dict[str, list[InboxOut]]:
        """Readings without a patient, counted by device."""
        with office.snapshot() as connection:
            found = waiting.inbox(connection)
        return {"items": [InboxOut(device=device, readings=count) for device, count in found.items()]}

    @router.get("/gaps", tags=["waiting"])
    def list_gaps(limit: Limit = 100, *, closed: bool = False) -> dict[str, list[GapOut]]:
        """Sequence numbers that have not come, oldest first; or the closed gaps, newest first."""
        with office.snapshot() as connection:
            return {"items": [GapOut.of(gap) for gap in waiting.gaps(connection, limit, closed=closed)]}

    @router.get("/deliveries", tags=["waiting"])
    def list_deliveries(
        limit: Limit = 100, state: Literal["due", "parked"] | None = None
    ) -> dict[str, list[DeliveryOut]]:
        """Resource versions that a destination has not confirmed, parked ones first."""
        with office.snapshot() as connection:
            return {"items": [DeliveryOut.of(found) for found in waiting.deliveries(connection, limit, state)]}

    @router.get("/ledger/balance", tags=["ledger"])
    def show_balance() -> BalanceOut:
        """Counts: received = stored + duplicate + quarantined + dismissed + pending."""
        with office.snapshot() as connection:
            return BalanceOut.of(balance(connection))

    @router.get("/ledger/verify", tags=["ledger"])
    def verify_ledger() -> VerifiedOut:
        """Every row's hash computed again, and every row that others need; reads the whole ledger."""
        with office.snapshot() as connection:
            return VerifiedOut.of(verify(connection, blobs=office.file.blobs))
