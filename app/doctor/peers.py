"""One bounded question to a server over HTTP, for the looks that ask one.

Comes in: an address, headers. Goes out: status, body, and how far the server's clock is from ours; None when nobody
answered. Refuses to know: what is asked. Redirects are not followed: one across hosts would carry a token away.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx

PATIENCE_S = 4.0
"""Seconds for each step: to connect, to be answered. A server that needs longer is told as silent."""
MOST = 4_000_000
"""Bytes of an answer; a CapabilityStatement of HAPI has about 2 MB."""
WHOLE_S = 8.0
"""For the whole answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``ahead_s``: seconds by which the server's clock is ahead of ours, None when it tells no time."""

    status: int
    body: bytes
    ahead_s: float | None


def ask(url: str, headers: Mapping[str, str], *, method: str = "GET", content: bytes | None = None) -> Answer | None:
    """Ask once; None when it cannot be reached, is silent, or does not end."""
    begun = time.time()
    try:
        with (
            httpx.Client(follow_redirects=False, trust_env=False, timeout=PATIENCE_S) as client,
            client.stream(method, url, headers=dict(headers), content=content) as response,
        ):
            middle = (begun + time.time()) / 2
            body = _bounded(response, begun + WHOLE_S)
            if body is None:
                return None
            return Answer(response.status_code, body, _ahead(response.headers.get("date"), middle))
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL):
        return None


def token_of(path: Path | None) -> str | None:
    """The token in a file; None where there is no file or nothing usable in it."""
    if path is None:
        return None
    try:
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return token if token and token.isprintable() else None


def _bounded(response: httpx.Response, end: float) -> bytes | None:
    body = bytearray()
    for piece in response.iter_raw():
        body += piece
        if len(body) > MOST or time.time() > end:
            return None
    return bytes(body)


def _ahead(date: str | None, here: float) -> float | None:
    """RFC 9110, section 6.6.1: whole seconds, so half a second is added on average."""
    try:
        return parsedate_to_datetime(date or "").timestamp() + 0.5 - here
    except ValueError:
        return None
