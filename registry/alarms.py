"""What a person should know of now: events that were noted, and states that the tables tell by themselves.

Comes in: a snapshot of the ledger, limits, and what was seen outside the ledger. Goes out: ``Alarm``. Refuses to know:
languages, processes, disks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, select

from ingest.ledger import alarms as ledger
from ingest.ledger.files import OpenLedger
from ingest.ledger.schema import ALARM
from ingest.model import Instant
from registry.alarm import MOST, Alarm, Limits
from registry.alarm_codes import REGISTRY, Code, Severity, Sort
from registry.alarm_states import states
from registry.faults import Conflict, Unknown


def current(connection: Connection, now: Instant, limits: Limits, outside: Iterable[Alarm] = ()) -> list[Alarm]:
    """Every open alarm, errors first, then the oldest; one of each code and subject."""
    found: dict[tuple[str, str], Alarm] = {}
    for alarm in (*noted(connection), *states(connection, now, limits), *outside):
        before = found.setdefault((alarm.code, alarm.subject), alarm)
        if before is not alarm:
            found[alarm.code, alarm.subject] = _merged(before, alarm)
    return in_order(found.values())


def in_order(alarms: Iterable[Alarm]) -> list[Alarm]:
    """Errors first, then the oldest."""
    return sorted(alarms, key=lambda one: (one.severity is not Severity.ERROR, one.since, one.code, one.subject))


def noted(connection: Connection) -> Iterator[Alarm]:
    """Open events; two rows of one code and subject, which two gateways may have opened, come one after the other."""
    a = ALARM.c
    rows = select(a.code, a.subject, a.since, a.last_at, a.count).where(a.cleared_at.is_(None)).order_by(a.alarm)
    yield from (Alarm(*row) for row in connection.execute(rows))


def cleared(connection: Connection) -> list[Alarm]:
    """The newest events that are over."""
    a = ALARM.c
    rows = (
        select(a.code, a.subject, a.since, a.last_at, a.count, a.cleared_at)
        .where(a.cleared_at.is_not(None))
        .order_by(a.cleared_at.desc(), a.alarm.desc())
        .limit(MOST)
    )
    return [Alarm(*row) for row in connection.execute(rows)]


def clear(file: OpenLedger, code: str, subject: str, now: Instant) -> None:
    """A person has seen to an event; raises Unknown for one that is not open, Conflict for a state."""
    if code in REGISTRY and REGISTRY[Code(code)].sort is Sort.STATE:
        raise Conflict(
            "alarm.state",
            "This alarm is worked out from how things are, and ends by itself when they are mended.",
            "See its remedy in `constantes alarms list`.",
        )

    def job(connection: Connection) -> bool:
        is_open = any((one.code, one.subject) == (code, subject) for one in noted(connection))
        if is_open:
            ledger.clear(connection, code, subject, now)
        return is_open

    if not file.writer.write(job):
        raise Unknown("alarm.unknown", "No such alarm is open.", "See `constantes alarms list`.")


def _merged(one: Alarm, other: Alarm) -> Alarm:
    both = (one, other)
    since, last_at = min(each.since for each in both), max(each.last_at for each in both)
    return Alarm(one.code, one.subject, since, last_at, one.count + other.count)
