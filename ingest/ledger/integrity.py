"""Row hashes: what makes a changed or missing row show.

Comes in: a row's values. Goes out: 16 bytes of SHA-256 over them as one compact UTF-8 JSON array, bytes written as
hex: any language can compute it again. Refuses to know: which table it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeAlias

from pydantic_core import to_json

Value: TypeAlias = "int | str | bytes | Sequence[Value] | None"

_BYTES = 16


def row_hash(values: Sequence[Value]) -> bytes:
    """16 bytes that any change of any value changes."""
    return hashlib.sha256(to_json(values, bytes_mode="hex")).digest()[:_BYTES]
