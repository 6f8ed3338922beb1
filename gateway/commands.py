"""Commands to devices (device contract, section 9). Pure.

Comes in: facts. Goes out: payloads. Refuses to know: topics, when they are sent.
"""

from __future__ import annotations

import json
from typing import Any

from ingest.clock import utc_text
from ingest.ledger.port import Missing, Told, Welcomed
from ingest.model import Instant

_encode = json.JSONEncoder(separators=(",", ":")).encode


def welcome(told: Told, welcomed: Welcomed, ledger: str, now: Instant) -> bytes:
    """The answer to a hello; ``now`` comes back as the clock's echo."""
    command: dict[str, Any] = {
        "v": 1,
        "command": "welcome",
        "conn": told.conn,
        "gateway_time": utc_text(now),
        "ledger": ledger,
    }
    if welcomed.settled is not None:
        command["settled"] = {told.stream: welcomed.settled}
    return _for(told.device, told.hub, command)


def resend(gap: Missing) -> bytes:
    """Ask for readings that never came, never below what the device still holds."""
    command = {
        "v": 1,
        "command": "resend",
        "stream": gap.stream,
        "from": max(gap.first, gap.oldest),
        "to": gap.last,
    }
    return _for(gap.device, gap.hub, command)


def slow_down(device: str, hub: str | None, retry_after_s: int) -> bytes:
    """Ask a device that floods to wait."""
    return _for(device, hub, {"v": 1, "command": "slow_down", "retry_after_s": retry_after_s})


def _for(device: str, hub: str | None, command: dict[str, Any]) -> bytes:
    if hub is not None:
        command["device"] = device
    return _encode(command).encode()
