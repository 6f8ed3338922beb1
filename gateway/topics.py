"""Topics of the device contract, section 2: what one names, and how it is built. Pure.

Comes in: topic text. Goes out: ``Address``. Refuses to know: payloads, registrations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ingest.model import Channel

ROOT = "constantes/v1"
EVERYTHING_UP = f"{ROOT}/up/#"
"""What the gateway subscribes to, at QoS 1."""

_DEVICE = r"[a-z0-9][a-z0-9_-]{2,62}"  # C-CON-2
_UP = re.compile(rf"{ROOT}/up/({_DEVICE})(?:/for/({_DEVICE}))?(?:/(.*))?", re.ASCII | re.DOTALL)
_BLOB = re.compile(r"blob/([0-9a-f]{64})/(0|[1-9][0-9]{0,14})", re.ASCII)
_CHANNELS = {str(channel): channel for channel in (Channel.HELLO, Channel.READING, Channel.STATE)}


@dataclass(frozen=True, slots=True)
class Address:
    """Who a message speaks for, through whom, and on which channel; ``device`` is empty when the topic names none."""

    device: str
    channel: Channel
    hub: str | None = None
    place: tuple[str, int] | None = None
    """Of a part of a blob: hex SHA-256 of the whole, and where the part starts."""


NOBODY = Address("", Channel.UNKNOWN)
LONGEST = 256
"""Bytes of the longest topic that names a channel, and some more."""


def parse(topic: str) -> Address:
    """What an ``up`` topic names; never raises."""
    match = _UP.fullmatch(topic)
    if match is None:
        return NOBODY
    sender, served, rest = match.groups()
    device, hub = (served, sender) if served else (sender, None)
    channel = _CHANNELS.get(rest or "", Channel.UNKNOWN)
    if channel is Channel.UNKNOWN and (part := _BLOB.fullmatch(rest or "")):
        return Address(device, Channel.BLOB, hub, (part[1], int(part[2])))
    return Address(device, channel, hub)


def address_of(topic: bytes) -> Address:
    """What the bytes of a topic name; never raises."""
    return _remembered(topic) if len(topic) <= LONGEST else _read(topic)  # 4,096 of MQTT's longest were 256 MB


def _read(topic: bytes) -> Address:
    try:
        return parse(topic.decode())
    except UnicodeDecodeError:  # MQTT forbids it (section 1.5.3), and not every broker refuses it
        return NOBODY


_remembered = lru_cache(4096)(_read)


def up(address: Address) -> str:
    """The topic of a channel that has a name of its own: the inverse of ``parse``."""
    way = f"{address.hub}/for/{address.device}" if address.hub else address.device
    where = f"/{address.place[0]}/{address.place[1]}" if address.place else ""
    return f"{ROOT}/up/{way}/{address.channel}{where}"


def down(sender: str) -> str:
    """Where a connection listens for receipts and commands."""
    return f"{ROOT}/down/{sender}"
