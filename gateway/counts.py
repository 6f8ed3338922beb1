"""What the gateway counts: messages by what became of them. No device, no value, no patient.

Comes in: items with their answers. Goes out: Prometheus counters. Refuses to know: where they are shown.
"""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import REGISTRY, CollectorRegistry, Counter

from ingest.ledger.port import Answer, Item, Kept
from ingest.model import Judged


class Counts:
    """Counters of one gateway."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._readings = Counter(
            "constantes_messages",
            "Messages acknowledged, by verdict and reason; repeats apart",
            ["channel", "verdict", "reason"],
            registry=registry,
        )
        self._told = Counter("constantes_told", "Hello, state and parts of blobs kept", registry=registry)
        self._unsent = Counter("constantes_answers_unsent", "Answers the broker did not take", registry=registry)
        self._surprises = Counter(
            "constantes_surprises", "Messages that this program failed on and set aside unread", registry=registry
        )

    def answered(self, items: Sequence[Item], answers: Sequence[Answer]) -> None:
        """Count a batch that was acknowledged."""
        tally: dict[tuple[str, str, str], int] = {}
        kept_facts = 0
        for item, answer in zip(items, answers, strict=True):
            if isinstance(item, Judged) and isinstance(answer, Kept):
                verdict = "duplicate" if answer.repeat else str(answer.outcome)
                row = (str(item.raw.channel), verdict, str(answer.reason or ""))
                tally[row] = tally.get(row, 0) + 1
            else:
                kept_facts += 1
        for row, count in tally.items():
            self._readings.labels(*row).inc(count)
        if kept_facts:
            self._told.inc(kept_facts)

    def unsent(self) -> None:
        """Count an answer that was not taken for sending; the device will ask again."""
        self._unsent.inc()

    def surprise(self) -> None:
        """Count a message on which this program failed: a defect of ours, to be mended and the bytes judged again."""
        self._surprises.inc()
