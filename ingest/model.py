"""The nouns of each stage of a reading: frozen, plain, free of any library.

Comes in: nothing. Goes out: the types that every other module passes on. Refuses to know: how a message is decoded,
where anything is kept, who the patient is.

Instants are ``int`` microseconds since 1970-01-01T00:00:00Z: exact, comparable, and the same in every store.
"""

from __future__ import annotations

import hashlib
from dataclasses import field
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias

from ingest.noun import noun
from ingest.reasons import Reason

Instant: TypeAlias = int
"""Microseconds since 1970-01-01T00:00:00Z."""


class Channel(StrEnum):
    """What a device publishes (device contract, section 2)."""

    HELLO = "hello"
    READING = "reading"
    STATE = "state"
    BLOB = "blob"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """The verdicts of the device contract, section 8, that the ledger keeps."""

    STORED = "stored"
    PENDING = "pending"
    QUARANTINED = "quarantined"
    DISMISSED = "dismissed"
    DUPLICATE = "duplicate"


class DeviceStatus(StrEnum):
    """What the registry says of a device at the moment its message is judged."""

    ACTIVE = "active"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


class TimeMark(StrEnum):
    """Which clock the time of measurement stands on (device contract, section 10)."""

    DEVICE = "device"
    CORRECTED = "corrected"
    UNVERIFIED = "unverified"


@noun
class RawMessage:
    """One message as it came from the broker, before anyone has looked inside.

    ``device`` is empty when the topic names none; ``hub`` is the device that spoke for it, if another one did.
    """

    device: str
    channel: Channel
    payload: bytes
    received_at: Instant
    hub: str | None = None
    retained: bool = False
    dup: bool = False
    place: tuple[str, int] | None = None
    """Of a part of a blob: the hex SHA-256 of the whole, and where the part starts, as its topic says."""

    @property
    def sender(self) -> str:
        """The connection that gets the answer: the hub if there is one, else the device."""
        return self.hub or self.device


@lru_cache(4096)  # asked for several times while a message is kept and answered
def _reading_id(device: str, stream: str, seq: int) -> str:
    return hashlib.sha256(f"constantes/v1|{device}|{stream}|{seq}".encode()).hexdigest()[:32]


@noun
class Key:
    """Identity of a reading: (device, stream, seq), device contract section 3."""

    device: str
    stream: str
    seq: int

    @property
    def reading(self) -> str:
        """Reading id: first 32 hex digits of SHA-256 over ``constantes/v1|device|stream|seq`` (contract, section 3)."""
        return _reading_id(self.device, self.stream, self.seq)


@noun
class Verdict:
    """What was decided about a message; ``reason`` and ``pointer`` (JSON pointer) only with a quarantine."""

    outcome: Outcome
    reason: Reason | None = None
    pointer: str | None = None


STORED = Verdict(Outcome.STORED)


@noun
class Measurement:
    """One measured quantity: ``value`` and ``unit`` with the digits as sent, ``normal`` in the metric's own unit.

    ``value`` and ``normal`` are decimal texts. ``unusual`` marks a value outside the *usual* range: kept, shown to
    people, never changed.
    """

    metric: str
    value: str
    unit: str
    normal: str
    unusual: bool = False


@noun
class Lead:
    """One lead of a recording: little-endian int16 samples, never touched.

    A sample's physical value is ``sample x step + baseline`` in the recording's unit; -32768 is a missing sample
    (device contract, section 5). ``step`` and ``baseline`` are decimal texts as sent.
    """

    name: str
    samples: bytes
    step: str
    baseline: str


@noun
class Recording:
    """A waveform as sent: leads in the order sent, all of one length; ``sampling_hz`` is a decimal text as sent.

    ``complete`` is false for a live recording whose parts did not all come: what is missing is -32768 in every lead.
    """

    sampling_hz: str
    unit: str
    leads: tuple[Lead, ...]
    complete: bool = True

    @property
    def samples(self) -> int:
        """Samples in each lead."""
        return len(self.leads[0].samples) // 2


@noun
class Blob:
    """A large content that comes apart from its reading (contract, section 7): hex SHA-256, bytes, MIME type."""

    sha256: str
    size: int
    content_type: str


@noun
class Image:
    """What a reading says of its photograph (contract, section 6); ``angle_deg`` is a decimal text as sent.

    ``eye`` and ``field`` are None only where the blob is DICOM and has to say them itself.
    """

    eye: str | None = None
    field: str | None = None
    angle_deg: str | None = None
    pupil: str | None = None


@noun
class Part:
    """Where a live message's samples stand in its recording (C-ECG-5); ``recording`` is 32 hex digits."""

    recording: str
    from_sample: int
    last: bool = False


@noun
class Context:
    """The circumstances a device told: words of the contract's C-RD-7, None where it said nothing."""

    body_site: str | None = None
    position: str | None = None
    moment: str | None = None
    exertion: str | None = None
    sample: str | None = None


@noun
class Timing:
    """When the measurement was made, and how far that can be trusted.

    ``taken_at`` is the device's own text, never rewritten. ``used`` is the instant everything else goes by: the
    device's, or the corrected one when ``mark`` says so. ``offset`` and ``uncertainty`` are microseconds
    (gateway minus device), None where no echo has measured them.
    """

    taken_at: str
    used: Instant
    mark: TimeMark
    offset: int | None = None
    uncertainty: int | None = None


@noun
class Reading:
    """A reading that passed the envelope's judgement."""

    key: Key
    kind: str
    clock: int
    timing: Timing
    measurements: tuple[Measurement, ...]
    context: Context = Context()
    flags: tuple[str, ...] = ()
    exam: str | None = None
    replaces: int | None = None
    recording: Recording | None = None
    blob: Blob | None = None
    image: Image | None = None
    part: Part | None = None


@noun
class Piece:
    """A part of a blob that may be kept (contract, section 7); ``start`` is its place in bytes."""

    raw: RawMessage
    sha: bytes
    """SHA-256 of the payload, 32 bytes."""
    sha256: str
    """Hex SHA-256 of the whole blob."""
    start: int


@noun
class Judged:
    """A message with its verdict; ``key`` as soon as stream and seq are valid, ``reading`` only when stored."""

    raw: RawMessage
    sha: bytes
    """SHA-256 of the payload, 32 bytes."""
    verdict: Verdict
    key: Key | None = None
    reading: Reading | None = None

    @property
    def claim(self) -> Key | None:
        """The key that this message occupies: none for one of a hub that does not serve the device.

        Otherwise anybody could take a device's keys by speaking for it, and its own readings would be conflicts.
        """
        return None if self.verdict.reason is Reason.DEVICE_NOT_SERVED else self.key


OLDEST = 90 * 86_400_000_000
"""Microseconds: the age beyond which a reading is too old, unless a setting says otherwise (contract, section 10)."""


@noun
class ClockFacts:
    """What is known of one clock epoch of one device (device contract, section 10)."""

    synced: bool | None = None
    offset: int | None = None
    uncertainty: int | None = None


@noun
class Facts:
    """Everything outside the message that judging it needs: read once a batch, so that judging stays pure."""

    now: Instant
    status: DeviceStatus
    clocks: dict[int, ClockFacts] = field(default_factory=dict)
    served: bool = True
    """False when a hub speaks for a device that the registry does not let it serve."""
    disciplined: bool = True
    """False when the gateway's own clock is not disciplined: then nothing is corrected."""
    oldest: int = OLDEST
    """Age in microseconds beyond which a reading is ``time.too_old`` (contract: 90 days, a setting)."""
