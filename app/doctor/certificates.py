"""How long the certificates hold on which the lines of this installation rest.

Comes in: an address, who vouches for it. Goes out: findings. Refuses to know: what is said over the line.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from app.doctor.finding import Finding, found

SOON_DAYS = 30
PATIENCE_S = 4.0
_DAY_S = 86_400
_PORTS = {"mqtts": 8883, "https": 443}


def look(name: str, url: str, authority: Path | None) -> Iterator[Finding]:
    """The server's certificate, and the authority's; ``name`` is the setting that names the address.

    A server that cannot be reached is for other looks to tell.
    """
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError:  # ssl.SSLError is one
        yield found("settings.authority_unreadable", name=name)
        return
    if authority is not None:
        for certificate in context.get_ca_certs():
            yield from by_date(f"{name} ({authority.name})", certificate)
    address = urlsplit(url)
    place = address.hostname or "", address.port or _PORTS[address.scheme]
    try:
        with (
            socket.create_connection(place, PATIENCE_S) as plain,
            context.wrap_socket(plain, server_hostname=place[0]) as line,
        ):
            certificate = line.getpeercert() or {}
    except ssl.SSLCertVerificationError as refused:
        yield found("settings.certificate_refused", name=name, why=refused.verify_message)
    except ssl.SSLError as refused:
        yield found("settings.certificate_refused", name=name, why=(refused.reason or "TLS").replace("_", " ").lower())
    except OSError:
        return
    else:
        yield from by_date(name, certificate)


def by_date(name: str, certificate: object) -> Iterator[Finding]:
    """What a certificate, as Python tells it, says of its last day."""
    until = certificate.get("notAfter") if isinstance(certificate, dict) else None
    if isinstance(until, str):
        days = int((ssl.cert_time_to_seconds(until) - time.time()) // _DAY_S)
        if days < SOON_DAYS:
            yield found("settings.certificate_soon" if days >= 0 else "settings.certificate_over", name=name, days=days)
