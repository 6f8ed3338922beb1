"""From a message and the facts around it to a verdict. Pure: no clock, no store, no randomness.

Comes in: ``RawMessage`` and ``Facts``. Goes out: ``Judged``. Refuses to know: the broker, the ledger, other readings:
whether the key is taken is seen when the batch is committed, and ``against`` says what follows.

Order of reasons (device contract, section 13): mqtt, json, schema, device, number, unit, value, ecg / blob / image,
time, key.
"""

from __future__ import annotations

import hashlib
from typing import Any

from ingest.clock import judge_time
from ingest.kinds import KINDS
from ingest.kinds.kind import NOTHING, Content, Kind, Values
from ingest.model import (
    STORED,
    Channel,
    Context,
    DeviceStatus,
    Facts,
    Judged,
    Key,
    Measurement,
    Outcome,
    Piece,
    RawMessage,
    Reading,
    Verdict,
)
from ingest.reasons import Reason, Rejected, first
from ingest.schema import fits
from ingest.wire import MAX_SEQ, Circumstances, Envelope, check_finite, key_of, read, same_content

_NOT_ACTIVE = {DeviceStatus.UNKNOWN: Reason.DEVICE_UNKNOWN, DeviceStatus.REVOKED: Reason.DEVICE_REVOKED}
_RETAINED = Verdict(Outcome.QUARANTINED, Reason.MQTT_RETAINED)
_PENDING = Verdict(Outcome.PENDING)
_CONFLICT = Verdict(Outcome.QUARANTINED, Reason.KEY_CONFLICT)
_NO_CONTEXT = Context()
PART_STEP = 65_536
"""Parts of a blob start at multiples of this many bytes (C-BLB-2)."""
PART_MOST = 262_144
"""Bytes of the longest part (C-BLB-2)."""
MOST_BLOB = 512 * 1024**2
"""Bytes of the longest blob that any kind takes (C-ECG-3)."""


def judge(raw: RawMessage, facts: Facts) -> Judged:
    """Judge one message published as a reading; never raises.

    A retained message is judged ``mqtt.retained`` with its key: whoever commits it looks the key up first, as for every
    message, so that a repeat of a known reading gets that reading's verdict (C-CON-5).
    """
    sha = hashlib.sha256(raw.payload).digest()
    key: Key | None = None
    try:
        if raw.channel is not Channel.READING:
            raise Rejected(Reason.MQTT_TOPIC)  # noqa: TRY301 - one way out for every refusal
        data = read(raw.payload)
        found = key_of(data)
        key = Key(raw.device, *found) if found else None
        reading = _reading(raw, key, data, facts)
    except Rejected as fault:
        topic = fault.reason is Reason.MQTT_TOPIC
        verdict = Verdict(Outcome.QUARANTINED, fault.reason, fault.pointer)
        return Judged(raw, sha, _RETAINED if raw.retained and not topic else verdict, key)
    if raw.retained:
        return Judged(raw, sha, _RETAINED, key)
    return Judged(raw, sha, STORED if reading.blob is None else _PENDING, key, reading)


def against(judged: Judged, kept: bytes) -> Judged | None:
    """Judge again a message whose key holds the payload ``kept``: None for a repeat, else what it is now.

    A message that was set aside already keeps its reason: a taken key is the last in the order.
    """
    if same_content(judged.raw.payload, kept):
        return None
    if judged.verdict.reason is not None:
        return judged
    return Judged(judged.raw, judged.sha, _CONFLICT, judged.key)


def judge_part(raw: RawMessage, facts: Facts) -> Piece | Judged:
    """Judge a message published as a part of a blob (contract, section 7): may it be kept, or why not; never raises."""
    sha = hashlib.sha256(raw.payload).digest()
    try:
        if raw.retained:
            raise Rejected(Reason.MQTT_RETAINED)  # noqa: TRY301 - one way out for every refusal
        if raw.place is None:
            raise Rejected(Reason.MQTT_TOPIC)  # noqa: TRY301
        check_sender(facts)
        sha256, start = raw.place
        if start % PART_STEP or not 0 < len(raw.payload) <= PART_MOST or start + len(raw.payload) > MOST_BLOB:
            raise Rejected(Reason.BLOB_PART)  # noqa: TRY301
    except Rejected as fault:
        return Judged(raw, sha, Verdict(Outcome.QUARANTINED, fault.reason, fault.pointer))
    return Piece(raw, sha, sha256, start)


def check_sender(facts: Facts) -> None:
    """Raise Rejected with ``device.*`` unless the registry lets the sender speak for the device."""
    if facts.status is not DeviceStatus.ACTIVE:
        raise Rejected(_NOT_ACTIVE[facts.status])
    if not facts.served:
        raise Rejected(Reason.DEVICE_NOT_SERVED)


def _reading(raw: RawMessage, key: Key | None, data: dict[str, Any], facts: Facts) -> Reading:
    _check_version(data)
    envelope = fits(Envelope, data)
    kind = KINDS.get(envelope.kind)
    if kind is None:
        raise Rejected(Reason.SCHEMA_UNKNOWN_KIND, "/kind")
    values = _values(data, kind)
    context = _context(envelope.context, kind) if envelope.context else _NO_CONTEXT
    form = kind.form(data) if kind.form else None
    check_sender(facts)
    if key is None:  # the schema holds, so it can only be too large
        raise Rejected(Reason.NUMBER_OUT_OF_RANGE, "/seq")
    _check_counts(envelope)
    check_finite(raw.payload, data)
    measurements, content = _measure(kind, values, form)
    return Reading(
        key,
        kind.name,
        envelope.clock,
        judge_time(envelope.taken_at, envelope.clock, facts),
        measurements,
        context,
        envelope.flags,
        envelope.exam,
        envelope.replaces,
        content.recording,
        content.blob,
        content.image,
        content.part,
    )


def _check_version(data: dict[str, Any]) -> None:
    """Before anything else: another version may mean anything by the other members."""
    if "v" not in data:
        raise Rejected(Reason.SCHEMA_MISSING, "/v")
    if type(data["v"]) is not int or data["v"] != 1:
        raise Rejected(Reason.SCHEMA_VERSION, "/v")


def _values(data: dict[str, Any], kind: Kind) -> Values:
    """``values``; only a kind with a content of its own may come without."""
    if "values" not in data and kind.form is None:
        raise Rejected(Reason.SCHEMA_MISSING, "/values")
    return fits(kind.values, data.get("values", {}), "/values")


def _context(sent: Circumstances, kind: Kind) -> Context:
    strange = sent.model_fields_set - kind.context
    if strange:
        raise Rejected(Reason.SCHEMA_NOT_ALLOWED, f"/context/{min(strange)}")
    return Context(sent.body_site, sent.position, sent.moment, sent.exertion, sent.sample)


def _check_counts(envelope: Envelope) -> None:
    if envelope.clock > MAX_SEQ:
        raise Rejected(Reason.NUMBER_OUT_OF_RANGE, "/clock")
    if envelope.replaces is not None and envelope.replaces > MAX_SEQ:
        raise Rejected(Reason.NUMBER_OUT_OF_RANGE, "/replaces")


def _measure(kind: Kind, values: Values, form: object) -> tuple[tuple[Measurement, ...], Content]:
    """Values and content; of a fault in each, the first by family."""
    if form is None:
        return kind.measure(values), NOTHING
    faults: list[Rejected] = []
    try:
        measurements = kind.measure(values)
    except Rejected as fault:
        faults.append(fault)
    try:
        content = kind.content(form)
    except Rejected as fault:
        faults.append(fault)
    if faults:
        raise first(faults)
    return measurements, content
