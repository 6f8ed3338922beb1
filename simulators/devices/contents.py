"""Large contents, each in a file beside the outbox, from before their reading until its verdict.

Comes in: bytes with what a reading says of them. Goes out: any stretch of them. Refuses to know: which reading, which
gateway, what is in them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from simulators.devices.messages import Json

_PLACES = ("recording", "image")
"""Members of a reading that may name a content (device contract, sections 5 and 6)."""


class Content(dict[str, Json]):
    """The `blob` member of a reading that still carries the bytes it names; as JSON it is the member alone."""

    def __init__(self, raw: bytes, content_type: str) -> None:
        super().__init__(sha256=hashlib.sha256(raw).hexdigest(), bytes=len(raw), content_type=content_type)
        self.raw = raw

    def lying(self, *, raw: bytes | None = None, size: int | None = None) -> Self:
        """The same member with other bytes behind it, or with a length that is not theirs."""
        other = type(self)(self.raw, str(self["content_type"]))
        other.raw = self.raw if raw is None else raw
        other["bytes"] = self["bytes"] if size is None else size
        return other


class Claim(NamedTuple):
    """What a reading says of its content: hex SHA-256 and length in bytes."""

    sha256: str
    size: int


def carried(members: Mapping[str, Any]) -> Content | None:
    """The content that a new reading carries."""
    return next((found for name in _PLACES if isinstance(found := _blob(members.get(name)), Content)), None)


def claimed(payload: bytes) -> Claim | None:
    """The content that a kept reading names; None for most readings."""
    if b'"blob"' not in payload:
        return None
    members = json.loads(payload)
    blob = next((found for name in _PLACES if (found := _blob(members.get(name))) is not None), None)
    return None if blob is None else Claim(str(blob["sha256"]), int(blob["bytes"]))


def _blob(member: object) -> Any:  # noqa: ANN401 - JSON that the device made itself
    return member.get("blob") if isinstance(member, Mapping) else None


class Contents:
    """Contents by their SHA-256; `folder` None keeps them in memory. The folder is made with the first of them."""

    def __init__(self, folder: Path | None = None, *, durable: bool = True) -> None:
        self._folder, self._durable = folder, durable
        self._memory: dict[str, bytes] = {}

    @property
    def any(self) -> bool:
        """Whether there was ever one."""
        return bool(self._memory) if self._folder is None else self._folder.exists()

    def keep(self, sha256: str, raw: bytes) -> None:
        """Keep bytes under the name their reading gives them; when this returns they survive the process."""
        if self._folder is None:
            self._memory[sha256] = raw
            return
        self._folder.mkdir(mode=0o700, exist_ok=True)
        half = self._folder / f"{sha256}.half"
        with half.open("wb") as file:
            file.write(raw)
            file.flush()
            if self._durable:
                os.fsync(file.fileno())
        half.replace(self._folder / sha256)
        if self._durable:
            _sync(self._folder)

    def size(self, sha256: str) -> int:
        """Length in bytes; 0 when nothing of this name is kept."""
        if self._folder is None:
            return len(self._memory.get(sha256, b""))
        path = self._folder / sha256
        return path.stat().st_size if path.exists() else 0

    def read(self, sha256: str, start: int, end: int) -> bytes:
        """Bytes from `start` up to `end`."""
        if self._folder is None:
            return self._memory[sha256][start:end]
        with (self._folder / sha256).open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def intact(self, claim: Claim) -> bool:
        """Whether what is kept is what the reading says."""
        whole = self.read(claim.sha256, 0, claim.size + 1) if self.size(claim.sha256) else b""
        return len(whole) == claim.size and hashlib.sha256(whole).hexdigest() == claim.sha256

    def drop(self, sha256: str) -> None:
        """Forget one."""
        self._memory.pop(sha256, None)
        if self._folder is not None:
            (self._folder / sha256).unlink(missing_ok=True)

    def only(self, wanted: Collection[str]) -> None:
        """Forget all others: what a kill left between a content and its reading, or after its verdict."""
        if self._folder is None or not self._folder.exists():
            return
        for path in self._folder.iterdir():
            if path.name not in wanted:
                path.unlink()


def _sync(folder: Path) -> None:
    """The new name is on the disk too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
