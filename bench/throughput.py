"""W1 of the performance page: how many readings a second, beside a subscriber that only counts and beside Telegraf.

Comes in: how long. Goes out: ``Row`` values. Refuses to know: how they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import telegraf
from bench.crowd import DEVICES, let_in, publish
from bench.rows import Row, Say
from bench.site import Site, cpu_seconds, peak_mib, site
from bench.subscriber import counting
from bench.telegraf import Stored
from scripts.services import influx, postgres

W1_RATIO = 0.5
TELEGRAF_RATIO = 0.7
MEMORY_MIB = 256
_TURNS = 3


@dataclass(slots=True)
class _Taken:
    """What one side of W1 took in all its turns."""

    count: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    peak_mib: float = 0.0

    def add(self, count: int, seconds: float, cpu_s: float) -> None:
        """One more turn."""
        self.count, self.seconds, self.cpu_s = self.count + count, self.seconds + seconds, self.cpu_s + cpu_s

    @property
    def rate(self) -> float:
        """Readings a second."""
        return self.count / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU a reading, in microseconds."""
        return self.cpu_s / max(self.count, 1) * 1e6


def w1(folder: Path, seconds: float, say: Say) -> list[Row]:
    """Fifty devices publish as fast as they are accepted; readings committed and acknowledged a second."""
    peer, own, served, other = _Taken(), _Taken(), _Taken(), Stored()
    lacking, no_server = telegraf.missing(), postgres.missing()
    with ExitStack() as stack:
        server = None if no_server else stack.enter_context(postgres.running())
        influxdb = None if lacking else stack.enter_context(influx.running(folder / "influxdb"))
        for turn in range(_TURNS):  # in turn: what else the machine does at the moment meets all
            part = seconds / _TURNS
            say(f"W1: bare paho subscriber, {turn + 1} of {_TURNS}")
            with site(folder / f"peer-{turn}", DEVICES, ()) as here, counting(here) as subscriber:
                publish(here, part, "puback")
                peer.add(subscriber.last["count"], part, subscriber.last["cpu_s"])
            say(f"W1: gateway and SQLite, {turn + 1} of {_TURNS}")
            _take(folder / f"gateway-{turn}", part, own, {})
            if server is not None:
                say(f"W1: gateway and PostgreSQL, {turn + 1} of {_TURNS}")
                _take(folder / f"postgres-{turn}", part, served, _on(server))
            if influxdb is not None:
                say(f"W1: Telegraf and InfluxDB, {turn + 1} of {_TURNS}")
                with site(folder / f"telegraf-{turn}", DEVICES, ()) as here:
                    other.add(telegraf.stored(here, partial(_let_in_and_publish, here, part), influxdb))
    return [
        *_beside_the_bare(own, peer),
        _on_postgres(served, peer, no_server),
        *_beside_telegraf(own, other, lacking),
    ]


def _take(folder: Path, seconds: float, taken: _Taken, more: Mapping[str, str]) -> None:
    """One turn of a gateway; what its ledger holds at the end of it counts."""
    with site(folder, DEVICES, more=more) as here:
        gateway = here.pid("gateway")
        before = cpu_seconds(gateway)
        publish(here, seconds, "receipt")
        taken.add(here.journal_rows(), seconds, cpu_seconds(gateway) - before)
        taken.peak_mib = max(taken.peak_mib, peak_mib(gateway))


def _on(server: postgres.Server) -> dict[str, str]:
    return {
        "CONSTANTES_LEDGER__URL": server.database(),
        "CONSTANTES_LEDGER__PASSWORD_FILE": str(server.password_file),
    }


def _on_postgres(served: _Taken, peer: _Taken, lacking: str) -> Row:
    what = "committed and acknowledged, ledger on PostgreSQL, readings/s"
    if lacking:
        return Row("W1", what, f"not measured: {lacking}")
    return Row("W1", what, f"{served.rate:,.0f}", served.rate / peer.rate, facts={"cpu_us": served.cpu_us})


def _beside_the_bare(own: _Taken, peer: _Taken) -> list[Row]:
    facts = {"cpu_us": own.cpu_us, "peer_cpu_us": peer.cpu_us, "peak_mib": own.peak_mib, "seconds": own.seconds}
    return [
        Row("W1", "bare paho subscriber, readings/s", f"{peer.rate:,.0f}", facts={"cpu_us": peer.cpu_us}),
        Row(
            "W1", "committed and acknowledged, readings/s", f"{own.rate:,.0f}", own.rate / peer.rate,
            ">= 0.5 of the peer", own.rate >= W1_RATIO * peer.rate, facts,
        ),
        Row("W1", "CPU of the gateway, us a reading", f"{own.cpu_us:.0f}", own.cpu_us / peer.cpu_us),
        Row("W1", "largest memory of the gateway, MiB", f"{own.peak_mib:.0f}", None, "< 256",
            own.peak_mib < MEMORY_MIB),
    ]  # fmt: skip


def _beside_telegraf(own: _Taken, other: Stored, lacking: str) -> list[Row]:
    what = "Telegraf with its defaults into InfluxDB 2, readings/s"
    if lacking:
        return [Row("W1", what, f"not measured: {lacking}")]
    rate = other.count / other.seconds
    facts = {
        "telegraf_cpu_us": other.cpu_s / other.count * 1e6,
        "influxdb_cpu_us": other.influx_cpu_s / other.count * 1e6,
    }
    return [
        Row("W1", what, f"{rate:,.0f}", facts=facts),
        Row("W1", "committed and acknowledged, beside Telegraf", f"{own.rate:,.0f}", own.rate / rate,
            f">= {TELEGRAF_RATIO} of it", own.rate >= TELEGRAF_RATIO * rate),
    ]  # fmt: skip


def _let_in_and_publish(here: Site, seconds: float) -> int:
    let_in(here)
    return publish(here, seconds, "puback")
