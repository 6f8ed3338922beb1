"""The data of a Binary, given to it piece by piece as it leaves.

Comes in: a resource as the feed keeps it, the blobs. Goes out: the same with what takes the placeholder's place.
Refuses to know: HTTP, rows.
"""

from __future__ import annotations

from dataclasses import replace

from fhir_export import binary
from fhir_export.push.port import Outgoing
from ingest.blobs import Blobs


def whole(one: Outgoing, blobs: Blobs) -> Outgoing:
    """As it leaves; anything but a Binary is that already. Raises BlobMissing or OSError."""
    found = binary.content(one.body) if one.type == binary.TYPE else None
    if found is None:
        return one
    size = found.length(binary.size(blobs, found.sha256))
    return replace(one, size=size, pieces=lambda: found.resource(binary.pieces(blobs, found.sha256)))
