"""The machine's clock, and whether it may be trusted to correct others.

Comes in: a setting. Goes out: the time in microseconds, and yes or no. Refuses to know: devices' clocks.
"""

from __future__ import annotations

import ctypes
import sys
import time
from typing import Literal

from ingest.model import Instant

_STA_UNSYNC = 0x0040  # <sys/timex.h>: the kernel does not take the clock for synchronised
_TIMEX_BYTES = 208  # sizeof(struct timex) on 64-bit Linux
_STATUS_OFFSET = 40  # offsetof(struct timex, status) there


def now() -> Instant:
    """Microseconds since 1970-01-01T00:00:00Z."""
    return time.time_ns() // 1000


def is_disciplined(setting: Literal["auto", "yes", "no"]) -> bool:
    """Whether this machine's clock may correct others: ``auto`` asks the kernel (adjtimex(2)), and is no elsewhere."""
    if setting != "auto":
        return setting == "yes"
    if not sys.platform.startswith("linux") or sys.maxsize <= 2**32:
        return False
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)  # modes = 0: read only
    if ctypes.CDLL(None).adjtimex(timex) < 0:
        return False
    status = int.from_bytes(timex.raw[_STATUS_OFFSET : _STATUS_OFFSET + 4], sys.byteorder)
    return not status & _STA_UNSYNC
