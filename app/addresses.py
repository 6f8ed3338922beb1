"""Addresses in settings: what forms are taken, and whether one stays on this machine.

Comes in: texts. Goes out: the text checked, or ``ValueError`` that says what would be right and never repeats the text.
Refuses to know: which setting it is, names that only a name server knows.
"""

from __future__ import annotations

import ipaddress
import re
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


def series_url(text: str) -> str:
    """``text`` if it is ``embedded``, or an InfluxDB's address."""
    return text if text == "embedded" else str(url_of("http", "https", path=False).func(text))  # type: ignore[call-arg]


_LEDGER = ("sqlite:///", "postgresql+psycopg://")
_TLS = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey"})
_host = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:[0-9]{1,5})?").fullmatch


def ledger_url(text: str) -> str:
    """``text`` if it is ``sqlite:///`` and a file's path, or ``postgresql+psycopg://user@host:port/database``.

    Several hosts stand with commas between them: of those the one that can be written is used. Behind ``?`` may stand
    how the line is secured (``sslmode``, ``sslrootcert``, ``sslcert``, ``sslkey``).
    """
    if text.startswith("sqlite:///") and text.removeprefix("sqlite:///").strip("/"):
        return text
    scheme, _, rest = text.partition("://")
    where, _, options = rest.partition("?")
    user, _, place = where.rpartition("@")
    hosts, _, database = place.partition("/")
    if f"{scheme}://" not in _LEDGER[1:] or not database or "/" in database or not all(map(_host, hosts.split(","))):
        raise ValueError(
            "must be sqlite:///data/ledger.sqlite or postgresql+psycopg://user@host:port/database;"
            " several hosts stand with commas between them"
        )
    if ":" in user:
        raise ValueError("must hold no password: name its file with CONSTANTES_LEDGER__PASSWORD_FILE")
    if any(option.partition("=")[0] not in _TLS for option in filter(None, options.split("&"))):
        raise ValueError(f"may say behind ? only {', '.join(sorted(_TLS))}")
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
