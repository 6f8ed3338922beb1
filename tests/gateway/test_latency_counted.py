"""How long messages took is told as a histogram, and readings are counted by kind and verdict."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gateway.counts import Counts
from gateway.latency import NAME
from ingest.ledger.port import Kept
from ingest.model import Outcome
from ingest.reasons import Reason
from tests.support.ledgers import NOW, reading

_MS = 1_000


def samples(registry: CollectorRegistry) -> dict[str, float]:
    """What a scraper reads."""
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        " ".join((sample.name, *map("=".join, sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_each_message_falls_into_its_bucket_and_those_above() -> None:
    """A limit belongs to its bucket; a clock that was set back counts as no time."""
    registry = CollectorRegistry()
    counts = Counts(registry)
    for took in (5 * _MS, 5 * _MS + 1, 90_000 * _MS, -7 * _MS):
        counts.answered([reading(0)], [Kept(Outcome.STORED)], NOW + took)
    found = samples(registry)
    assert [found[f"{NAME}_bucket le={le}"] for le in ("0.001", "0.005", "0.01", "60.0", "+Inf")] == [1, 2, 3, 3, 4]
    assert found[f"{NAME}_count"] == 4
    assert found[f"{NAME}_sum"] == 90.010001


def test_readings_are_counted_by_kind_and_verdict() -> None:
    """Of what could not be judged no kind is known, and the reason is counted with the messages."""
    registry = CollectorRegistry()
    items = [reading(0), reading(0), reading(1, systolic=9000)]
    answers = [
        Kept(Outcome.STORED), Kept(Outcome.STORED, repeat=True), Kept(Outcome.QUARANTINED, Reason.VALUE_IMPOSSIBLE),
    ]  # fmt: skip
    Counts(registry).answered(items, answers, NOW)
    found = {name: value for name, value in samples(registry).items() if name.startswith("constantes_readings_total")}
    assert found == {
        "constantes_readings_total kind=blood_pressure verdict=stored": 1.0,
        "constantes_readings_total kind=blood_pressure verdict=duplicate": 1.0,
    }
