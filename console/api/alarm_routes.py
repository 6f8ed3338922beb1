"""Routes about what a person should know of.

Comes in: requests whose form is right. Goes out: alarms with their texts. Refuses to know: rules, tables.
"""

from __future__ import annotations

from fastapi import APIRouter

from console.api.wire_alarms import AlarmIn, AlarmOut
from console.office import Office
from ingest.ledger.faults import LedgerFault
from registry import alarms
from registry.alarm import Alarm
from registry.alarm_codes import Code


def add(router: APIRouter, office: Office) -> None:
    """Put the routes on ``router``."""

    @router.get("/alarms", tags=["alarms"])
    def list_alarms(*, cleared: bool = False) -> dict[str, list[AlarmOut]]:
        """Open alarms, errors first; with ``cleared``, behind them the newest events that are over."""
        found = current(office)
        if cleared:
            with office.snapshot() as connection:
                found += alarms.cleared(connection)
        return {"items": [AlarmOut.of(alarm, office.language) for alarm in found]}

    @router.post("/alarms/clear", status_code=204, tags=["alarms"])
    def clear_alarm(asked: AlarmIn) -> None:
        """A person has seen to an event. What is worked out from how things are ends by itself."""
        alarms.clear(office.file, asked.code, asked.subject, office.now())


def current(office: Office) -> list[Alarm]:
    """Open alarms now; while the ledger is away, those that are seen without it."""
    now = office.now()
    outside = office.outside.alarms(now)
    try:
        with office.snapshot() as connection:
            return alarms.current(connection, now, office.limits, outside)
    except LedgerFault:
        return alarms.in_order([*outside, Alarm(Code.LEDGER_AWAY, "ledger", now, now)])
