"""A destination, as the delivery sees it: resources go in, one answer for each comes out.

Comes in: ``Outgoing``. Goes out: ``Answer``, the bare facts; what they mean is ``answers.judge_answer``'s. Refuses to
know: rows, retries, HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeAlias

Identity: TypeAlias = tuple[str, str]
"""A resource's type and id."""
GONE = "record.gone"
"""Deleted or merged there, which is somebody's decision: it is not sent again by itself."""


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
    id. ``issues``: codes of the FHIR value set issue-type, never text. ``number``: what a HAPI server puts before its
    words, such as ``HAPI-1094``. ``retry_after``: seconds.
    """

    ending: Ending
    status: int = 0
    shared: bool = False
    fhir: bool = False
    named: Identity | None = None
    empty: bool = False
    version: str | None = None
    issues: tuple[str, ...] = ()
    number: str | None = None
    retry_after: float | None = None


UNFIT = ("record.not_fhir_r4", "record.not_json", "record.client_ids")
"""What a destination may lack so that every resource would be refused: none is sent, and none is parked for it."""


@dataclass(frozen=True, slots=True)
class Capability:
    """What a destination says it does.

    ``types`` are those it lets update under ids chosen by its clients, None when it does not tell. ``lacks`` are codes
    of what is missing or wrong (``statement.LACKS``).
    """

    batch: bool
    transaction: bool = False
    types: frozenset[str] | None = None
    lacks: tuple[str, ...] = ()

    @property
    def unfit(self) -> str | None:
        """The first thing it lacks that makes all sending useless; None when there is none."""
        return next((code for code in self.lacks if code in UNFIT), None)

    @property
    def together(self) -> bool:
        """Whether resources may share a request."""
        return self.batch or self.transaction

    def takes(self, type_: str) -> bool:
        """Whether resources of this type may be sent; yes when it does not tell."""
        return self.types is None or type_ in self.types


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
        """What the destination does; asked before the first ``send``, after a long absence, and after surprises.

        How the next ``send`` goes out follows from it. Raises RecordUnavailable.
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

        Called after 409 or 412, when a success named nothing, when something referred to is said to be missing, and
        when the destination is back from where it may have forgotten what it confirmed. Raises RecordUnavailable, with
        the code ``GONE`` when it was deleted there.
        """
