"""What a series in InfluxDB says of itself, and what InfluxDB has to have before the first point.

Comes in: a server, how long single points are kept. Goes out: ``ingest.series.port.Apart``. Refuses to know: points.

The ledger's name is written once, when a series is claimed, and never with the position: whatever empties the bucket
takes it away, and nothing brings it back by accident.
"""

from __future__ import annotations

from collections.abc import Callable

from ingest.model import Instant
from ingest.series import influx_flux as flux
from ingest.series.faults import SeriesUnavailable
from ingest.series.influx_lines import instant_of, time_ns
from ingest.series.influx_server import Server
from ingest.series.port import Apart, Mark

MAY_NOT = frozenset({401, 403, 404})
"""What InfluxDB answers to a token with fewer rights, depending on which are missing."""
_SECOND = 1_000_000


class InfluxApart(Apart):
    """See the port. ``keep``: microseconds after which the bucket forgets points, None: never."""

    def __init__(self, server: Server, keep: int | None, now: Callable[[], Instant]) -> None:
        self._server, self._keep, self._now = server, keep, now

    def prepare(self) -> str | None:
        """See the port: both buckets, and the task that gathers hours."""
        server, place = self._server, self._server.place
        name = f"constantes hourly {place.bucket}"
        try:
            server.keep_bucket(place.bucket, 0 if self._keep is None else self._keep // _SECOND)
            server.keep_bucket(place.hourly, 0)
            server.keep_task(name, flux.task(name, place.bucket, place.hourly))
        except SeriesUnavailable as fault:
            if fault.status not in MAY_NOT:
                raise
            return (
                f"The token may not make the buckets {place.bucket} and {place.hourly} or the task {name}:"
                " single points are kept as the bucket says, and hours are not gathered."
            )
        return None

    def mark(self) -> Mark | None:
        """See the port."""
        found: dict[str, tuple[str, int]] = {}
        for told in self._server.rows(flux.marks(self._server.place.bucket)):
            found[told["_measurement"]] = (told["_value"], time_ns(told["_time"]))
        if flux.LEDGER not in found:
            return None
        ledger, since = found[flux.LEDGER]
        position = int(found.get(flux.POSITION, ("0", 0))[0])
        if self._keep is not None and instant_of(since) < self._now() - self._keep // 4:
            self.claim(ledger)  # before the bucket forgets that too
            self.note(position)
        return Mark(ledger, position)

    def claim(self, ledger: str) -> None:
        """See the port. The server's own clock dates what a series says of itself."""
        self._server.write([f'{flux.LEDGER} name="{ledger}"'], [0])

    def note(self, position: int) -> None:
        """See the port."""
        self._server.write([f"{flux.POSITION} reached={position}i"], [0])
