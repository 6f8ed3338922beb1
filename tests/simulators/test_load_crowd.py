"""The load generator's account is exact: what it issued is what a gateway holds, whatever was killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ingest.judge import judge
from ingest.model import Channel, DeviceStatus, Facts, Outcome, RawMessage
from simulators.devices import packets
from simulators.devices.outbox import Outbox, issued
from simulators.load import Load, run
from tests.simulators.fake_gateway import Broker, FakeGateway, eventually

DEVICES = tuple((f"bp-{n:04d}", "s") for n in range(5))


def load(broker: Broker, **change: Any) -> Load:  # noqa: ANN401 - any field of it
    """Five devices, quick to reconnect and to repeat."""
    return replace(Load(broker.url, DEVICES, count=300, repeat_s=0.5, reconnect_s=0.2, deadline_s=30), **change)


def in_thread(what: Load) -> tuple[threading.Thread, list[dict[str, Any]]]:
    """A run in the background."""
    documents: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: documents.append(run(what)))
    thread.start()
    return thread, documents


def oracle(file: Path) -> dict[tuple[str, str, int], bytes]:
    """Every reading ever issued."""
    return {reading.key: reading.payload for reading in issued(file)}


def test_all_are_answered_and_told(broker: Broker, gateway: FakeGateway, tmp_path: Path) -> None:
    """Every reading gets its receipt; counts and percentiles are in the document."""
    document = run(load(broker, outbox=tmp_path / "outbox", repeat_s=30))
    assert (document["made"], document["answered"], document["unanswered"]) == (300, 300, 0)
    assert document["receipts"] == {"stored": 300}
    assert document["connects"] == document["welcomes"] == 5
    latency = document["latency_ms"]
    assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"] <= latency["max"]
    assert oracle(tmp_path / "outbox") == gateway.kept
    # At least: a broker that sees the line end before the DISCONNECT publishes the will as well, with the same words.
    eventually(lambda: sum(state.get("state") == "offline" for state in gateway.states) >= 5)


def test_what_it_sends_is_stored_by_the_judge(broker: Broker, gateway: FakeGateway) -> None:
    """The prepared messages pass the gateway's own judge, and differ."""
    run(load(broker, count=200))
    now = max(int(datetime.fromisoformat(json.loads(p)["taken_at"]).timestamp()) for p in gateway.kept.values())
    facts = Facts((now + 1) * 1_000_000, DeviceStatus.ACTIVE)
    for (device, _, _), payload in gateway.kept.items():
        verdict = judge(RawMessage(device, Channel.READING, payload, facts.now), facts).verdict
        assert verdict.outcome is Outcome.STORED
        assert 280 < len(payload) < 360
    assert len({json.dumps(json.loads(p)["values"]) for p in gateway.kept.values()}) > 50


def test_a_rate_is_kept(broker: Broker, gateway: FakeGateway) -> None:
    """200 a second for one and a half seconds are 300, give or take the last turn."""
    document = run(load(broker, count=None, seconds=1.5, rate=200))
    assert 270 <= document["made"] <= 300
    assert document["unanswered"] == 0


def test_the_window_bounds_what_waits(broker: Broker, gateway: FakeGateway) -> None:
    """Without receipts, each device publishes its window and no more."""
    gateway.silent = True
    document = run(load(broker, window=4, repeat_s=60, deadline_s=1, seconds=1.0))
    assert document["made"] == document["unanswered"] == 20
    assert len(gateway.arrived) == 20


def test_lost_receipts_are_cured_by_repeats(broker: Broker, gateway: FakeGateway) -> None:
    """A reading without receipt is published again, the same bytes."""
    seen: set[int] = set()

    def first_time_lost(reading: dict[str, Any]) -> dict[str, Any] | None:
        lost = reading["seq"] not in seen
        seen.add(reading["seq"])
        return {"verdict": "kept"} if lost else None

    gateway.verdict = first_time_lost
    document = run(replace(load(broker, count=40), devices=DEVICES[:1]))
    assert document["unanswered"] == 0
    assert document["repeated"] >= 40
    assert len(set(gateway.arrived)) == 40


@pytest.mark.faults
def test_killed_brokers_lose_nothing(broker: Broker, gateway: FakeGateway, tmp_path: Path) -> None:
    """Three kills under load: every issued reading is answered, none is invented."""
    file = tmp_path / "outbox"
    thread, documents = in_thread(load(broker, count=3000, rate=500, outbox=file))
    for enough in (500, 1000, 1500):
        eventually(partial(lambda many: len(gateway.kept) > many, enough))
        broker.kill()
        broker.start()
    thread.join()
    (document,) = documents
    assert (document["made"], document["unanswered"]) == (3000, 0)
    assert document["cuts"] >= 15
    assert oracle(file) == gateway.kept
    assert len(gateway.kept) == 3000


@pytest.mark.faults
def test_a_killed_load_goes_on_where_it_was(broker: Broker, gateway: FakeGateway, tmp_path: Path) -> None:
    """Killed in the middle, the next run with the same file repeats what had no receipt, and counts on."""
    file, listed = tmp_path / "outbox", tmp_path / "devices.json"
    listed.write_text(json.dumps([{"device": device, "secret": secret} for device, secret in DEVICES]))
    command = [sys.executable, "-m", "simulators.load", "--url", broker.url, "--devices", str(listed)]
    command += ["--outbox", str(file), "--rate", "400", "--repeat-s", "0.5", "--reconnect-s", "0.2"]
    with subprocess.Popen([*command, "--seconds", "60"], stdout=subprocess.PIPE) as first:
        eventually(lambda: len(gateway.kept) > 200)
        first.send_signal(signal.SIGKILL)
    ended = subprocess.run([*command, "--count", "100"], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert (document["made"], document["unanswered"]) == (100, 0)
    assert oracle(file) == gateway.kept
    assert Outbox(file).held() == []


def test_a_terminated_load_tells_its_document(broker: Broker, gateway: FakeGateway, tmp_path: Path) -> None:
    """SIGTERM ends it with the counts so far."""
    listed = tmp_path / "devices.json"
    listed.write_text(json.dumps([{"device": "bp-0001", "secret": "s"}]))
    command = [sys.executable, "-m", "simulators.load", "--url", broker.url, "--devices", str(listed), "--rate", "50"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        eventually(lambda: len(gateway.kept) > 10)
        running.terminate()
        told, _ = running.communicate(timeout=20)
    assert json.loads(told)["made"] > 10


def test_an_absent_broker_is_no_error() -> None:
    """Nobody listens: the readings wait, and the document says why."""
    document = run(Load("mqtt://127.0.0.1:1", DEVICES, count=10, rate=1000, reconnect_s=0.1, deadline_s=0.5))
    assert (document["made"], document["unanswered"], document["connects"]) == (10, 10, 0)
    assert set(document["problems"]) == {"the broker does not answer"}


def test_packets_are_found_in_any_cut_of_the_bytes() -> None:
    """Split at every byte, a stream of packets gives the same packets; long ones use more length bytes."""
    sent = [packets.publish(b"a/b", b"x" * size, size + 1) for size in (0, 100, 130, 20_000)] + [packets.puback(7)]
    stream = b"".join(sent)
    whole = list(packets.split(bytearray(stream)))
    assert [kind for kind, _, _ in whole] == [3, 3, 3, 3, 4]
    assert [packets.message(flags, body) for _, flags, body in whole[:4]] == [
        (b"x" * size, size + 1) for size in (0, 100, 130, 20_000)
    ]
    for cut in range(400):
        buffer = bytearray(stream[:cut])
        found = list(packets.split(buffer))
        buffer += stream[cut:]
        assert found + list(packets.split(buffer)) == whole
        assert not buffer
