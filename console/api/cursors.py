"""Cursors of lists that go by a place in the journal: opaque to whoever asks.

Comes in: a position, or a cursor. Goes out: the other. Refuses to know: what is listed.
"""

from __future__ import annotations

import base64
import binascii

from registry.faults import Unfit

_LARGEST = 2**63 - 1


def cursor_of(position: int) -> str:
    """The cursor that stands for a position."""
    return base64.urlsafe_b64encode(f"1.{position}".encode()).decode().rstrip("=")


def position_of(cursor: str) -> int:
    """The position that a cursor of ours stands for; raises Unfit."""
    try:
        word = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        version, _, position = word.partition(".")
        if version == "1" and 0 < int(position) <= _LARGEST and cursor_of(int(position)) == cursor:
            return int(position)
    except (ValueError, binascii.Error):
        pass
    raise Unfit("cursor", "The cursor was not given out by this installation.", "Start again without one.")
