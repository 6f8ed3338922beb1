"""Whether a device is there, by the last word of its connection or of its hub's; nothing is probed.

Comes in: a snapshot of the ledger, device ids. Goes out: ``Heard``. Refuses to know: wills, topics.

A hub that is gone takes nothing away from its devices: they are unreachable through it, not offline (device contract,
section 12). One that said itself, or whose hub said, that it is off stays offline.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, select

from ingest.ledger.schema import HELLO
from ingest.model import Instant


class Presence(StrEnum):
    """The last word about a device."""

    ONLINE = "online"
    OFFLINE = "offline"
    UNREACHABLE = "unreachable"
    NEVER = "never heard"


@dataclass(frozen=True, slots=True)
class Heard:
    """``at``: its latest hello; ``via``: the hub that brought it, None when it came itself."""

    presence: Presence = Presence.NEVER
    at: Instant | None = None
    via: str | None = None


NEVER = Heard()


def heard(connection: Connection, ids: Collection[str]) -> dict[str, Heard]:
    """What is known of these devices; those never heard of are left out."""
    hub = HELLO.alias()
    wanted = (
        select(HELLO.c.device, HELLO.c.at, HELLO.c.online, HELLO.c.hub, hub.c.online)
        .join_from(HELLO, hub, hub.c.device == HELLO.c.hub, isouter=True)
        .where(HELLO.c.device.in_(ids))
    )
    rows = connection.execute(wanted)
    return {device: Heard(_word(online, hub_online), at, via) for device, at, online, via, hub_online in rows}


def _word(online: int, hub_online: int | None) -> Presence:
    """``hub_online`` is None without a hub, and for a hub that never said hello: then nothing is known against it."""
    if not online:
        return Presence.OFFLINE
    return Presence.UNREACHABLE if hub_online == 0 else Presence.ONLINE
