"""Contents that come apart, for the ledger without a file: the same rules over dictionaries.

Comes in: claims, parts. Goes out: what is missing, verdicts told later. Refuses to know: files.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from ingest.blobs import missing
from ingest.ledger.contents import DEVICE_MOST
from ingest.ledger.port import Kept, Later, PieceKept
from ingest.model import Blob, Judged, Key, Outcome, Piece, Verdict
from ingest.reasons import Reason


@dataclass(slots=True)
class _Claim:
    judged: Judged
    blob: Blob
    outcome: Outcome = Outcome.PENDING
    reason: Reason | None = None


@dataclass(slots=True)
class MemoryContents:
    """Claims and parts by device and blob; ``look`` does what the inspector does: the hash, nothing of the inside."""

    later: list[Later] = field(default_factory=list)
    told: int = 0
    _claims: dict[Key, _Claim] = field(default_factory=dict)
    _parts: dict[tuple[str, str], dict[int, bytes]] = field(default_factory=dict)

    def claim(self, judged: Judged) -> tuple[tuple[int, int], ...]:
        """Note what a reading waits for; the byte ranges that are missing."""
        key, reading = judged.key, judged.reading
        if key is None or reading is None or reading.blob is None:
            return ()
        self._claims[key] = _Claim(judged, reading.blob)
        return self._left(key.device, reading.blob)

    def keep(self, piece: Piece) -> PieceKept | Judged:
        """Keep a part, or set it aside when it reaches past the end of what was claimed."""
        device, end = piece.raw.device, piece.start + len(piece.raw.payload)
        claims = [c for key, c in self._claims.items() if key.device == device and c.blob.sha256 == piece.sha256]
        waiting = [c.blob for c in claims if c.outcome is Outcome.PENDING and self._left(device, c.blob)]
        if waiting and end > max(blob.size for blob in waiting):
            return Judged(piece.raw, piece.sha, Verdict(Outcome.QUARANTINED, Reason.BLOB_PART))
        if not waiting and any(c.outcome in (Outcome.PENDING, Outcome.STORED) for c in claims):
            return PieceKept()
        held = sum(len(part) for (of, _), parts in self._parts.items() if of == device for part in parts.values())
        if held + len(piece.raw.payload) > DEVICE_MOST:
            return PieceKept(refused=True)
        self._parts.setdefault((device, piece.sha256), {})[piece.start] = piece.raw.payload
        return PieceKept()

    def present(self, key: Key, kept: Kept) -> Kept:
        """``kept`` as it is now."""
        claim = self._claims.get(key)
        if claim is None or kept.outcome is not Outcome.PENDING:
            return kept
        if claim.outcome is Outcome.PENDING:
            return replace(kept, missing=self._left(key.device, claim.blob))
        return replace(kept, outcome=claim.outcome, reason=claim.reason, missing=None)

    def look(self) -> None:
        """Settle every claim whose parts are all there."""
        for key, claim in self._claims.items():
            if claim.outcome is not Outcome.PENDING or self._left(key.device, claim.blob):
                continue
            parts = self._parts.pop((key.device, claim.blob.sha256), {})
            whole = bytearray(claim.blob.size)
            for start, part in parts.items():
                whole[start : start + len(part)] = part
            good = hashlib.sha256(whole).hexdigest() == claim.blob.sha256
            claim.outcome = Outcome.STORED if good else Outcome.QUARANTINED
            claim.reason = None if good else Reason.BLOB_HASH_MISMATCH
            self.later.append(
                Later(
                    len(self.later) + 1, key.device, claim.judged.raw.hub, key.stream, key.seq, claim.judged.sha,
                    key.reading, claim.outcome, claim.reason, None if good else "/",
                )
            )  # fmt: skip

    def _left(self, device: str, blob: Blob) -> tuple[tuple[int, int], ...]:
        parts = self._parts.get((device, blob.sha256), {})
        return tuple(missing([(start, start + len(part)) for start, part in parts.items()], blob.size))
