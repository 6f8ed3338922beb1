"""The page cursor: a feed position that only we can have written, for one search of one client.

Comes in: a position and what it is good for. Goes out: 32 letters, and the position again if all of it still holds.
Refuses to know: what a search is.

The signature covers the ledger's name, which changes when a backup is restored: positions of the time after the backup
are then given anew, and a client that went on from an old one would miss readings.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_FORM = re.compile(r"[A-Za-z0-9_-]{32}", re.ASCII)
_POSITION_BYTES = 8
_MAC_BYTES = 16
LEAST_KEY_BYTES = 32


class NotOurs(Exception):  # noqa: N818 - it says what was found
    """The text is not a cursor, or was issued by another ledger, for another client or another search."""


@dataclass(frozen=True, slots=True)
class CursorKey:
    """The secret, at least 32 bytes, and the 8 hex digits of the ledger it serves."""

    secret: bytes = field(repr=False)
    ledger: str

    def __post_init__(self) -> None:
        """Refuse a secret that could be guessed."""
        if len(self.secret) < LEAST_KEY_BYTES:
            raise ValueError("A cursor key has at least 32 bytes.")

    def issue(self, position: int, purpose: Sequence[str]) -> str:
        """Write a cursor; ``purpose`` is whatever it must not be used without: client, type, criteria."""
        raw = position.to_bytes(_POSITION_BYTES, "big")
        return base64.urlsafe_b64encode(raw + self._mac(raw, purpose)).decode()

    def position(self, cursor: str, purpose: Sequence[str]) -> int:
        """Read it back; raises NotOurs."""
        if not _FORM.fullmatch(cursor):
            raise NotOurs
        raw = base64.urlsafe_b64decode(cursor)
        position, mac = raw[:_POSITION_BYTES], raw[_POSITION_BYTES:]
        if not hmac.compare_digest(mac, self._mac(position, purpose)):
            raise NotOurs
        return int.from_bytes(position, "big")

    def _mac(self, position: bytes, purpose: Sequence[str]) -> bytes:
        told = json.dumps(["cursor/1", self.ledger, position.hex(), *purpose])
        return hmac.digest(self.secret, told.encode(), hashlib.sha256)[:_MAC_BYTES]
