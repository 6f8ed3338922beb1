"""A destination, as the delivery sees it: resources go in, one answer for each comes out.

Comes in: ``Outgoing``. Goes out: ``Answer``, the bare facts; what they mean is ``answers.judge_answer``'s. Refuses to
know: rows, retries, HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, TypeAlias

Identity: TypeAlias = tuple[str, str]
"""A resource's type and id."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One resource version: ``body`` is the feed's bytes and leaves as it is.

    A Binary of any size leaves in ``pieces`` instead, the same at every call, ``size`` bytes together; they raise
    BlobMissing or OSError, before the last one at the latest, when the content is not what it was.
    """

    type: str
    id: str
    body: bytes
    pieces: Callable[[], Iterator[bytes]] | None = None
    size: int | None = None

    @property
    def identity(self) -> Identity:
        """Type and id."""
        return self.type, self.id

    @property
    def length(self) -> int:
        """Bytes that leave."""
        return len(self.body) if self.size is None else self.size

    def whole(self) -> bytes:
        """What leaves, at once."""
        return self.body if self.pieces is None else b"".join(self.pieces())


class Ending(Enum):
    """How far the attempt came."""

    ANSWERED = "a whole answer was read"
    UNSENT = "it did not leave: the other side cannot have it from this attempt"
    LOST = "it left, or part of it, and no whole answer came back"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one resource.

    ``status``: HTTP's, of the entry in a batch (0 when none came). ``shared``: the status is that of a request which
    carried other resources too. ``fhir``: the answer was FHIR, so a FHIR server spoke and no proxy. ``named``: the
    identity it says it stored; None when it names none. ``empty``: it had no body. ``version``: the record's version
    id. ``issues``: codes of the FHIR value set issue-type, never text. ``retry_after``: seconds.
    """

    ending: Ending
    status: int = 0
    shared: bool = False
    fhir: bool = False
    named: Identity | None = None
    empty: bool = False
    version: str | None = None
    issues: tuple[str, ...] = ()
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Capability:
    """What a destination says it does.

    ``client_ids`` is False only when it says that it refuses ids chosen by its clients; ``types`` are those it lets
    update, empty when it does not tell.
    """

    batch: bool
    transaction: bool = False
    client_ids: bool = True
    types: frozenset[str] = field(default_factory=frozenset)


class RecordUnavailable(Exception):  # noqa: N818 - it says what the record is now
    """A question was not answered; ``code`` is of the answer table. Nothing was changed; ask again later."""

    def __init__(self, code: str) -> None:
        super().__init__(
            f"The record gave no usable answer ({code}). Nothing was changed there and nothing is lost here. "
            "It is asked again; if this lasts, look at the record's address, token and state."
        )
        self.code = code


class Record(Protocol):
    """A destination. One thread uses it; every method may block for as long as its time limits say."""

    def capability(self) -> Capability:
        """What the destination does; asked before the first ``send``.

        Raises RecordUnavailable.
        """

    def send(self, outgoing: Sequence[Outgoing]) -> Sequence[Answer]:
        """PUT each under its own id; one answer for each, in order. Never raises for what the other side does.

        What the pieces of a Binary raise is passed on; the other side then has a part of a body, which it cannot take.

        Called with each identity once; with more than one resource only in such numbers and sizes as a batch takes
        (``plan.packs``). The bytes are not changed. Nothing is sent a second time but for a token that was refused
        (401): deciding on that is the caller's. Once it has returned, nothing of this call may still be on its way out
        of this process.
        """

    def read(self, identity: Identity, most: int) -> bytes | None:
        """The resource as it stands there now, at most ``most`` bytes; None when it is not there.

        Called after 409 or 412, and when a success named nothing. Raises RecordUnavailable.
        """
