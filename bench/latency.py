"""W2 of the performance page: the time from publish to receipt, alone and while everything else works too.

Comes in: how long. Goes out: ``Row`` values. Refuses to know: how they are shown.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from app import wiring
from bench.crowd import DEVICES
from bench.pullers import pulling
from bench.rows import Row, Say
from bench.site import Site, site
from bench.subscriber import counting
from simulators.record.process import running as running_record

STEADY_RATE = 1000
W2_P99_MS = 100
CAMERAS = 2
_SETTLED = "SELECT count(*) FROM content WHERE state IN ('ready', 'refused')"
_BACKLOG = 3000  # readings taken before W2 is measured under load, so that deliveries have something to drain


def w2(folder: Path, seconds: float, say: Say) -> list[Row]:
    """1,000 readings a second, steady; publish to receipt, alone and while the office is busy."""
    say("W2: the broker alone, publish to subscriber")
    with site(folder / "peer", DEVICES, ()) as here, counting(here) as peer:
        _stamp(here, seconds)
        broker = sorted(peer.latencies)
    say("W2: gateway alone")
    with site(folder / "alone", DEVICES) as here:
        alone = _steady(here, seconds)
    loaded = {}
    for name, parts in (("two processes", ("gateway", "office")), ("one process", ("together",))):
        say(f"W2: deliveries drain, five clients pull, each read audited; {name}")
        loaded[name] = _under_load(folder / name.replace(" ", "-"), parts, seconds)
    rows = [Row("W2", "broker alone, publish to subscriber, p99 ms", f"{_percentile(broker, 0.99):.1f}")]
    rows.append(_latency("gateway alone, publish to receipt", alone, must=True))
    rows.append(_latency("under load, two processes (as `up` runs)", loaded["two processes"], must=True))
    rows.append(_latency("under load, one process (for decision 0003)", loaded["one process"], must=False))
    say("W2: while broken files are looked at")
    broken = _beside_broken_files(folder / "broken", seconds)
    rows.append(_latency(f"while {broken['looked_at']} broken pictures are looked at", broken, must=True))
    return rows


def _beside_broken_files(folder: Path, seconds: float) -> dict[str, Any]:
    """Blood pressures while two more devices send pictures that are cut or altered, and the child looks at each."""
    with site(folder, DEVICES + CAMERAS, ("gateway", "office")) as here:
        accounts = json.loads(here.devices.read_text("utf-8"))
        cameras = here.devices.with_name("cameras.json")
        cameras.write_text(json.dumps(accounts[DEVICES:]), "utf-8")
        here.devices.write_text(json.dumps(accounts[:DEVICES]), "utf-8")
        where = ("127.0.0.1", str(here.settings.broker.port), str(cameras), str(seconds), "broken")
        command = [sys.executable, "-m", "bench.content_publishers", *where]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as sender:
            found = _steady(here, seconds)
            sent = json.loads(sender.communicate(timeout=60)[0])["accepted"]
        with wiring.ledger(here.settings) as file, file.readers.connect() as connection:
            settled = connection.exec_driver_sql(_SETTLED).scalar_one()
        return found | {"broken_files": sent, "looked_at": settled}


def _under_load(folder: Path, parts: tuple[str, ...], seconds: float) -> dict[str, Any]:
    folder.mkdir(parents=True)
    with running_record(file=folder / "record.sqlite") as record, site(folder, DEVICES, parts, record.base) as here:
        _load(here, "--count", str(_BACKLOG))
        with pulling(here, clients=5) as pulls:
            found = _steady(here, seconds)
        return found | {"pulls_per_second": pulls.count / seconds}


def _steady(here: Site, seconds: float) -> dict[str, Any]:
    return _load(here, "--rate", str(STEADY_RATE), "--seconds", str(seconds))


def _load(here: Site, *how: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "simulators.load", "--url", here.mqtt_url, "--devices", str(here.devices), *how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _latency(what: str, found: dict[str, Any], *, must: bool) -> Row:
    ms = found["latency_ms"]
    text = " / ".join(f"{ms[name]:.1f}" for name in ("p50", "p95", "p99", "max"))
    label = f"{what}, p50 / p95 / p99 / max ms"
    if not must:
        return Row("W2", label, text, facts=found)
    return Row("W2", label, text, None, "p99 < 100 ms", ms["p99"] < W2_P99_MS, found)


def _stamp(here: Site, seconds: float) -> None:
    """Publish the present time, in nanoseconds, 1,000 times a second from one device."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    device = json.loads(here.devices.read_text("utf-8"))[0]
    client = Client(CallbackAPIVersion.VERSION2, device["device"])
    client.username_pw_set(device["device"], device["secret"])
    client.max_inflight_messages_set(0)
    client.connect("127.0.0.1", here.settings.broker.port)
    client.loop_start()
    begun = time.monotonic()
    for number in range(int(seconds * STEADY_RATE)):
        time.sleep(max(0.0, begun + number / STEADY_RATE - time.monotonic()))
        client.publish(f"constantes/v1/up/{device['device']}/reading", str(time.time_ns()), qos=1)
    time.sleep(1.5)  # the subscriber reports once a second
    client.disconnect()
    client.loop_stop()


def _percentile(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else float("nan")
