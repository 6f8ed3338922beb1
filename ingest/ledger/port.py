"""What the gateway asks of a ledger, and when.

Comes in: judged messages and what devices said of themselves. Goes out: what to answer each, once it is on stable
storage. Refuses to know: which engine it is, how a message came.

Every implementation passes the suite in ``tests/ledger/test_ledger_port.py``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from ingest.model import ClockFacts, DeviceStatus, Instant, Judged, Outcome, Piece
from ingest.noun import noun
from ingest.reasons import Reason


@dataclass(frozen=True, slots=True)
class Told:
    """A hello, as facts (device contract, section 9). ``stream`` is 32 hex digits."""

    device: str
    at: Instant
    conn: str
    stream: str
    next: int
    oldest: int = 0
    hub: str | None = None
    contract: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    eui64: str | None = None
    kinds: tuple[str, ...] = ()
    wants_record: bool = False
    max_down_bytes: int | None = None
    epoch: int | None = None
    synced: bool | None = None
    dup: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """A state message, as facts: gone offline, a measured clock, readings that will never come (inclusive ranges)."""

    device: str
    at: Instant
    conn: str | None = None
    offline: bool = False
    epoch: int | None = None
    offset: int | None = None
    uncertainty: int | None = None
    stream: str | None = None
    lost: tuple[tuple[int, int], ...] = ()


Item: TypeAlias = Judged | Told | State | Piece


@noun
class Kept:
    """What became of a judged message; ``repeat`` when its key, or its bytes, were known.

    ``outcome`` is the key's present verdict. ``reading`` is absent without a key. ``confirmed``: the record has it
    already, so that ``in_record`` may be said again.
    """

    outcome: Outcome
    reason: Reason | None = None
    pointer: str | None = None
    repeat: bool = False
    reading: str | None = None
    confirmed: bool = False
    missing: tuple[tuple[int, int], ...] | None = None
    """With ``pending``: byte ranges [from, to) of its blob that have not come; empty while it is being looked at."""


@dataclass(frozen=True, slots=True)
class PieceKept:
    """What became of a part of a blob: on stable storage, or ``refused`` because the device has too much under way."""

    refused: bool = False


@dataclass(frozen=True, slots=True)
class Welcomed:
    """What a hello is answered with: ``settled`` n means that every seq up to n has a final verdict."""

    settled: int | None


Answer: TypeAlias = Kept | Welcomed | PieceKept | None
"""One per item, in order; None for a state message."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of a device before its messages are judged."""

    status: DeviceStatus = DeviceStatus.UNKNOWN
    clocks: dict[int, ClockFacts] = field(default_factory=dict)
    wants_record: bool = False
    max_down_bytes: int | None = None
    hubs: frozenset[str] = frozenset()
    """Hubs that may speak for it now."""
    eui64: str | None = None
    """As registered."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that people should know of (``ingest.ledger.alarms``); ``since`` where it has lasted until ``at``."""

    code: str
    subject: str
    at: Instant
    since: Instant | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """Sequence numbers ``first``..``last`` (inclusive) of a stream that have not come since ``since``."""

    gap: int
    device: str
    hub: str | None
    stream: str
    first: int
    last: int
    since: Instant
    oldest: int
    """Lowest seq that the device says it still holds."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The record has confirmed a reading; ``position`` orders confirmations."""

    position: int
    device: str
    hub: str | None
    stream: str
    seq: int
    sha: bytes
    reading: str


@dataclass(frozen=True, slots=True)
class Later:
    """A verdict that was reached after the envelope's: once the content had come, or when it was judged again.

    ``position`` orders them; ``missing``, with ``pending``: byte ranges [from, to) that have not come.
    """

    position: int
    device: str
    hub: str | None
    stream: str
    seq: int
    sha: bytes
    reading: str
    outcome: Outcome
    reason: Reason | None = None
    pointer: str | None = None
    missing: tuple[tuple[int, int], ...] | None = None


class Ledger(Protocol):
    """Where the gateway keeps what it takes. All methods raise LedgerUnavailable when it cannot be used now."""

    @property
    def name(self) -> str:
        """8 hex digits that change when the ledger is restored from a backup."""

    def known(self, devices: Collection[str], now: Instant) -> Mapping[str, Known]:
        """Facts of these devices; called once a batch, before it is judged. Unregistered ones may be left out."""

    def commit(self, items: Sequence[Item], now: Instant) -> Future[Sequence[Answer]]:
        """Keep a batch, in order, in one transaction.

        The future is done only when everything is on stable storage; only then may an item be answered or acknowledged.
        A key that is taken is never overwritten: a repeat gets the present verdict, other content is kept beside it as
        ``key.conflict``. If the future raises, nothing of the batch may be answered, and the same items may come again.
        """

    def overdue(self, before: Instant, limit: int) -> Sequence[Missing]:
        """Open gaps first seen before ``before`` that were not asked for yet; called every few seconds."""

    def asked(self, gaps: Collection[int], now: Instant) -> None:
        """Note that ``resend`` was sent for these gaps, so that it is not sent again until the device reconnects."""

    def confirmations(self, after: int, limit: int) -> Sequence[Confirmation]:
        """What the record has confirmed after position ``after``, for devices that asked to be told."""

    def told(self) -> int:
        """Position of the last confirmation that was passed on; 0 before the first."""

    def note_told(self, position: int) -> None:
        """Confirmations up to ``position`` were passed on; called after they were, so some may be sent twice."""

    def later(self, limit: int) -> Sequence[Later]:
        """Verdicts reached later that were not passed on yet, in order; called several times a second."""

    def note_later(self, position: int) -> None:
        """Verdicts up to ``position`` were passed on; called after they were, so some may be sent twice."""

    def alarm(self, alarms: Sequence[Alarm]) -> None:
        """Note these beside the messages; called now and then, at most once a minute for each code and subject.

        One that has lasted is a window of its own: an open one of its code and subject is closed before it.
        """

    def close(self) -> None:
        """Finish what was submitted."""
