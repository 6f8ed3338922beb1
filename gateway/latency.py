"""How long messages take from their arrival here to stable storage, as a histogram.

Comes in: microseconds. Goes out: a Prometheus family. Refuses to know: messages. What a message took from the device to
the gateway is not in it: MQTT tells no time of sending.

prometheus_client's own histogram takes a lock and adds to every bucket for each value; here a batch costs one addition
a message.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

NAME = "constantes_message_commit_seconds"
TOLD = "From the arrival of a message at the gateway to its acknowledgement, after it is on stable storage"
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_SECOND = 1_000_000
_BOUNDS = tuple(int(bound * _SECOND) for bound in BOUNDS_S)


class Latency(Collector):
    """One thread adds; any may collect."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counts = [0] * (len(_BOUNDS) + 1)
        self._sum = 0
        registry.register(self)

    def add(self, took: Iterable[int]) -> None:
        """Microseconds of each message of a batch; a clock that was set back counts as none."""
        for each in took:
            duration = max(0, each)
            self._counts[bisect_left(_BOUNDS, duration)] += 1
            self._sum += duration

    def collect(self) -> Iterator[Metric]:
        """The family, its buckets cumulative."""
        family, total = HistogramMetricFamily(NAME, TOLD), 0
        buckets: list[tuple[str, float]] = []
        for name, count in zip((*map(str, BOUNDS_S), "+Inf"), list(self._counts), strict=True):
            total += count
            buckets.append((name, total))
        family.add_metric([], buckets, self._sum / _SECOND)
        yield family
