"""Addresses in settings: what forms are taken, and whether one stays on this machine.

Comes in: texts. Goes out: the text checked, or ``ValueError`` that says what would be right and never repeats the text.
Refuses to know: which setting it is, names that only a name server knows.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator


def url_of(*schemes: str, path: bool = True) -> AfterValidator:
    """A check that a text is a URL of one of these schemes, with a host, without user name, query or fragment."""

    def check(text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in schemes or not parts.hostname or not _has_good_port(parts):
            raise ValueError(f"must be a URL that begins with {' or '.join(f'{s}://' for s in schemes)} and a host")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must hold no user name, password, query or fragment")
        if not path and parts.path.strip("/"):
            raise ValueError("must hold no path")
        return text.rstrip("/")

    return AfterValidator(check)


def sqlite_file(text: str) -> str:
    """``text`` if it is ``sqlite:///`` and a file's path."""
    if not text.startswith("sqlite:///") or not text.removeprefix("sqlite:///").strip("/"):
        raise ValueError("must name a file, as in sqlite:///data/ledger.sqlite: the one engine of this version")
    return text


def is_loopback(url: str) -> bool:
    """Whether the host of ``url`` is this machine by its name or address alone; nothing is resolved."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")  # RFC 6761, section 6.3


def _has_good_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False
