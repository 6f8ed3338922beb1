"""Counts for Prometheus: what the ledger holds, and what the gateway wrote down last; no identity, no device.

Comes in: the office, the data folder. Goes out: the text exposition format, version 0.0.4. Refuses to know: who asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from app import status
from console.office import Office
from ingest.series.lag import Lag, lag
from registry.standing import Standing, standing


def exposition(office: Office, data: Path) -> bytes:
    """All counts as of now; the gateway's, which is another process, as of its last second."""
    with office.snapshot() as connection:
        found, behind = standing(connection, office.now()), lag(connection, office.now())
    registry = CollectorRegistry()
    registry.register(_Now(found, behind))
    return generate_latest(registry) + _of_the_gateway(data)


def _of_the_gateway(data: Path) -> bytes:
    try:
        return status.counts_file(data).read_bytes()
    except OSError:
        return b""


class _Now:
    """A collector of one snapshot."""

    def __init__(self, found: Standing, behind: Lag) -> None:
        self._found, self._behind = found, behind

    def collect(self) -> Iterator[Metric]:
        """The families."""
        found = self._found
        yield CounterMetricFamily("constantes_journal", "Messages kept in the journal", found.messages)
        yield CounterMetricFamily("constantes_feed", "Resource versions in the feed", found.resources)
        yield GaugeMetricFamily("constantes_quarantine_waiting", "Quarantined messages undecided", found.quarantined)
        yield GaugeMetricFamily("constantes_inbox", "Readings without a patient", found.inbox)
        yield GaugeMetricFamily("constantes_gaps_open", "Ranges of sequence numbers that never came", found.gaps)
        yield GaugeMetricFamily("constantes_deliveries_due", "Versions due at a destination", found.due)
        yield GaugeMetricFamily("constantes_deliveries_parked", "Versions that wait for a person", found.parked)
        yield GaugeMetricFamily(
            "constantes_delivery_oldest_seconds", "Age of the oldest version that is due", found.oldest_due_s
        )
        behind = self._behind
        yield GaugeMetricFamily(
            "constantes_series_behind", "Published readings that trends do not show yet", behind.readings
        )
        yield GaugeMetricFamily("constantes_series_age_seconds", "How long the oldest of those waits", behind.age_s)
        yield GaugeMetricFamily("constantes_series_late", "1 when that is too long", int(behind.is_late))
