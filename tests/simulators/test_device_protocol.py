"""A simulated device against a real broker and a gateway that answers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from simulators.devices.outbox import Outbox, issued
from simulators.devices.tally import Manner
from simulators.simulate import Report, Simulation, run, run_all
from tests.simulators.fake_gateway import Broker, CuttingBroker, FakeGateway, eventually

QUICK = Manner(repeat_s=0.2, reconnect_s=0.2)
PATIENT = Manner(repeat_s=30, reconnect_s=0.2)  # on a busy machine a quick one repeats, and exact counts are off


def plan(broker: Broker, **change: Any) -> Simulation:  # noqa: ANN401 - any field of it
    """A quick meter."""
    given = Simulation("blood_pressure", broker.url, "bp-0001", "s", rate=200, count=20, deadline_s=25, manner=PATIENT)
    return replace(given, **change)


def in_thread(what: Simulation) -> tuple[threading.Thread, threading.Event, list[Report]]:
    """A run in the background."""
    stop, reports = threading.Event(), list[Report]()
    thread = threading.Thread(target=lambda: reports.append(run(what, stop)))
    thread.start()
    return thread, stop, reports


def test_every_reading_is_answered(broker: Broker, gateway: FakeGateway) -> None:
    """A run ends when each reading has its receipt, and the gateway holds the bytes that were kept."""
    report = run(plan(broker))
    assert report.answered
    assert report.tally.verdicts == {"stored": 20}
    assert [seq for _, _, seq in gateway.kept] == list(range(20))
    assert report.tally.stored == {name for name in report.tally.stored if len(name) == 32}
    assert (report.tally.connects, report.tally.repeated, report.tally.unmatched) == (1, 0, 0)


def test_hello_comes_first_with_all_it_holds(broker: Broker, gateway: FakeGateway, tmp_path: Path) -> None:
    """Hello names the stream, the oldest held and the next number, the clock, and an EUI-64 when asked."""
    gateway.silent = True
    file = tmp_path / "outbox"
    run(plan(broker, manner=QUICK, count=3, deadline_s=1.5, outbox=file, eui64="auto"))
    gateway.silent = False
    report = run(plan(broker, manner=QUICK, count=2, outbox=file, awaits_record=False))
    first, second = gateway.hellos
    assert report.answered
    assert first["stream"] == second["stream"]
    assert (second["oldest"], second["next"] >= 3) == (0, True)
    assert first["eui64"].count("-") == 7
    assert "eui64" not in second
    assert (first["contract"], first["kinds"], first["clock"]["synced"]) == ("1.0", ["blood_pressure"], True)
    assert first["conn"] != second["conn"]
    assert len(gateway.kept) == 5


def test_welcome_is_echoed_at_once(broker: Broker, gateway: FakeGateway) -> None:
    """A welcome of this connection brings the device's time beside the gateway's own words."""
    report = run(plan(broker, faults=("skewed_clock",), seed=3))
    (echo,) = (state["clock"] for state in gateway.states if "clock" in state)
    late = datetime.fromisoformat(echo["echo"]) - datetime.fromisoformat(echo["now"])
    assert abs(late.total_seconds() - report.clock_late_s) < 2
    assert report.clock_late_s > 3600
    assert gateway.hellos[0]["clock"]["synced"] is False
    assert report.tally.welcomes == 1


def test_a_welcome_for_another_connection_is_ignored(broker: Broker, gateway: FakeGateway) -> None:
    """Nothing is echoed when `conn` is not the device's own."""
    gateway.welcome = {"conn": "00000000"}
    report = run(plan(broker))
    assert report.tally.welcomes == 0
    assert not [state for state in gateway.states if "clock" in state]


def test_it_says_offline_before_leaving(broker: Broker, gateway: FakeGateway) -> None:
    """The last state is `offline`, of the same connection."""
    run(plan(broker))
    eventually(lambda: gateway.states and gateway.states[-1].get("state") == "offline")
    assert gateway.states[-1]["conn"] == gateway.hellos[-1]["conn"]


def test_a_lost_publish_is_repeated(broker: Broker, gateway: FakeGateway) -> None:
    """Half of the publishes are lost, and every reading arrives, byte for byte the same."""
    report = run(plan(broker, manner=QUICK, faults=("drop:0.4",), count=10))
    assert report.answered
    assert report.tally.repeated > 0
    assert len(gateway.kept) == 10


@pytest.mark.parametrize("fault", ["repeat", "reorder", "cut_network:0.3", "retained:0.2", "corrupt_bytes:0.3"])
def test_faults_of_the_line_lose_nothing(broker: Broker, gateway: FakeGateway, fault: str) -> None:
    """Whatever the line does, each reading ends with a `stored` receipt for the bytes kept."""
    report = run(plan(broker, manner=QUICK, faults=(fault,), rate=50, count=12))
    assert report.answered
    assert report.faults[fault.partition(":")[0]] > 0
    assert {seq for _, _, seq in gateway.kept} == set(range(12))
    assert report.tally.lost == 0


def test_other_content_under_a_number_frees_nothing(broker: Broker, gateway: FakeGateway) -> None:
    """The conflict's verdict names other bytes: the reading waits for its own, and gets it."""
    report = run(plan(broker, faults=("conflict",), count=5))
    assert report.answered
    eventually(lambda: len(gateway.arrived) == 10)
    assert report.tally.verdicts["stored"] == 5


def test_a_receipt_with_another_sha_frees_nothing(broker: Broker, gateway: FakeGateway, tmp_path: Path) -> None:
    """A device forgets only the bytes that match."""
    gateway.verdict = lambda _reading: {"verdict": "stored", "sha": "0" * 16}
    report = run(plan(broker, manner=QUICK, count=3, deadline_s=2, outbox=tmp_path / "outbox"))
    assert (report.waiting, report.tally.unmatched >= 3) == (3, True)
    assert len(Outbox(tmp_path / "outbox").held()) == 3


def test_a_refused_reading_is_kept_and_tried_later(broker: Broker, gateway: FakeGateway) -> None:
    """`refused` keeps the bytes; they go out again after `retry_after_s`."""
    tries: list[int] = []

    def first_refused(reading: dict[str, Any]) -> dict[str, Any] | None:
        tries.append(reading["seq"])
        return {"verdict": "refused", "reason": "flow.slow_down", "retry_after_s": 0.2} if len(tries) == 1 else None

    gateway.verdict = first_refused
    report = run(plan(broker, count=1))
    assert (report.answered, tries) == (True, [0, 0])
    assert report.tally.verdicts == {"refused": 1, "stored": 1}


def test_pending_keeps_the_bytes(broker: Broker, gateway: FakeGateway) -> None:
    """`pending` is no permission to forget."""
    gateway.verdict = lambda _reading: {"verdict": "pending", "missing": [[0, 10]]}
    report = run(plan(broker, count=2, deadline_s=2))
    assert report.waiting == 2


def test_a_quarantine_by_sha_alone_is_final(broker: Broker, gateway: FakeGateway) -> None:
    """A reading that nobody can key is named by its bytes, and forgotten."""
    report = run(plan(broker, count=3, faults=("no_seq",)))
    assert report.answered
    assert report.tally.verdicts == {"quarantined": 3}


def test_the_record_s_confirmation_is_awaited(broker: Broker, gateway: FakeGateway) -> None:
    """Asked for, `in_record` is waited for and counted by reading."""
    gateway.confirms = True
    report = run(plan(broker, count=4, awaits_record=True))
    assert gateway.hellos[0]["receipts"] == "record"
    assert report.tally.in_record == report.tally.stored
    assert len(report.tally.in_record) == 4


def test_resend_brings_what_is_held_and_names_what_is_gone(broker: Broker, gateway: FakeGateway) -> None:
    """Asked for a range, the device repeats what it holds and declares the rest lost."""
    gateway.verdict = lambda reading: {"verdict": "pending"} if reading["seq"] == 2 else None
    thread, stop, reports = in_thread(plan(broker, count=4, deadline_s=20))
    eventually(lambda: len(gateway.arrived) == 4)
    eventually(lambda: len(gateway.kept) == 3)
    gateway.say("bp-0001", {"command": "resend", "stream": gateway.hellos[0]["stream"], "from": 1, "to": 9})
    eventually(lambda: any("lost" in state for state in gateway.states))
    eventually(lambda: len(gateway.arrived) == 5)
    stop.set()
    thread.join()
    assert next(state["lost"] for state in gateway.states if "lost" in state) == [[1, 1], [3, 3]]
    assert json.loads(gateway.arrived[-1][1])["seq"] == 2
    assert reports[0].tally.resends == 1


def test_slow_down_is_obeyed(broker: Broker, gateway: FakeGateway) -> None:
    """After `slow_down` nothing is published until the time is over."""
    thread, stop, reports = in_thread(plan(broker, count=None, rate=100, deadline_s=20))
    eventually(lambda: len(gateway.arrived) > 5)
    gateway.say("bp-0001", {"command": "slow_down", "retry_after_s": 600})
    pause = threading.Event()
    before = -1
    while before != len(gateway.arrived):
        before = len(gateway.arrived)
        pause.wait(0.5)
    stop.set()
    thread.join()
    assert reports[0].tally.slow_downs == 1
    assert reports[0].waiting > 5


def test_a_killed_broker_costs_nothing(broker: Broker, gateway: FakeGateway, tmp_path: Path) -> None:
    """Killed and started again in the middle, the broker is found again and every issued reading is answered."""
    file = tmp_path / "outbox"
    thread, _, reports = in_thread(plan(broker, manner=QUICK, count=200, rate=100, outbox=file))
    eventually(lambda: len(gateway.arrived) > 20)
    broker.kill()
    broker.start()
    thread.join()
    (report,) = reports
    assert report.answered
    assert report.tally.connects >= 2
    assert {(k.device, k.stream, k.seq): k.payload for k in issued(file)} == gateway.kept


def test_another_ledger_gets_all_that_is_still_kept(broker: Broker, gateway: FakeGateway, tmp_path: Path) -> None:
    """After a restore the ledger has a new name, and a device that only marked its readings offers them again."""
    file = tmp_path / "outbox"
    run(plan(broker, manner=QUICK, count=5, outbox=file, marks=True))
    gateway.kept.clear()
    gateway.ledger = "0badcafe"
    report = run(plan(broker, manner=QUICK, count=1, outbox=file, marks=True))
    assert report.answered
    assert {seq for _, _, seq in gateway.kept} == set(range(6))


def test_readings_made_without_a_broker_go_out_later(broker: Broker, gateway: FakeGateway, tmp_path: Path) -> None:
    """No broker: the readings stay in the outbox; the next run delivers them before its own."""
    file = tmp_path / "outbox"
    nowhere = run(plan(broker, url="mqtt://127.0.0.1:1", count=3, outbox=file, deadline_s=0.5))
    assert nowhere.waiting == 3
    assert nowhere.tally.problem is not None
    assert run(plan(broker, count=0, outbox=file)).answered
    assert {seq for _, _, seq in gateway.kept} == {0, 1, 2}


def test_receipts_are_logged_one_a_line(broker: Broker, gateway: FakeGateway, tmp_path: Path) -> None:
    """The log has each receipt with stream, seq, verdict and reading."""
    log = tmp_path / "receipts"
    run(plan(broker, count=3, manner=replace(PATIENT, receipts_log=log)))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["seq"], line["verdict"]) for line in lines] == [(0, "stored"), (1, "stored"), (2, "stored")]
    assert len({line["reading"] for line in lines}) == 3


def test_an_ecg_crosses_the_line_whole(broker: Broker, gateway: FakeGateway) -> None:
    """Ten seconds of twelve leads at 1000 Hz fit in one message and are answered."""
    report = run(plan(broker, kind="ecg", device="ecg-0001", count=2))
    assert report.answered
    assert all(300_000 < len(payload) < 1_000_000 for payload in gateway.kept.values())


def test_several_devices_run_at_once(broker: Broker, gateway: FakeGateway) -> None:
    """Each has its own connection and its own report."""
    reports = run_all([plan(broker, device=f"bp-000{n}", count=5, past=timedelta(days=1)) for n in range(3)])
    assert [report.answered for report in reports] == [True] * 3
    assert len({stream for _, stream, _ in gateway.kept}) == 3


def alone(broker: Broker, folder: Path, *more: str) -> list[str]:
    """The simulator as a process of its own."""
    (folder / "secret").write_text("s\n")
    command = [sys.executable, "-m", "simulators.simulate", "blood_pressure", "--url", broker.url]
    command += ["--device", "bp-0001", "--secret-file", str(folder / "secret"), "--outbox", str(folder / "outbox")]
    return [*command, *more]


def test_ctrl_c_keeps_what_is_unanswered(broker: Broker, gateway: FakeGateway, tmp_path: Path) -> None:
    """Interrupted, it says offline, prints its counts, and the next run delivers the rest."""
    gateway.silent = True
    command = alone(broker, tmp_path, "--rate", "50", "--count", "1000")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        eventually(lambda: len(gateway.arrived) > 5)
        running.send_signal(signal.SIGINT)
        told, _ = running.communicate(timeout=20)
    counts = json.loads(told)
    assert counts["waiting"] == counts["made"] > 5
    eventually(lambda: gateway.states[-1].get("state") == "offline")
    gateway.silent = False
    again = subprocess.run(alone(broker, tmp_path, "--count", "0", "--deadline", "20"), check=False, timeout=60)
    assert again.returncode == 0
    assert {k.key: k.payload for k in issued(tmp_path / "outbox")} == gateway.kept


@pytest.mark.faults
def test_a_killed_device_delivers_later(broker: Broker, gateway: FakeGateway, tmp_path: Path) -> None:
    """Kill -9 in the middle: each reading it had made arrives once, the next run counts on."""
    with subprocess.Popen(alone(broker, tmp_path, "--rate", "100", "--count", "1000")) as running:
        eventually(lambda: len(gateway.kept) > 30)
        running.kill()
    subprocess.run(alone(broker, tmp_path, "--count", "3", "--deadline", "20", "--rate", "100"), check=True, timeout=60)
    assert {k.key: k.payload for k in issued(tmp_path / "outbox")} == gateway.kept
    numbers = sorted(seq for _, _, seq in gateway.kept)
    assert numbers == list(range(len(numbers)))


def test_a_message_that_cuts_the_line_is_set_aside() -> None:
    """A broker that hangs up at one reading loses that one, told as lost, and gets all others (C-CON-8)."""
    with CuttingBroker(b'"seq":2,') as cutting:
        what = Simulation("blood_pressure", cutting.url, "bp-0001", "s", rate=500, count=5, deadline_s=20, manner=QUICK)
        report = run(replace(what, manner=replace(QUICK, window=3, reconnect_s=0.05)))
    assert report.tally.lost == 1
    assert [state["lost"] for state in cutting.states if "lost" in state] == [[[2, 2]]]
    assert cutting.seqs == {0, 1, 3, 4}
    assert report.answered


def test_a_refused_device_says_why(tmp_path: Path) -> None:
    """Wrong credentials: nothing is lost, and the report names the broker's answer."""
    with CuttingBroker(b"never", connack=5) as refusing:
        what = Simulation("blood_pressure", refusing.url, "bp-0001", "s", count=1, deadline_s=1, manner=QUICK)
        report = run(what)
    assert report.waiting == 1
    assert "Not authorized" in (report.tally.problem or "")
