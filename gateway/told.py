"""Hello and state messages as facts, or the rejection they are answered with. Pure.

Comes in: a raw message and the facts around it. Goes out: ``Told`` or ``State`` for the ledger, else ``Judged`` with
a reason. Refuses to know: what is answered.
"""

from __future__ import annotations

import hashlib

from ingest import wire
from ingest.clock import measured_offset, parse
from ingest.judge import check_sender
from ingest.ledger.port import State, Told
from ingest.model import Facts, Judged, Outcome, RawMessage, Verdict
from ingest.reasons import Rejected
from ingest.schema import fits


def hello(raw: RawMessage, facts: Facts) -> Told | Judged:
    """A hello as facts; never raises."""
    try:
        sent = fits(wire.Hello, wire.decode(raw.payload))
        check_sender(facts)
    except Rejected as fault:
        return _rejected(raw, fault)
    clock = sent.clock
    return Told(
        raw.device, raw.received_at, sent.conn, sent.stream, sent.next, sent.oldest, raw.hub, sent.contract,
        sent.manufacturer, sent.model, sent.serial, sent.firmware, sent.eui64, sent.kinds,
        wants_record=sent.receipts == "record", max_down_bytes=sent.max_down_bytes,
        epoch=clock.epoch if clock else None, synced=clock.synced if clock else None,
    )  # fmt: skip


def state(raw: RawMessage, facts: Facts) -> State | Judged:
    """A state message as facts; never raises. An echo that took too long measures nothing and is left out."""
    try:
        sent = fits(wire.State, wire.decode(raw.payload))
        check_sender(facts)
        epoch = offset = uncertainty = None
        if sent.clock is not None:
            measured = measured_offset(parse(sent.clock.now), parse(sent.clock.echo), raw.received_at)
            if measured is not None:
                epoch, (offset, uncertainty) = sent.clock.epoch, measured
    except Rejected as fault:
        return _rejected(raw, fault)
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


def _rejected(raw: RawMessage, fault: Rejected) -> Judged:
    verdict = Verdict(Outcome.QUARANTINED, fault.reason, fault.pointer)
    return Judged(raw, hashlib.sha256(raw.payload).digest(), verdict)
