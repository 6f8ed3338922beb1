"""A Binary leaves: as its own bytes or as the FHIR resource around them, in pieces.

Comes in: a stored version, how it is wanted, where blobs lie. Goes out: an answer whose content was held against its
hash before its first byte leaves, and again before its last. Refuses to know: who asks.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response, StreamingResponse

from fhir_export import binary
from fhir_export.binary import Content
from fhir_export.pull import bundle
from fhir_export.pull.outcome import Problem, Refused
from fhir_export.pull.search import Version
from ingest.blobs import BlobMissing, Blobs

_FHIR = "application/fhir+json"
# What a device sent is never to be run or shown as a page of ours, whatever it says it is.
_INERT = {"Content-Disposition": "attachment", "Content-Security-Policy": "default-src 'none'; sandbox"}


def media(version: Version) -> str | None:
    """The media type of a version's content; None when it has none of its own."""
    found = binary.content(version.body)
    return found.media if found else None


def answer(version: Version, blobs: Blobs, headers: Mapping[str, str], *, native: bool) -> Response:
    """The answer to a read; raises Refused when the content is not there as it was."""
    body = bundle.resource(version)
    found = binary.content(body)
    if found is None:
        return Response(body, 200, headers, _FHIR)
    size = _size(blobs, found.sha256)
    pieces = binary.pieces(blobs, found.sha256)
    if native:
        told = {**headers, **_INERT, **_security(found), "Content-Length": str(size)}
        return StreamingResponse(pieces, 200, told, found.media)
    return StreamingResponse(found.resource(pieces), 200, {**headers, "Content-Length": str(found.length(size))}, _FHIR)


def _security(found: Content) -> Mapping[str, str]:
    """R4 tells it beside the bytes, which cannot (binary.html#rest)."""
    return {"X-Security-Context": found.context} if found.context else {}


def _size(blobs: Blobs, sha256: str) -> int:
    try:
        return binary.size(blobs, sha256)
    except (BlobMissing, OSError):
        raise Refused(Problem.BLOB_MISSING) from None
