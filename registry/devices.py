"""Devices: registration, credentials, and what their latest hello says of them.

Comes in: a connection to the ledger, a registration, a hash of the secret. Goes out: ``Device``, accounts for the
broker. Refuses to know: the broker, how a secret is made, who a device is worn by.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, select, update

from ingest.ledger.schema import DEVICE, DUE, HELLO
from ingest.model import DeviceStatus, Instant
from registry.faults import Conflict, Unfit, Unknown
from registry.model import Device, Identity

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{2,62}")  # device contract, C-CON-2
_EUI64 = re.compile(r"[0-9A-F]{2}(-[0-9A-F]{2}){7}")  # IEEE's written form, as in hello (contract, section 9)
_SITE = re.compile(r"\S(?:[^\x00-\x1f\x7f]{0,126}\S)?")


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A registration to be made; fields as in ``registry.model.Device``."""

    device: str
    site: str | None = None
    eui64: str | None = None
    method: str | None = None
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """Who may connect to the broker: the device's id and the hashes of its secret."""

    device: str
    secret_hash: str


def check(new: NewDevice, methods: Collection[str]) -> None:
    """Raise Unfit when a field has a form that cannot be taken; ``methods`` are the words that FHIR has codes for."""
    if not _ID.fullmatch(new.device):
        raise Unfit(
            "device.id",
            "The device id has a form that cannot be taken.",
            "Use 3 to 63 characters: a-z, 0-9, '_' and '-', beginning with a letter or digit.",
        )
    if new.eui64 is not None and not _EUI64.fullmatch(new.eui64):
        raise Unfit(
            "device.eui64",
            "The EUI-64 has a form that cannot be taken.",
            "Write eight pairs of hex digits in capitals, as in FE-ED-AB-EE-DE-AD-77-C3.",
        )
    if new.method is not None and new.method not in methods:
        raise Unfit(
            "device.method",
            "The method is not a known word.",
            f"Use one of: {', '.join(sorted(methods))}; or leave it out.",
        )
    if new.site is not None and not _SITE.fullmatch(new.site):
        raise Unfit(
            "device.site",
            "The site's name cannot be taken.",
            "Use 1 to 128 printable characters, no space at the ends.",
        )


def add(connection: Connection, new: NewDevice, secret_hash: str, now: Instant) -> None:
    """Register a checked device; raises Conflict when the id, or its EUI-64, is taken."""
    if connection.execute(select(DEVICE.c.device).where(DEVICE.c.device == new.device)).first():
        raise Conflict(
            "device.exists",
            f"The device {new.device} is registered already.",
            "Choose another id, or give it a new secret with `device rotate`.",
        )
    if new.eui64 is not None:
        other = connection.execute(select(DEVICE.c.device).where(DEVICE.c.eui64 == new.eui64)).scalar()
        if other is not None:
            raise Conflict(
                "device.eui64_exists",
                f"This EUI-64 is registered for the device {other}.",
                "An EUI-64 names one device in the world: read it again from the device itself.",
            )
    connection.execute(
        DEVICE.insert().values(
            device=new.device, site=new.site, eui64=new.eui64, method=new.method, simulated=int(new.simulated),
            secret_hash=secret_hash, added_at=now,
        )
    )  # fmt: skip
    _is_due(connection, new.device)


def revoke(connection: Connection, device: str, now: Instant) -> None:
    """Shut a device out from now on; repeating it is harmless. Raises Unknown."""
    if show(connection, device).status is DeviceStatus.REVOKED:
        return
    connection.execute(update(DEVICE).where(DEVICE.c.device == device).values(revoked_at=now))
    _is_due(connection, device)


def rotate(connection: Connection, device: str, secret_hash: str) -> None:
    """Give a device another secret; raises Unknown, or Conflict when it is revoked."""
    if show(connection, device).status is DeviceStatus.REVOKED:
        raise Conflict(
            "device.revoked",
            f"The device {device} is revoked.",
            "Register the device under a new id with `device add`.",
        )
    connection.execute(update(DEVICE).where(DEVICE.c.device == device).values(secret_hash=secret_hash))


def listed(connection: Connection) -> list[Device]:
    """Every registered device, by id."""
    return [_device(row) for row in connection.execute(_devices())]


def show(connection: Connection, device: str) -> Device:
    """One device; raises Unknown."""
    found = find(connection, [device])
    if device not in found:
        raise Unknown("device.unknown", "No such device is registered.", "See `device list`, or register it.")
    return found[device]


def find(connection: Connection, ids: Collection[str]) -> dict[str, Device]:
    """The registered ones among these ids. The identity is the latest hello's; a registered EUI-64 stands as it is."""
    rows = connection.execute(_devices().where(DEVICE.c.device.in_(ids)))
    return {row.device: _device(row) for row in rows}


def accounts(connection: Connection) -> Sequence[Account]:
    """Every device that may connect, by id: what the broker's door is set to."""
    wanted = (
        select(DEVICE.c.device, DEVICE.c.secret_hash).where(DEVICE.c.revoked_at.is_(None)).order_by(DEVICE.c.device)
    )
    return [Account(device, secret_hash) for device, secret_hash in connection.execute(wanted)]


def _devices() -> Select[Any]:
    return (
        select(
            DEVICE.c.device, DEVICE.c.revoked_at, DEVICE.c.site, DEVICE.c.eui64, DEVICE.c.method, DEVICE.c.simulated,
            HELLO.c.manufacturer, HELLO.c.model, HELLO.c.serial, HELLO.c.firmware, HELLO.c.kinds,
        )
        .join_from(DEVICE, HELLO, HELLO.c.device == DEVICE.c.device, isouter=True)
        .order_by(DEVICE.c.device)
    )  # fmt: skip


def _device(row: Row[Any]) -> Device:
    device, revoked_at, site, eui64, method, simulated, manufacturer, model, serial, firmware, kinds = tuple(row)
    return Device(
        device,
        DeviceStatus.ACTIVE if revoked_at is None else DeviceStatus.REVOKED,
        site,
        eui64,
        method,
        bool(simulated),
        Identity(manufacturer, model, serial, firmware, tuple(json.loads(kinds or "[]"))),
    )


def _is_due(connection: Connection, device: str) -> None:
    """Its FHIR resource has to be made again."""
    connection.execute(DUE.insert().values(what="device", ref=device))
