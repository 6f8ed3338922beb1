"""A hub speaks for its meters, as section 12 of the device contract says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from simulators.devices.hub import MEMORIES, Meter
from simulators.devices.outbox import issued
from simulators.devices.tally import Manner
from simulators.hub import Ear, HubPlan, run
from tests.simulators.fake_gateway import Broker, eventually
from tests.simulators.wide_gateway import WideGateway

AT = datetime.fromisoformat("2026-11-21T08:30:00+04:00")
PATIENT = Manner(repeat_s=30, reconnect_s=0.2)


@pytest.fixture
def wide(broker: Broker) -> Iterator[WideGateway]:
    """A gateway for hubs."""
    answering = WideGateway(broker.port)
    yield answering
    answering.close()


def meters(memory: str, many: int = 10) -> list[Meter]:
    """Meters of the kind that is quickest to make."""
    return [Meter(f"bp-{n:04}", "blood_pressure", n, memory=memory) for n in range(many)]


@pytest.mark.parametrize("memory", MEMORIES)
def test_ten_meters_speak_through_one_line(broker: Broker, wide: WideGateway, memory: str) -> None:
    """One connection brings hello, echo and readings of ten meters and of the hub itself; all are answered."""
    plan = HubPlan(broker.url, (Ear("hub-0001", "s"),), meters(memory), count=3, rate=500, deadline_s=20)
    (report,) = run(plan)
    assert report.answered
    assert (report.tally.connects, report.tally.verdicts["stored"]) == (1, 30)
    eventually(lambda: wide.words[-1][3].get("state") == "offline")
    hellos = {device: said for _, device, channel, said in wide.words if channel == "hello"}
    assert set(hellos) == {"hub-0001", *(meter.device for meter in plan.meters)}
    assert len({said["conn"] for said in hellos.values()}) == 1
    assert {hellos[meter.device]["clock"]["by"] for meter in plan.meters} == {MEMORIES[memory].by}
    assert {hellos[meter.device].get("counts", True) for meter in plan.meters} == {MEMORIES[memory].counts}
    echoes = [device for _, device, channel, said in wide.words if channel == "state" and "clock" in said]
    assert sorted(echoes) == sorted(hellos)
    assert [(sender, device) for sender, device, _, said in wide.words if said.get("state") == "offline"] == [
        ("hub-0001", "hub-0001")
    ]


def test_two_hubs_make_one_reading_of_one_measurement(broker: Broker, wide: WideGateway, tmp_path: Path) -> None:
    """A meter that numbers or stamps its records: both hubs send the same bytes under the same key."""
    both = [*meters("counted", 3), Meter("th-0001", "blood_pressure", 7, memory="stamped")]
    ears = (Ear("hub-0001", "s", tmp_path / "one"), Ear("hub-0002", "s", tmp_path / "two"))
    first, second = run(HubPlan(broker.url, ears, both, count=5, rate=500, deadline_s=20))
    assert (first.answered, second.answered) == (True, True)
    one, two = ({kept.key: kept.payload for kept in issued(ear.outbox)} for ear in ears if ear.outbox)
    assert one == two
    stamped = [key for key in one if key[0] == "th-0001"]
    assert len(one) - len(stamped) == 15
    assert 1 <= len(stamped) <= 5  # two records of one second with the same values are one record
    assert sum(len(room.said) for room in wide.rooms.values()) == len(one)
    assert {(sender, device) for sender, device, _ in wide.readings} == {
        (ear.hub, meter.device) for ear in ears for meter in both
    }


def test_what_a_meter_holds_back_goes_out_as_its_own(broker: Broker, wide: WideGateway) -> None:
    """Reordered readings never change the meter they belong to."""
    ten = meters("counted", 10)
    (report,) = run(HubPlan(broker.url, (Ear("hub-0001", "s"),), ten, 4, 500, ("reorder:0.5",), seed=1, deadline_s=30))
    assert report.answered
    assert report.faults["reorder"] > 0
    said = [(device, json.loads(payload)["stream"]) for _, device, payload in wide.readings]
    assert set(said) == {(meter.device, meter.stream) for meter in ten}


def test_a_counted_record_gives_stream_and_seq() -> None:
    """The stream follows from device and reset counter, seq is the record's number."""
    meter = Meter("bp-0001", "blood_pressure", resets=4)
    named = hashlib.sha256(b"constantes/v1/stream|bp-0001|4").hexdigest()[:32]
    assert [meter.number(meter.measure(AT)) for _ in range(2)] == [(named, 0), (named, 1)]
    assert meter.stream == named


def test_a_stamped_record_gives_the_stream_alone() -> None:
    """Another time or other values are another stream, always with seq 0; the same record the same one."""
    meter = Meter("bp-0001", "blood_pressure", memory="stamped")
    record, other = meter.measure(AT), meter.measure(AT)
    assert meter.number(record) == meter.number(record) != meter.number(other)
    assert (meter.number(record) or ("", 1))[1] == 0


def test_without_a_memory_each_hub_numbers_by_itself(broker: Broker, wide: WideGateway) -> None:
    """Where the hub makes the time, the stream is the hub's own: nothing tells that it was one measurement."""
    ears = (Ear("hub-0001", "s"), Ear("hub-0002", "s"))
    run(HubPlan(broker.url, ears, meters("none", 1), count=2, rate=500, deadline_s=20))
    streams = {json.loads(payload)["stream"] for _, _, payload in wide.readings}
    assert len(streams) == 2
    assert len(wide.rooms["bp-0000"].said) == 4


def test_a_lost_line_loses_nothing(broker: Broker, wide: WideGateway) -> None:
    """The line breaks in the middle of readings: every meter's readings arrive once each."""
    manner = Manner(repeat_s=0.3, reconnect_s=0.05)
    ears = (Ear("hub-0001", "s"),)
    plan = HubPlan(
        broker.url, ears, meters("counted", 4), count=5, rate=200, faults=("cut_network:0.2",), deadline_s=25,
        manner=manner,
    )  # fmt: skip
    (report,) = run(plan)
    assert report.answered
    assert report.tally.cuts > 0
    assert [sorted(seq for _, seq in room.said) for room in wide.rooms.values()] == [[0, 1, 2, 3, 4]] * 4
