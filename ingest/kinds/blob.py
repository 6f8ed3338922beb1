"""How a reading names a large content that comes apart (device contract, section 7).

Comes in: a ``blob`` member. Goes out: ``Blob``, or ``Rejected``. Refuses to know: what is in it, whether it has come.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from pydantic import BaseModel, Field

from ingest.kinds.kind import WIRE
from ingest.model import Blob
from ingest.reasons import Reason, Rejected
from ingest.wire import Count


class BlobForm(BaseModel):
    """``blob`` on the wire: hex SHA-256, length in bytes, MIME type."""

    model_config = WIRE

    sha256: Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
    bytes: Count
    content_type: Annotated[str, Field(max_length=64)]

    def judged(self, at: str, types: Collection[str], most: int) -> Blob:
        """The blob, if it is of one of ``types`` and at most ``most`` bytes long; raises Rejected with ``blob.*``."""
        if self.content_type not in types:
            raise Rejected(Reason.BLOB_CONTENT_TYPE, f"{at}/content_type")
        if not 0 < self.bytes <= most:
            raise Rejected(Reason.BLOB_TOO_LARGE, f"{at}/bytes")
        return Blob(self.sha256, self.bytes, self.content_type)
