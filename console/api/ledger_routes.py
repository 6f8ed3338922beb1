"""Routes about what waits and whether everything is there: gaps, deliveries, balance, verify.

Comes in: requests whose form is right. Goes out: read models. Refuses to know: rules, tables.
"""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from console.api.wire import Limit, shown
from console.api.wire_ledger import (
    BalanceOut,
    DeliveriesOut,
    DeliveryOut,
    GapOut,
    InboxOut,
    UnpublishedOut,
    VerifiedOut,
)
from console.office import Office
from ingest.ledger.balance import balance
from ingest.ledger.verify import verify
from registry import waiting
from registry.unpublished import unpublished


def add(router: APIRouter, office: Office) -> None:
    """Put the routes on ``router``."""

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
    def list_deliveries(limit: Limit = 100, state: Literal["due", "parked"] | None = None) -> DeliveriesOut:
        """Resource versions that a destination has not confirmed, parked ones first."""
        waits = office.outside.waits()
        with office.snapshot() as connection:
            items = [DeliveryOut.of(found, waits) for found in waiting.deliveries(connection, limit, state)]
            left = unpublished(connection)
        return DeliveriesOut(items=items, unpublished=UnpublishedOut(readings=left.readings, since=shown(left.oldest)))

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
