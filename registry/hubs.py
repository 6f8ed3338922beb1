"""Hubs: which device speaks for which others, from when to when (device contract, section 12).

Comes in: a connection to the ledger, an interval. Goes out: ``Service``. Refuses to know: messages, whether anything is
there to be heard.

A hub is a registered device. Two hubs may serve one device: both hearing one measurement make one reading.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select, update

from ingest.clock import utc_text
from ingest.ledger.schema import SERVES
from ingest.model import DeviceStatus, Instant
from registry import devices
from registry.faults import Conflict, Unfit, Unknown

_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class Service:
    """``hub`` may speak for ``device`` from ``start`` (inclusive) to ``end`` (exclusive; None: no end is known)."""

    hub: str
    device: str
    start: Instant
    end: Instant | None = None


def serve(connection: Connection, hub: str, device: str, start: Instant, end: Instant | None, now: Instant) -> Service:
    """Let the hub speak for the device in the interval.

    Raises Unknown for an unregistered one of them, Unfit for an empty interval or a device that would serve itself,
    Conflict when one of them is revoked or the hub serves the device in a part of the interval already.
    """
    if hub == device:
        raise Unfit("hub.itself", "A device speaks for itself anyway.", "Name the hub first, then the device.")
    for each, part in ((hub, "hub"), (device, "device")):
        _need_active(connection, each, part)
    if end is not None and end <= start:
        raise Unfit("hub.interval", "The service ends before it begins.", "Give a later end, or none.")
    made = Service(hub, device, start, end)
    other = connection.execute(_SERVICES.where(_overlap(made)).order_by(SERVES.c.start)).first()
    if other is not None:
        raise Conflict(
            "hub.overlap",
            f"The hub {hub} serves the device {device} in that time already, {_span(Service(*other))}.",
            f"End that first (`hub end {hub} {device} --at TIME`), or give another interval.",
        )
    connection.execute(
        SERVES.insert().values(
            serves=secrets.token_hex(_ID_BYTES), hub=hub, device=device, start=start, end=end, made_at=now
        )
    )
    return made


def end(connection: Connection, hub: str, device: str, at: Instant) -> Service:
    """Let a service end at ``at`` (exclusive); what the hub brought before stays.

    Raises Unknown when the hub never served the device, Unfit when ``at`` is inside no service of theirs.
    """
    pair = (SERVES.c.hub == hub, SERVES.c.device == device)
    held = [Service(*row) for row in connection.execute(_SERVICES.where(*pair).order_by(SERVES.c.start.desc()))]
    if not held:
        raise Unknown("hub.not_serving", "This hub never served this device.", "See `hub list`.")
    inside = next((each for each in held if each.start < at and (each.end is None or at < each.end)), None)
    if inside is None:
        raise Unfit(
            "hub.interval",
            f"The hub {hub} does not serve the device {device} at that time; its latest service runs {_span(held[0])}.",
            "Give a time inside a service, with --at; see `hub list`.",
        )
    connection.execute(update(SERVES).where(*pair, SERVES.c.start == inside.start).values(end=at))
    return Service(hub, device, inside.start, at)


def listed(connection: Connection) -> list[Service]:
    """Every service, the ended ones too, by hub and device, newest first."""
    return _found(connection, _SERVICES)


def of_hub(connection: Connection, hub: str) -> list[Service]:
    """The services of a hub."""
    return _found(connection, _SERVICES.where(SERVES.c.hub == hub))


def of_device(connection: Connection, device: str) -> list[Service]:
    """The services that a device has and had."""
    return _found(connection, _SERVICES.where(SERVES.c.device == device))


_SERVICES: Select[Any] = select(SERVES.c.hub, SERVES.c.device, SERVES.c.start, SERVES.c.end)


def _found(connection: Connection, wanted: Select[Any]) -> list[Service]:
    by = (SERVES.c.hub, SERVES.c.device, SERVES.c.start.desc())
    return [Service(*row) for row in connection.execute(wanted.order_by(*by))]


def _need_active(connection: Connection, device: str, part: str) -> None:
    try:
        status = devices.show(connection, device).status
    except Unknown:
        what = f"No such {part} is registered."
        raise Unknown("device.unknown", what, "See `device list`, or register it.") from None
    if status is DeviceStatus.REVOKED:
        raise Conflict(
            "device.revoked",
            f"The device {device} is revoked.",
            "Register it under a new id with `device add`, and name that one.",
        )


def _overlap(made: Service) -> ColumnElement[bool]:
    theirs = and_(
        SERVES.c.hub == made.hub,
        SERVES.c.device == made.device,
        or_(SERVES.c.end.is_(None), SERVES.c.end > made.start),
    )
    return theirs if made.end is None else and_(theirs, SERVES.c.start < made.end)


def _span(held: Service) -> str:
    until = "further notice" if held.end is None else utc_text(held.end)
    return f"from {utc_text(held.start)} to {until}"
