"""What the gateway counts: messages by what became of them. No device, no value, no patient.

Comes in: items with their answers. Goes out: Prometheus counters. Refuses to know: where they are shown.
"""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import REGISTRY, CollectorRegistry, Counter

from gateway.latency import Latency
from ingest.ledger.port import Answer, Item, Kept, PieceKept
from ingest.model import Instant, Judged
from ingest.reasons import Reason


class Counts:
    """Counters of one gateway."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._readings = Counter(
            "constantes_messages",
            "Messages acknowledged, by verdict and reason; repeats apart",
            ["channel", "verdict", "reason"],
            registry=registry,
        )
        self._kinds = Counter(
            "constantes_readings", "Readings taken, by kind and verdict", ["kind", "verdict"], registry=registry
        )
        self._latency = Latency(registry)
        self._told = Counter("constantes_told", "Hello, state and parts of blobs kept", registry=registry)
        self._refused = Counter(
            "constantes_refused", "Messages acknowledged and not kept: their senders try later", ["reason"],
            registry=registry,
        )  # fmt: skip
        self._unsent = Counter("constantes_answers_unsent", "Answers the broker did not take", registry=registry)
        self._surprises = Counter(
            "constantes_surprises", "Messages that this program failed on and set aside unread", registry=registry
        )

    def answered(self, items: Sequence[Item], answers: Sequence[Answer], now: Instant) -> None:
        """Count a batch that was acknowledged at ``now``."""
        tally: dict[tuple[str, str, str], int] = {}
        kinds: dict[tuple[str, str], int] = {}
        took: list[int] = []
        kept_facts = 0
        for item, answer in zip(items, answers, strict=True):
            if isinstance(item, Judged) and isinstance(answer, Kept):
                verdict = "duplicate" if answer.repeat else str(answer.outcome)
                row = (str(item.raw.channel), verdict, str(answer.reason or ""))
                tally[row] = tally.get(row, 0) + 1
                took.append(now - item.raw.received_at)
                if item.reading is not None:
                    kind = item.reading.kind, verdict
                    kinds[kind] = kinds.get(kind, 0) + 1
            elif isinstance(answer, PieceKept) and answer.refused:
                self.refused(Reason.BLOB_QUOTA)
            else:
                kept_facts += 1
        for row, count in tally.items():
            self._readings.labels(*row).inc(count)
        for kind, count in kinds.items():
            self._kinds.labels(*kind).inc(count)
        self._latency.add(took)
        if kept_facts:
            self._told.inc(kept_facts)

    def refused(self, reason: Reason, count: int = 1) -> None:
        """Count what was acknowledged and not kept: no part of the balance (device contract, section 8)."""
        self._refused.labels(str(reason)).inc(count)

    def unsent(self) -> None:
        """Count an answer that was not taken for sending; the device will ask again."""
        self._unsent.inc()

    def surprise(self) -> None:
        """Count a message on which this program failed: a defect of ours, to be mended and the bytes judged again."""
        self._surprises.inc()
