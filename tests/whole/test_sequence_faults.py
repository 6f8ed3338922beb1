"""Devices that lose, repeat or contradict their own counting, through a whole installation: nothing is lost or silent.

Each fault of the table in docs/reference/flow.md has its test here, or is named there with the one that it has.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.events import FLOOD, KEY_CONFLICT, REPEATS, REPLAYS_OLD, SESSION_LOST
from simulators.devices.blood_pressure import Cuff
from simulators.devices.client import Device
from simulators.devices.clock import DeviceClock, text
from simulators.devices.connection import Endpoint
from simulators.devices.kinds import identity
from simulators.devices.outbox import Outbox, issued
from simulators.devices.tally import Manner
from simulators.faults import Misbehaviour, Outgoing
from tests.faults.installation import Installation, until
from tests.whole.apparatus import Enrolled, enrol
from tests.whole.pulling import Pulling

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]
KIND = "blood_pressure"
PATIENT_S = 600.0
"""A device that does not repeat by itself within the test."""


class DropsOnce(Misbehaviour):
    """A line that loses the first publish of some readings."""

    def __init__(self, *numbers: int) -> None:
        super().__init__()
        self._drops = [f'"seq":{number},'.encode() for number in numbers]

    def sent(self, payload: bytes) -> Outgoing:
        """See ``Misbehaviour``."""
        for mark in self._drops:
            if mark in payload:
                self._drops.remove(mark)
                return Outgoing()
        return Outgoing((payload,))


@contextmanager
def device(
    site: Installation,
    who: Enrolled,
    outbox: Outbox,
    faults: Misbehaviour | None = None,
    clock: DeviceClock | None = None,
    manner: Manner | None = None,
) -> Iterator[Device]:
    """Give a meter on the line, welcomed; it acts while it is driven, and leaves with the block."""
    made = Device(
        Endpoint.of(site.url, who.device, who.secret), identity(who.kind, who.device), outbox, clock or DeviceClock(),
        faults or Misbehaviour(), manner or Manner(repeat_s=PATIENT_S, reconnect_s=0.2),
    )  # fmt: skip
    try:
        drive(made, lambda: made.tally.welcomes > 0, "the welcome")
        yield made
    finally:
        made.close()
        outbox.close()


def drive(one: Device, condition: Callable[[], object], what: str, patience_s: float = 30.0) -> None:
    """Let a device act until something holds."""
    end = time.monotonic() + patience_s
    while not condition():
        one.step(0.01)
        if time.monotonic() > end:
            raise TimeoutError(what)


def answered(one: Device) -> None:
    """Let it act until everything it holds has its verdict."""
    drive(one, lambda: one.waiting == 0, "every reading has its verdict")


def measure(one: Device, count: int, seed: int = 1, at: datetime | None = None) -> None:
    """Measure so many times; `at` where another time is to be told."""
    cuff = Cuff(seed)
    for _ in range(count):
        moment = at or DeviceClock().now()
        one.take({"kind": KIND, "taken_at": text(moment, "milliseconds"), **cuff.measure(moment)})


def rows(site: Installation, wanted: str, *names: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - what a column holds
    """Look into the ledger's file from outside."""
    with closing(sqlite3.connect(f"file:{site.data / 'ledger.sqlite'}?mode=ro", uri=True)) as ledger:
        return ledger.execute(wanted, names).fetchall()


def verdicts(site: Installation, who: Enrolled) -> list[tuple[int, str, str | None]]:
    """Seq, outcome and reason of every reading message of a device, in order of arrival."""
    wanted = "SELECT seq, outcome, reason FROM journal WHERE device = ? AND channel = 'reading' ORDER BY position"
    return rows(site, wanted, who.device)


def gaps(site: Installation, who: Enrolled, *, closed: bool = False) -> list[dict[str, Any]]:
    """What people see of a device's gaps."""
    with site.api() as api:
        found: list[dict[str, Any]] = api.get("/gaps", closed=closed)["items"]
    return [gap for gap in found if gap["device"] == who.device]


def alarms(site: Installation, who: Enrolled) -> list[str]:
    """The codes of open events about a device."""
    return [code for (code,) in rows(site, "SELECT code FROM alarm WHERE subject = ?", who.device)]


def test_a_gap_is_found_shown_asked_for_and_closed(site: Installation, tmp_path: Path) -> None:
    """Numbers that were lost on the way are an open gap, are sent again when asked for, and the gap is filled."""
    (who,) = enrol(site, KIND, "gap-1")
    with device(site, who, Outbox(tmp_path / "box"), DropsOnce(2, 3, 6)) as one:
        measure(one, 9)
        drive(one, lambda: one.waiting == 3, "six are stored")
        until(lambda: len(gaps(site, who)) == 2, "both gaps are shown")
        assert [(gap["first"], gap["last"], gap["closed_at"]) for gap in gaps(site, who)] == [
            (2, 3, None),
            (6, 6, None),
        ]
        answered(one)
        assert one.tally.resends == 2
        assert one.tally.verdicts["stored"] == 9
        until(lambda: not gaps(site, who), "no gap is open")
    closed = gaps(site, who, closed=True)
    assert {(gap["first"], gap["last"], gap["closed_as"]) for gap in closed} >= {(6, 6, "filled")}
    assert all(gap["asked_at"] for gap in closed)
    assert alarms(site, who) == []


def test_a_device_that_lost_its_memory_and_draws_a_new_stream_is_stored(site: Installation, tmp_path: Path) -> None:
    """Counting from 0 again in another stream contradicts nothing: no conflict, no gap, no alarm."""
    (who,) = enrol(site, KIND, "reset-new")
    for turn in ("before", "after"):
        with device(site, who, Outbox(tmp_path / turn)) as one:
            measure(one, 4, seed=len(turn))
            answered(one)
    assert verdicts(site, who) == [(seq, "stored", None) for seq in (0, 1, 2, 3)] * 2
    assert (gaps(site, who), alarms(site, who)) == ([], [])


def test_a_counter_that_begins_anew_in_the_same_stream_overwrites_nothing(site: Installation, tmp_path: Path) -> None:
    """Every reading under a number that is taken is kept beside the first as a conflict, and people are told."""
    (who,) = enrol(site, KIND, "reset-same")
    first = Outbox(tmp_path / "before")
    stream = first.stream(who.device)
    with device(site, who, first) as one:
        measure(one, 4)
        answered(one)
    again = Outbox(tmp_path / "after")
    again.remember(who.device, "stream", stream)
    with device(site, who, again) as one:
        measure(one, 5, seed=2)
        answered(one)
        assert one.tally.reasons == {"key.conflict": 4}
    conflicts = [(seq, "quarantined", "key.conflict") for seq in range(4)]
    assert verdicts(site, who) == [*((seq, "stored", None) for seq in range(4)), *conflicts, (4, "stored", None)]
    kept = {reading.seq: reading.payload for reading in issued(tmp_path / "before")}
    held = (
        "SELECT k.seq, j.payload FROM key k JOIN journal j ON j.position = k.position WHERE k.device = ? AND k.seq < 4"
    )
    assert dict(rows(site, held, who.device)) == kept
    until(lambda: alarms(site, who) == [KEY_CONFLICT], "people are told")


def test_one_flash_in_two_devices_of_their_own_names_is_two_devices(site: Installation, tmp_path: Path) -> None:
    """The same stream and the same numbers: the device is part of the key, so nothing meets."""
    both = enrol(site, KIND, "flash-1", "flash-2")
    for who in both:
        outbox = Outbox(tmp_path / who.device)
        outbox.remember(who.device, "stream", "5f0c2f5e9a4b4c0d8e7f6a5b4c3d2e1f")
        with device(site, who, outbox) as one:
            measure(one, 3)
            answered(one)
    for who in both:
        assert verdicts(site, who) == [(seq, "stored", None) for seq in range(3)]
        assert alarms(site, who) == []


def test_one_flash_in_two_devices_of_one_name_is_told(site: Installation, tmp_path: Path) -> None:
    """Two copies that go on counting under one name contradict each other: conflicts, none lost, and an alarm."""
    (who,) = enrol(site, KIND, "cloned")
    with device(site, who, Outbox(tmp_path / "one")) as one:
        measure(one, 3)
        answered(one)
    shutil.copy(tmp_path / "one", tmp_path / "other")
    for seed, name in enumerate(("one", "other"), 10):
        with device(site, who, Outbox(tmp_path / name)) as one:
            measure(one, 2, seed)
            answered(one)
    conflicts = [(seq, "quarantined", "key.conflict") for seq in (3, 4)]
    assert verdicts(site, who) == [*((seq, "stored", None) for seq in range(5)), *conflicts]
    until(lambda: alarms(site, who) == [KEY_CONFLICT], "people are told")


def test_last_month_sent_again_is_duplicates_and_told(site: Installation, tmp_path: Path) -> None:
    """A device that offers all of last month again: duplicates only, an alarm, and another device does not notice."""
    who, other = enrol(site, KIND, "month-1", "month-2")
    quick = Manner(window=200, repeat_s=PATIENT_S, reconnect_s=0.2)
    month_ago = DeviceClock().now() - timedelta(days=30)
    with device(site, who, Outbox(tmp_path / "month", durable=False), manner=quick) as one:
        measure(one, REPEATS + 1, at=month_ago)
        answered(one)
    again = Outbox(tmp_path / "again", durable=False)
    again.keep(issued(tmp_path / "month"))
    with device(site, other, Outbox(tmp_path / "other")) as beside, device(site, who, again, manner=quick) as one:
        measure(beside, 5)
        drive(one, lambda: one.waiting < REPEATS // 2, "half of it is answered")
        answered(beside)
        answered(one)
        assert one.tally.verdicts == {"stored": REPEATS + 1}
    outcomes = [outcome for _, outcome, _ in verdicts(site, who)]
    assert outcomes == ["stored"] * (REPEATS + 1) + ["duplicate"] * (REPEATS + 1)
    assert verdicts(site, other) == [(seq, "stored", None) for seq in range(5)]
    until(lambda: alarms(site, who) == [REPLAYS_OLD], "people are told")
    assert alarms(site, other) == []


def test_a_clock_that_is_set_between_two_readings_changes_no_time_silently(site: Installation, tmp_path: Path) -> None:
    """Set back by two hours: what the device told stays as it is, order of arrival stays, the correction is marked."""
    (who,) = enrol(site, KIND, "clock-1")
    with device(site, who, Outbox(tmp_path / "box")) as one:
        measure(one, 1)
        answered(one)
    late = DeviceClock(ahead=-timedelta(hours=2), epoch=1, synced=False)
    with device(site, who, Outbox(tmp_path / "box"), clock=late) as one:
        measure(one, 1, at=late.now())
        answered(one)
    found = rows(
        site, "SELECT r.taken_at, r.used_at, r.mark, r.clock, j.received_at FROM reading r"
        " JOIN journal j ON j.position = r.position WHERE r.device = ? ORDER BY r.position", who.device,
    )  # fmt: skip
    sent = [said_at(reading.payload) for reading in issued(tmp_path / "box")]
    assert [taken_at for taken_at, *_ in found] == sent
    assert sent[1] < sent[0], "the clock was not set back"
    assert [(mark, clock) for _, _, mark, clock, _ in found] == [("device", 0), ("corrected", 1)]
    assert all(abs(used_at - received_at) < 10_000_000 for _, used_at, _, _, received_at in found)
    assert found[0][1] < found[1][1]


def said_at(payload: bytes) -> str:
    """The time that a reading tells."""
    return payload.decode().partition('"taken_at":"')[2].partition('"')[0]


def test_two_readings_of_one_instant_and_one_under_two_numbers_are_all_exported(
    site: Installation, pulled: Pulling, tmp_path: Path
) -> None:
    """Another number is another reading: of other values at the same time, and of the very same ones (S9, S10)."""
    (who,) = enrol(site, KIND, "twice-1")
    moment = DeviceClock().now()
    with device(site, who, Outbox(tmp_path / "box")) as one:
        measure(one, 1, seed=1, at=moment)
        measure(one, 1, seed=2, at=moment)
        measure(one, 1, seed=2, at=moment)
        answered(one)
        assert one.tally.verdicts == {"stored": 3}
    until(lambda: len(pressures(pulled, who)) == 3, "three are published")
    first, *same = sorted(pressures(pulled, who), key=lambda found: str(found["component"]) == "")
    assert len({found["id"] for found in (first, *same)}) == 3
    assert len({found["effectiveDateTime"] for found in (first, *same)}) == 1
    assert len({str(found["component"]) for found in (first, *same)}) == 2
    assert alarms(site, who) == []


def pressures(pulled: Pulling, who: Enrolled) -> Sequence[dict[str, Any]]:
    """The Observations with two pressures."""
    return [found for found in pulled.found("Observation", who.patient) if "component" in found]


def test_no_session_was_lost(site: Installation) -> None:
    """The first start is no loss, and neither is a gateway that was killed: the broker keeps its session."""
    killed = site.kill("gateway")
    until(lambda: site.serves("gateway", after=killed), "the gateway is back")
    (who,) = enrol(site, KIND, "session-1")
    with device(site, who, Outbox()) as one:
        measure(one, 1)
        answered(one)
    assert rows(site, "SELECT subject FROM alarm WHERE code = ?", SESSION_LOST) == []


def test_a_device_that_floods_is_held_back_and_loses_nothing(tmp_path: Path) -> None:
    """It is refused, asked to slow down, obeys, and all is stored in the end; another device is never refused."""
    site = Installation(tmp_path, settings={"FLOW__DEVICE_RATE": "50", "FLOW__DEVICE_BURST": "100"})
    count, quick = 300, Manner(window=100, repeat_s=PATIENT_S, reconnect_s=0.2)
    try:
        site.start()
        who, other = enrol(site, KIND, "flood-1", "flood-2")
        with (
            device(site, who, Outbox(tmp_path / "box", durable=False), manner=quick) as one,
            device(site, other, Outbox(tmp_path / "other")) as beside,
        ):
            measure(one, count)
            drive(one, lambda: one.tally.slow_downs, "it is asked to slow down")
            measure(beside, 20)
            answered(beside)
            assert one.waiting > 0, "the flood was over before the other device spoke"
            answered(one)
            assert (one.tally.verdicts["stored"], beside.tally.verdicts) == (count, {"stored": 20})
            assert one.tally.reasons["flow.slow_down"] == one.tally.verdicts["refused"] > 0
        with site.api() as api:
            balance = api.get("/ledger/balance")
        assert (balance["received"], balance["stored"], balance["balanced"]) == (count + 20, count + 20, True)
        until(lambda: alarms(site, who) == [FLOOD], "people are told")
        assert alarms(site, other) == []
        assert (gaps(site, who), gaps(site, other)) == ([], [])
    finally:
        site.end()
