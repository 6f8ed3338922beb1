"""Meters behind hubs, through a whole installation: each reading once in the ledger and once in the record."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.devices.hub import Meter
from simulators.devices.outbox import Kept, issued
from simulators.devices.tally import Manner
from simulators.hub import Ear, HubPlan, HubReport, run
from simulators.record import process as record
from tests.faults.installation import ROOT, Installation
from tests.faults.oracle import check_ledger, check_record, in_record
from tests.whole.apparatus import enrol, secret_of, wait_for

METERS, COUNT = 10, 4
HASTY = Manner(repeat_s=1.0, reconnect_s=0.2)
PROCESS = """
import sys
from pathlib import Path
from simulators.devices.hub import Meter
from simulators.hub import Ear, HubPlan, run
run(HubPlan(sys.argv[1], (Ear(sys.argv[2], sys.stdin.readline().strip()),), [Meter(sys.argv[3], "blood_pressure")],
    count=1_000_000, rate=5.0))
"""

pytestmark = [pytest.mark.faults]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Installation, str]]:
    """An installation of this test's own that writes into a record, and the record's inspector."""
    site = Installation(tmp_path)
    with record.running() as held:
        site.settings |= {"RECORD__URL": held.base, "RECORD__PATIENTS": "write"}
        try:
            site.start()
            yield site, held.inspect
        finally:
            site.end()


def serve(site: Installation, hub: str, *meters: str) -> None:
    """Let a hub speak for meters."""
    with site.api() as api:
        for meter in meters:
            api.post("/hubs", {"hub": hub, "device": meter})


def speak(
    site: Installation, folder: Path, secrets: dict[str, str], *meters: str, faults: tuple[str, ...] = ()
) -> list[HubReport]:
    """Let hubs bring readings of meters until all are answered; every hub hears each."""
    ears = tuple(Ear(hub, secret, folder / hub) for hub, secret in secrets.items())
    heard = [Meter(name, "blood_pressure", seed) for seed, name in enumerate(meters)]
    return run(HubPlan(site.url, ears, heard, COUNT, rate=40.0, faults=faults, deadline_s=30.0, manner=HASTY))


def once(*outboxes: Path) -> list[Kept]:
    """All that hubs issued, each key once; two hubs that heard one measurement made the same bytes of it."""
    found: dict[object, Kept] = {}
    for each in (reading for outbox in outboxes for reading in issued(outbox)):
        assert found.setdefault(each.key, each).payload == each.payload
    return list(found.values())


def test_each_reading_is_kept_and_delivered_once_however_many_hubs_bring_it(
    served: tuple[Installation, str], tmp_path: Path
) -> None:
    """Ten meters on one connection, and one that two hubs hear, over lines that lose and double."""
    site, inspect = served
    names = [f"bp-hub-{number:02}" for number in range(METERS)]
    enrol(site, "blood_pressure", *names, "bp-shared")
    secrets = {hub: secret_of(site, hub) for hub in ("hub-one", "hub-left", "hub-right")}
    serve(site, "hub-one", *names)
    for hub in ("hub-left", "hub-right"):
        serve(site, hub, "bp-shared")
    faults = ("drop:0.1", "repeat:0.1")
    (one,) = speak(site, tmp_path, {"hub-one": secrets.pop("hub-one")}, *names, faults=faults)
    both = speak(site, tmp_path, secrets, "bp-shared", faults=("drop:0.2", "repeat:0.2"))
    assert [(each.answered, each.tally.connects, each.tally.reasons.total()) for each in (one, *both)] == [
        (True, 1, 0)
    ] * 3
    everything = once(*(tmp_path / hub for hub in ("hub-one", "hub-left", "hub-right")))
    assert len(everything) == (METERS + 1) * COUNT
    assert len(one.tally.stored) == METERS * COUNT
    assert both[0].tally.stored == both[1].tally.stored
    wait_for(lambda: in_record(inspect) >= 2 * len(everything), "everything is in the record")
    assert site.stop() == 0
    check_ledger(site, everything)
    assert check_record(inspect, everything)["observations"] == 2 * len(everything)


def test_a_hub_that_may_not_speak_for_a_meter_is_told_so(site: Installation, tmp_path: Path) -> None:
    """Every reading is answered `device.not_served`; once somebody has acted, what was kept counts by itself."""
    (meter,) = enrol(site, "blood_pressure", "bp-foreign")
    (report,) = speak(site, tmp_path, {"hub-foreign": secret_of(site, "hub-foreign")}, meter.device)
    assert report.answered
    assert report.tally.stored == set()
    assert set(report.tally.reasons) == {"device.not_served"}
    assert set(report.tally.actions) == {"operator"}
    with site.api() as api:
        rows = [each["reason"] for each in api.get("/quarantine")["items"] if each["device"] == meter.device]
        assert api.get("/readings", device=meter.device)["items"] == []
    assert rows.count("device.not_served") >= COUNT
    serve(site, "hub-foreign", meter.device)

    def taken() -> int:
        with site.api() as api:
            return len(api.get("/readings", device=meter.device)["items"])

    wait_for(lambda: taken() == COUNT, "what the hub had brought is judged again")
    with site.api() as api:
        left = api.post("/quarantine/replay", {"device": meter.device, "dry_run": True})["items"]
        assert {line["reason"] for line in left} == {"quarantine.no_reading"}  # hellos: it has said them anew
        assert api.get("/ledger/balance")["balanced"]


def test_the_will_of_a_hub_makes_its_meters_unreachable_and_nothing_else(site: Installation, tmp_path: Path) -> None:
    """A hub that is killed is offline; its meter is not to be reached, and is so again with the next hello."""
    (meter,) = enrol(site, "blood_pressure", "bp-willed")
    secret = secret_of(site, "hub-willed")
    serve(site, "hub-willed", meter.device)
    command = [sys.executable, "-c", PROCESS, site.url, "hub-willed", meter.device]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, text=True) as hub:
        assert hub.stdin is not None
        hub.stdin.write(secret + "\n")
        hub.stdin.flush()
        wait_for(lambda: presence(site, meter.device) == ("online", "hub-willed"), "the meter is online by its hub")
        hub.send_signal(signal.SIGKILL)
        wait_for(lambda: presence(site, meter.device) == ("unreachable", "hub-willed"), "it is not to be reached")
        assert presence(site, "hub-willed") == ("offline", None)
    speak(site, tmp_path, {"hub-willed": secret}, meter.device)
    with site.api() as api:
        assert len(api.get("/readings", device=meter.device)["items"]) >= COUNT


def presence(site: Installation, device: str) -> tuple[str, str | None]:
    """(presence, via)."""
    with site.api() as api:
        shown = api.get(f"/devices/{device}")
    return shown["presence"], shown["via"]
