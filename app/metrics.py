"""Counts for Prometheus: what the ledger holds, how the parts are, and what the gateway wrote down last.

Comes in: the office, settings. Goes out: the text exposition format, version 0.0.4. Refuses to know: who asks.

No label is a device or a person: labels are reasons, destinations of the settings, parts and codes of alarms, each a
short list. While the ledger is away its own counts are absent, ``constantes_ledger_up`` is 0, and all else is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app import health, outside, status
from app.clock import is_disciplined
from app.parts import GATEWAY
from app.settings import Settings
from console.api.alarm_routes import current
from console.office import Office
from ingest.ledger.faults import LedgerFault
from ingest.model import Instant
from ingest.series.lag import Lag, lag
from registry.alarm import SECOND, Alarm
from registry.standing import Standing, standing

Samples = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True, slots=True)
class _Held:
    """What the ledger tells."""

    now: Instant
    standing: Standing
    behind: Lag

    @property
    def unpublished_s(self) -> float:
        oldest = self.standing.unpublished.oldest
        return 0.0 if oldest is None else max(0, self.now - oldest) / SECOND

    def deliveries(self, state: str) -> Samples:
        found = self.standing.deliveries.items()
        return [((destination,), count) for (destination, each), count in found if each == state]


@dataclass(frozen=True, slots=True)
class _Around:
    """What is told without the ledger."""

    settings: Settings
    alarms: tuple[Alarm, ...]
    ledger_up: bool

    def session(self) -> bool:
        said = status.read(self.settings.data, GATEWAY)
        return said is not None and said.is_fresh and said.connected is True

    def parts(self) -> Samples:
        for part in outside.expected(self.settings):
            yield (part,), status.unwell(self.settings.data, part) is None

    def destinations(self) -> Samples:
        waits = outside.Outside(self.settings).waits()
        return [((name,), name not in waits) for name in self.settings.destinations]

    def counted(self) -> Samples:
        return Counter((alarm.code, alarm.severity.value) for alarm in self.alarms).items()


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name (a counter's without ``_total``), its labels, and what it says."""

    sort: Literal["gauge", "counter"]
    name: str
    told: str
    labels: tuple[str, ...] = ()

    def metric(self, samples: Samples) -> Metric:
        """The family with its values."""
        made: GaugeMetricFamily | CounterMetricFamily
        make = GaugeMetricFamily if self.sort == "gauge" else CounterMetricFamily
        made = make(self.name, self.told, labels=self.labels)
        for labels, value in samples:
            made.add_metric(labels, float(value))
        return made


def _gauge(name: str, told: str, *labels: str) -> Family:
    return Family("gauge", f"constantes_{name}", told, labels)


def _counter(name: str, told: str) -> Family:
    return Family("counter", f"constantes_{name}", told)


def _one(value: float | None) -> Samples:
    return () if value is None else (((), value),)


AROUND: dict[Family, Callable[[_Around], Samples]] = {
    _gauge("build_info", "1, with the version of the program", "version"): lambda _: [((version("constantes"),), 1)],
    _gauge("ledger_up", "1 when the ledger can be read"): lambda a: _one(a.ledger_up),
    _gauge("gateway_session", "1 when the gateway has its session at the broker"): lambda a: _one(a.session()),
    _gauge("part_up", "1 when a part of the program does its work", "part"): lambda a: a.parts(),
    _gauge("destination_up", "1 when a destination takes what is due", "destination"): lambda a: a.destinations(),
    _gauge("clock_disciplined", "1 when this machine's clock may correct others"): lambda a: _one(
        is_disciplined(a.settings.clock.disciplined)
    ),
    _gauge("disk_free_bytes", "Free space where the ledger lies"): lambda a: _one(health.free_bytes(a.settings)),
    _gauge("alarms", "Open alarms", "code", "severity"): lambda a: a.counted(),
}
HELD: dict[Family, Callable[[_Held], Samples]] = {
    _counter("journal", "Messages kept in the journal"): lambda h: _one(h.standing.messages),
    _counter("feed", "Resource versions in the feed"): lambda h: _one(h.standing.resources),
    _counter("readings_in_record", "Confirmations by the record that it has a reading whole"): lambda h: _one(
        h.standing.in_record
    ),
    _gauge("quarantine_waiting", "Quarantined messages undecided", "reason"): lambda h: [
        ((reason,), count) for reason, count in h.standing.reasons.items()
    ],
    _gauge("contents_waiting", "Contents not whole (waiting) or not looked into yet (complete)", "state"): lambda h: [
        ((state,), count) for state, count in h.standing.contents.items()
    ],
    _gauge("readings_unpublished", "Readings that were kept and are not in the feed yet"): lambda h: _one(
        h.standing.unpublished.readings
    ),
    _gauge("readings_unpublished_oldest_seconds", "Age of the oldest of those"): lambda h: _one(h.unpublished_s),
    _gauge("inbox", "Readings without a patient"): lambda h: _one(h.standing.inbox),
    _gauge("gaps_open", "Ranges of sequence numbers that never came"): lambda h: _one(h.standing.gaps),
    _gauge("deliveries_due", "Versions due at a destination", "destination"): lambda h: h.deliveries("due"),
    _gauge("deliveries_parked", "Versions that wait for a person", "destination"): lambda h: h.deliveries("parked"),
    _gauge("delivery_oldest_seconds", "Age of the oldest version that is due"): lambda h: _one(h.standing.oldest_due_s),
    _gauge("series_behind", "Published readings that trends do not show yet"): lambda h: _one(h.behind.readings),
    _gauge("series_age_seconds", "How long the oldest of those waits"): lambda h: _one(h.behind.age_s),
    _gauge("series_late", "1 when that is too long"): lambda h: _one(h.behind.is_late),
}
"""Each family with how its values are had; ``docs/reference/metrics.md`` is drawn from both tables."""


def exposition(office: Office, settings: Settings) -> bytes:
    """All counts as of now; the gateway's, which is another process, as of its last second."""
    held = _held(office)
    around = _Around(settings, tuple(current(office)), held is not None)
    registry = CollectorRegistry()
    registry.register(_Now(held, around))
    return generate_latest(registry) + _of_the_gateway(settings)


def _held(office: Office) -> _Held | None:
    now = office.now()
    try:
        with office.snapshot() as connection:
            return _Held(now, standing(connection, now), lag(connection, now))
    except LedgerFault:
        return None


def _of_the_gateway(settings: Settings) -> bytes:
    try:
        return status.counts_file(settings.data).read_bytes()
    except OSError:
        return b""


class _Now(Collector):
    """A collector of one moment."""

    def __init__(self, held: _Held | None, around: _Around) -> None:
        self._held, self._around = held, around

    def collect(self) -> Iterator[Metric]:
        """The families."""
        for family, told in AROUND.items():
            yield family.metric(told(self._around))
        if self._held is not None:
            for family, of_ledger in HELD.items():
                yield family.metric(of_ledger(self._held))
