"""A Binary as it is kept and as it leaves: its bytes lie in the blob store, once, and a placeholder stands for them.

Comes in: a Binary's stored bytes, or what a record says of one. Goes out: the same resource with its content as base64,
or the content alone; in pieces, so that a large one needs no more memory than a small one. Refuses to know: who asks,
what the content is.

    {"resourceType":"Binary", ... ,"data":"@sha256:9fb0..."}    kept in the feed; `@` is no letter of base64

A placeholder never leaves, and neither does content that is not what the placeholder says.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from binascii import Error, a2b_base64
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.blobs import BlobMissing, Blobs, digest

TYPE = "Binary"
_PLACEHOLDER = re.compile(rb'"data":"@sha256:([0-9a-f]{64})"')
_DATA = re.compile(rb'"data"\s*:\s*"([^"]*)"')
_SPACE = re.compile(rb"\\[nrt]|[\s\\]")  # as JSON may write it, and the backslash that may stand before a slash
_MEDIA = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}/[a-z0-9][a-z0-9.+-]{0,63}", re.ASCII)
_REFERENCE = re.compile(r"[A-Z][A-Za-z]{1,63}/[A-Za-z0-9.-]{1,64}", re.ASCII)
_ANY = "application/octet-stream"
_PIECE = 3 * 65_536  # bytes: a multiple of three, whose base64 needs no padding


@dataclass(frozen=True, slots=True)
class Content:
    """What a Binary says of its bytes: hash, media type, the resource that access to it goes by (R4, binary.html).

    ``before`` and ``after`` enclose the base64.
    """

    sha256: str
    media: str
    context: str | None
    before: bytes
    after: bytes

    def length(self, size: int) -> int:
        """Bytes of the whole resource around content of ``size`` bytes."""
        return len(self.before) + (size + 2) // 3 * 4 + len(self.after)

    def resource(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The whole resource; every piece but the last is a multiple of three bytes long."""
        yield self.before
        for piece in pieces:
            yield b64encode(piece)
        yield self.after


def content(body: bytes) -> Content | None:
    """What stands in for the data of this body; None when nothing does."""
    found = _PLACEHOLDER.search(body)
    if found is None:
        return None
    tree = json.loads(body)
    media, context = str(tree.get("contentType")), str(tree.get("securityContext", {}).get("reference"))
    return Content(
        found[1].decode(),
        media if _MEDIA.fullmatch(media) else _ANY,
        context if _REFERENCE.fullmatch(context) else None,
        body[: found.start(1) - len("@sha256:")],
        body[found.end(1) :],
    )


def size(blobs: Blobs, sha256: str) -> int:
    """Bytes of a blob that is there and is what its name says; raises BlobMissing, OSError."""
    path = blobs.path(sha256)
    try:
        if digest(path) == sha256:
            return path.stat().st_size
    except FileNotFoundError:
        pass
    raise BlobMissing(sha256)


def pieces(blobs: Blobs, sha256: str) -> Iterator[bytes]:
    """A blob piece by piece; raises BlobMissing before the last one when it changed after ``size`` had looked."""
    found, held = hashlib.sha256(), b""
    with blobs.path(sha256).open("rb") as file:
        while piece := file.read(_PIECE):
            if held:
                yield held
            found.update(piece)
            held = piece
    if found.hexdigest() != sha256:
        raise BlobMissing(sha256)
    if held:
        yield held


def told(body: bytes) -> bytes:
    """What a record says of a Binary, its base64 put into a placeholder: comparable with what is kept.

    Data that is no base64 becomes what no content has, a placeholder that came back as well.
    """
    return _DATA.sub(_placeholder, body)


def _placeholder(data: re.Match[bytes]) -> bytes:
    try:
        raw = a2b_base64(_SPACE.sub(b"", data[1]), strict_mode=True)
    except Error:
        return b'"data":"@"'
    return b'"data":"@sha256:%s"' % hashlib.sha256(raw).hexdigest().encode()
