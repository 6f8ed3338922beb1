"""W5 of the performance page: an outbox into a record, beside a bare HTTP client that sends the same requests.

Comes in: how long. Goes out: ``Row`` values. Refuses to know: how they are shown.

The peer reads the feed, wraps a hundred resources into a Bundle and posts it over one connection, the next one when the
answer is read. It checks no hash, plans no order, judges no answer and writes nothing down. The delivery does, over one
connection too.
"""

from __future__ import annotations

import gc
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import select

from app.memory import collect_rarely
from app.settings import Settings
from bench.outbox import DESTINATION, fill
from bench.rows import Row, Say
from fhir_export.push.bundle import bundle
from fhir_export.push.delivery import Delivery
from fhir_export.push.port import Outgoing
from fhir_export.push.server import FhirServer
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.ledger.schema import FEED
from scripts.services import hapi
from scripts.services.process import ServiceMissing

LATENCY_MS = 5
FULL = 100_000
"""Observations in the outbox of a run of 60 s."""
W5_RATE = 1_000
W5_RATIO = 0.5
_TURNS = 3
_PER_READING = 2  # Observations of a blood pressure: the pressures and the pulse; its Provenance goes along uncounted
_HAPI_READINGS_PER_S = 40
_WARM_UP = 150  # readings; HAPI's first hundreds are for its compiler
_PACK = 100
_SWITCH_S = 0.0005  # as in the office process
_FHIR = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal", "Accept-Encoding": "identity"}


@dataclass(slots=True)
class _Sent:
    """What one side sent in all its turns."""

    observations: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def rate(self) -> float:
        """Observations a second."""
        return self.observations / max(self.wall_s, 1e-9)

    @property
    def cpu_us(self) -> float:
        """Microseconds of this process an Observation."""
        return self.cpu_s / max(self.observations, 1) * 1e6


def w5(folder: Path, seconds: float, say: Say) -> list[Row]:
    """An outbox into a stub that answers in 5 ms, and into HAPI; Observations delivered and confirmed a second."""
    with _as_in_the_office():
        return [*_into_stub(folder / "stub", seconds, say), *_into_hapi(folder / "hapi", seconds, say)]


def _into_stub(folder: Path, seconds: float, say: Say) -> list[Row]:
    readings = max(1, round(FULL * seconds / 60 / _PER_READING / _TURNS))
    with _stub() as base:
        peer, own = _turns(folder, base, readings, "batch", lambda what: say(f"W5: stub, {what}"))
    return [
        Row("W5", f"bare httpx client into a stub that answers in {LATENCY_MS} ms, Observations/s", f"{peer.rate:,.0f}",
            facts={"cpu_us": peer.cpu_us}),
        Row("W5", f"delivered to that stub from an outbox of {own.observations:,}, Observations/s", f"{own.rate:,.0f}",
            own.rate / peer.rate, f">= {W5_RATE:,}/s, >= {W5_RATIO} of the peer",
            own.rate >= W5_RATE and own.rate >= W5_RATIO * peer.rate, {"cpu_us": own.cpu_us}),
    ]  # fmt: skip


def _into_hapi(folder: Path, seconds: float, say: Say) -> list[Row]:
    say("W5: HAPI starts")
    try:
        with hapi.running() as server:
            _turns(folder / "warm", server.url, _WARM_UP, "transaction", lambda what: say(f"W5: HAPI, warm-up, {what}"))
            readings = max(1, round(seconds * _HAPI_READINGS_PER_S / _TURNS))
            peer, own = _turns(
                folder / "full", server.url, readings, "transaction", lambda what: say(f"W5: HAPI, {what}")
            )
    except ServiceMissing as missing:
        return [Row("W5", "delivered to HAPI", f"not measured: {missing}")]
    return [
        Row("W5", "bare httpx client into HAPI over H2, transactions of 100, Observations/s", f"{peer.rate:,.0f}"),
        Row("W5", "delivered to HAPI over H2, Observations/s", f"{own.rate:,.0f}", own.rate / peer.rate,
            f">= {W5_RATIO} of the peer", own.rate >= W5_RATIO * peer.rate, {"cpu_us": own.cpu_us}),
    ]  # fmt: skip


def _turns(folder: Path, base: str, readings: int, kind: str, say: Say) -> tuple[_Sent, _Sent]:
    """Peer and delivery in turn, each with an outbox of its own: what else the machine does meets both."""
    peer, own = _Sent(), _Sent()
    for turn in range(_TURNS):
        with _outbox(folder / f"peer-{turn}", readings) as file:
            say(f"bare client, {turn + 1} of {_TURNS}")
            _measure(peer, readings, lambda: _post(file, base, kind))
        with _outbox(folder / f"own-{turn}", readings) as file:
            say(f"delivery, {turn + 1} of {_TURNS}")
            _measure(own, readings, lambda: _deliver(file, base))
    return peer, own


@contextmanager
def _as_in_the_office() -> Iterator[None]:
    """Threads and garbage collection as in the process that delivers; what is measured after this has its own."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(_SWITCH_S)
    collect_rarely()
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)
        gc.unfreeze()


@contextmanager
def _outbox(folder: Path, readings: int) -> Iterator[OpenLedger]:
    settings = Settings(data=folder)
    with open_ledger(settings.ledger_path) as file:
        fill(file, settings, readings, seed=str(folder))
        yield file


def _measure(sent: _Sent, readings: int, send: Callable[[], None]) -> None:
    wall, cpu = time.monotonic(), time.process_time()
    send()
    sent.wall_s += time.monotonic() - wall
    sent.cpu_s += time.process_time() - cpu
    sent.observations += _PER_READING * readings


def _post(file: OpenLedger, base: str, kind: str) -> None:
    with httpx.Client(headers=_FHIR, timeout=120.0, trust_env=False) as client, file.readers.connect() as connection:
        rows = connection.execute(select(FEED.c.type, FEED.c.id, FEED.c.body).order_by(FEED.c.position))
        for pack in rows.partitions(_PACK):
            outgoing = [Outgoing(*row) for row in pack]
            client.post(base, content=bundle(outgoing, base, kind)).raise_for_status()


def _deliver(file: OpenLedger, base: str) -> None:
    with FhirServer(base) as record:
        delivery = Delivery(file, DESTINATION, record, lambda: time.time_ns() // 1000, random.random)
        while delivery.step().delivered:
            pass
    backlog = delivery.health().backlog
    if backlog.due or backlog.parked or delivery.counts.codes:
        raise RuntimeError(f"not everything was delivered at once: {backlog} {delivery.counts}")


@contextmanager
def _stub() -> Iterator[str]:
    command = [sys.executable, "-m", "bench.fhir_stub", str(LATENCY_MS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.kill()
