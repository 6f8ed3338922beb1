"""Whether the record holds what was sent: the same resource, digit by digit, less what servers add. Pure.

Comes in: two bodies. Goes out: yes or no. Refuses to know: which of them is right.

Left aside: ``meta.versionId`` and ``meta.lastUpdated``, which are the server's, and the ``#...`` that HAPI appends to
``meta.source``. The order of members does not count; the order of lists and the digits of numbers do. Of a Binary's
data the bytes count, not how they are written; ours may be the placeholder of the feed.
"""

from __future__ import annotations

import json
from typing import Any

from fhir_export import binary

_BINARY = b'"resourceType":"Binary"'
_SERVERS_OWN = ("versionId", "lastUpdated")


class _Number(str):
    """A number as written; never equal to a string of the same characters."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Number) and str.__eq__(self, other)

    def __hash__(self) -> int:
        return hash(("number", str(self)))


def same_content(ours: bytes, theirs: bytes) -> bool:
    """Whether both say the same; False when either is no JSON object."""
    if _BINARY in ours:
        ours, theirs = ours if binary.content(ours) else binary.told(ours), binary.told(theirs)
    one, other = _content(ours), _content(theirs)
    return one is not None and one == other


def _content(body: bytes) -> dict[str, Any] | None:
    try:
        tree = json.loads(body, parse_float=_Number, parse_int=_Number)
    except (ValueError, RecursionError):
        return None
    if not isinstance(tree, dict):
        return None
    meta = tree.pop("meta", None)
    kept = {name: value for name, value in _own(meta).items() if value}
    return tree | ({"meta": kept} if kept else {})


def _own(meta: object) -> dict[str, Any]:
    members = (
        {name: value for name, value in meta.items() if name not in _SERVERS_OWN} if isinstance(meta, dict) else {}
    )
    if isinstance(source := members.get("source"), str):
        members["source"] = source.partition("#")[0]
    return members
