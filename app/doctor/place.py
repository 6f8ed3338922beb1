"""Where the broker is, and how its line is secured.

Comes in: settings. Goes out: ``Place``. Refuses to know: accounts.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.settings import Settings

_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Place:
    """Host and port; ``tls`` finds its certificate good or not, None where the line is in the clear."""

    address: tuple[str, int]
    tls: ssl.SSLContext | None = None


def place_of(settings: Settings) -> Place:
    """The broker that the settings name; raises OSError when the authority's file cannot be read."""
    if settings.mqtt.url is None:
        return Place(("127.0.0.1", settings.broker.port))
    address = urlsplit(settings.mqtt.url)
    tls = ssl.create_default_context(cafile=settings.mqtt.ca_file) if address.scheme == "mqtts" else None
    return Place((address.hostname or "", address.port or _PORTS[address.scheme]), tls)
