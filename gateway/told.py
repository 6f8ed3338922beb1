"""Hello and state messages as facts, or the rejection they are answered with. Pure.

Comes in: a raw message and the facts around it. Goes out: ``Told`` or ``State`` for the ledger, else ``Judged`` with
a reason; and what is known of the device from then on. Refuses to know: what is answered.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TypeVar

from pydantic import BaseModel

from ingest import wire
from ingest.clock import measured_offset, parse
from ingest.judge import check_sender
from ingest.ledger.port import Known, State, Told
from ingest.model import ClockFacts, Facts, Instant, Judged, Outcome, RawMessage, Verdict
from ingest.reasons import Reason, Rejected
from ingest.schema import fits

M = TypeVar("M", bound=BaseModel)


def hello(raw: RawMessage, facts: Facts) -> Told | Judged:
    """A hello as facts; never raises."""
    try:
        sent = _read(raw, facts, wire.Hello)
    except Rejected as fault:
        return set_aside(raw, fault.reason, fault.pointer)
    clock = sent.clock
    return Told(
        raw.device, raw.received_at, sent.conn, sent.stream, sent.next if sent.counts else 0, sent.oldest, raw.hub,
        sent.contract,
        sent.manufacturer, sent.model, sent.serial, sent.firmware, sent.eui64, sent.kinds,
        wants_record=sent.receipts == "record", max_down_bytes=sent.max_down_bytes,
        epoch=clock.epoch if clock else None, synced=clock.synced if clock else None, dup=raw.dup,
    )  # fmt: skip


def state(raw: RawMessage, facts: Facts) -> State | Judged:
    """A state message as facts; never raises. An echo that took too long measures nothing and is left out."""
    try:
        sent = _read(raw, facts, wire.State)
        epoch = offset = uncertainty = None
        if sent.clock is not None:
            now, echo = _instant(sent.clock.now, "/clock/now"), _instant(sent.clock.echo, "/clock/echo")
            measured = measured_offset(now, echo, raw.received_at)
            if measured is not None and facts.disciplined:  # else it says more of our clock than of the device's
                epoch, (offset, uncertainty) = sent.clock.epoch, measured
    except Rejected as fault:
        return set_aside(raw, fault.reason, fault.pointer)
    return State(
        raw.device,
        raw.received_at,
        sent.conn,
        sent.state == "offline",
        epoch,
        offset,
        uncertainty,
        sent.stream,
        sent.lost,
    )


def set_aside(raw: RawMessage, reason: Reason, pointer: str | None = None) -> Judged:
    """A message that is answered by its hash alone."""
    return Judged(raw, hashlib.sha256(raw.payload).digest(), Verdict(Outcome.QUARANTINED, reason, pointer))


def after(before: Known, told: Told | State) -> Known:
    """What is known of a device once it has said this."""
    clocks = dict(before.clocks)
    if told.epoch is not None:
        clock = clocks.get(told.epoch, ClockFacts())
        if isinstance(told, Told):
            clock = replace(clock, synced=told.synced)
        else:
            clock = replace(clock, offset=told.offset, uncertainty=told.uncertainty)
        clocks[told.epoch] = clock
    if isinstance(told, State):
        return replace(before, clocks=clocks)
    return replace(before, clocks=clocks, wants_record=told.wants_record, max_down_bytes=told.max_down_bytes)


def _read(raw: RawMessage, facts: Facts, model: type[M]) -> M:
    """Faults in the order of the contract's section 13: mqtt, json, schema, device, number."""
    if raw.retained:  # an old hello or will could look new (C-CON-5)
        raise Rejected(Reason.MQTT_RETAINED)
    data = wire.read(raw.payload)
    version = data.get("v", 1)
    if type(version) is not int or version != 1:
        raise Rejected(Reason.SCHEMA_VERSION, "/v")
    sent = fits(model, data)
    check_sender(facts)
    wire.check_finite(raw.payload, data)
    return sent


def _instant(text: str, pointer: str) -> Instant:
    try:
        return parse(text)
    except Rejected as fault:
        raise Rejected(fault.reason, pointer) from None
