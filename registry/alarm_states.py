"""Alarms that nobody has to raise: how things stand in the tables, against limits.

Comes in: a snapshot of the ledger, limits. Goes out: ``Alarm`` of the sort *state*. Refuses to know: events, what is
outside the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from ingest.ledger.schema import CONTENT, DELIVERY, GAP, INBOX, JOURNAL, QUARANTINE
from ingest.model import Instant
from ingest.reasons import REGISTRY as REASONS
from ingest.reasons import Action
from ingest.series.lag import lag
from registry.alarm import MOST, SECOND, Alarm, Limits
from registry.alarm_codes import Code
from registry.unpublished import unpublished

_SOON_S = 60
"""What is done by the program alone, publishing and looking into files, takes no longer when all is well."""
_OPERATORS = [str(reason) for reason, entry in REASONS.items() if entry.action is Action.OPERATOR]


def states(connection: Connection, now: Instant, limits: Limits) -> Iterator[Alarm]:
    """What the tables tell: deliveries, publishing, trends, gaps, inbox, quarantine, silent devices."""
    yield from _deliveries(connection, now, now - limits.delivery_s * SECOND)
    left = unpublished(connection)
    if left.readings and left.oldest is not None and left.oldest < now - _SOON_S * SECOND:
        yield Alarm(Code.PUBLISHING_LATE, "export", left.oldest, now, left.readings)
    behind = lag(connection, now)
    if behind.is_late:
        yield Alarm(Code.SERIES_LATE, "project", now - int(behind.age_s * SECOND), now, behind.readings)
    yield from _gaps(connection, now, now - limits.gap_s * SECOND)
    yield from _inbox(connection, now, now - limits.inbox_s * SECOND)
    yield from _contents(connection, now, now - limits.content_s * SECOND)
    yield from _set_aside(connection, now)
    yield from _unheard(connection, now, now - limits.unheard_s * SECOND)


def _deliveries(connection: Connection, now: Instant, limit: Instant) -> Iterator[Alarm]:
    d = DELIVERY.c
    waiting = select(d.destination, func.min(d.due_at), func.count()).group_by(d.destination).order_by(d.destination)
    for destination, since, count in connection.execute(waiting.where(d.state == "due", d.due_at < limit)):
        yield Alarm(Code.DELIVERY_LATE, destination, since, now, count)
    for destination, since, count in connection.execute(waiting.where(d.state == "parked")):
        yield Alarm(Code.DELIVERY_PARKED, destination, since, now, count)


def _gaps(connection: Connection, now: Instant, limit: Instant) -> Iterator[Alarm]:
    g = GAP.c
    wanted = (
        select(g.device, func.min(g.first_seen), func.sum(g.last - g.first + 1))
        .where(g.closed_at.is_(None), g.first_seen < limit)
        .group_by(g.device)
        .order_by(g.device)
        .limit(MOST)
    )
    yield from (Alarm(Code.GAP_OPEN, row[0], row[1], now, int(row[2])) for row in connection.execute(wanted))


def _inbox(connection: Connection, now: Instant, limit: Instant) -> Iterator[Alarm]:
    i = INBOX.c
    wanted = select(i.device, func.min(i.since), func.count()).where(i.since < limit)
    for device, since, count in connection.execute(wanted.group_by(i.device).order_by(i.device).limit(MOST)):
        yield Alarm(Code.INBOX_OLD, device, since, now, count)


def _contents(connection: Connection, now: Instant, limit: Instant) -> Iterator[Alarm]:
    t = CONTENT.c
    wanted = (
        select(t.device, func.min(t.changed_at), func.count())
        .where(t.state == "waiting", t.changed_at < limit)
        .group_by(t.device)
        .order_by(t.device)
        .limit(MOST)
    )
    for device, since, count in connection.execute(wanted):
        yield Alarm(Code.CONTENT_LATE, device, since, now, count)
    whole = select(func.min(t.changed_at), func.count()).where(
        t.state == "complete", t.changed_at < now - _SOON_S * SECOND
    )
    for since, count in connection.execute(whole):
        if count:
            yield Alarm(Code.INSPECTION_LATE, "inspect", since, now, count)


def _set_aside(connection: Connection, now: Instant) -> Iterator[Alarm]:
    """Messages on which the site has to decide, by reason: a device that nobody registered may have any name."""
    q, t, j = QUARANTINE.c, CONTENT.c, JOURNAL.c
    found: dict[str, tuple[int, int]] = {}
    for wanted in (
        select(q.reason, func.min(j.received_at), func.count())
        .join_from(QUARANTINE, JOURNAL, j.position == q.position)
        .where(q.state == "waiting", q.reason.in_(_OPERATORS))
        .group_by(q.reason),
        select(t.reason, func.min(t.changed_at), func.count())
        .where(t.state == "refused", t.reason.in_(_OPERATORS), t.position.not_in(select(q.position)))
        .group_by(t.reason),
    ):
        for reason, since, count in connection.execute(wanted):
            before, counted = found.get(reason, (since, 0))
            found[reason] = min(before, since), counted + count
    for reason, (since, count) in sorted(found.items()):
        yield Alarm(Code.QUARANTINE_WAITING, reason, since, now, count)


_SILENT = """
SELECT h.device, h.at, max(j.received_at) FROM hello h
JOIN device d ON d.device = h.device AND d.revoked_at IS NULL
LEFT JOIN stream s ON s.device = h.device
LEFT JOIN key k ON k.device = s.device AND k.stream = s.stream AND k.seq = s.highest
LEFT JOIN journal j ON j.position = k.position
WHERE h.at < ? GROUP BY h.device, h.at ORDER BY h.device
"""
"""A device that stays connected says hello once: the newest message of each of its streams counts too."""


def _unheard(connection: Connection, now: Instant, limit: Instant) -> Iterator[Alarm]:
    heard = ((device, max(at, last or at)) for device, at, last in connection.exec_driver_sql(_SILENT, (limit,)))
    silent = [Alarm(Code.DEVICE_UNHEARD, device, last, now) for device, last in heard if last < limit]
    yield from silent[:MOST]
