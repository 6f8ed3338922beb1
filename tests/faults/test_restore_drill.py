"""The restore drill: a backup under load, the ledger lost, restored, and devices offer again what they hold."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.client import ClientFault
from ingest.ledger.faults import LedgerFault
from simulators.devices.outbox import issued
from simulators.record import process as record
from tests.faults.bursts import measuring
from tests.faults.installation import ROOT, Installation, until
from tests.faults.oracle import check_ledger, in_record, lines, reading_id

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

DEVICES, BEFORE, DURING, AFTER = 4, 200, 200, 100
"""Readings before the backup, while it is made, and behind it: the last are in no backup."""


def told(site: Installation, *words: str) -> dict[str, Any]:
    """What a command says, as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "app", *words, "--json"],
        cwd=ROOT, env=site.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def refused(site: Installation, *words: str) -> str:
    """Why a command did nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "app", *words],
        cwd=ROOT, env=site.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    return done.stderr


def lose(site: Installation) -> None:
    """The disk takes the ledger and its contents."""
    for end in ("", "-wal", "-shm"):
        (site.data / f"ledger.sqlite{end}").unlink(missing_ok=True)
    shutil.rmtree(site.data / "blobs")


def stored(site: Installation) -> int:
    """How many readings the running installation has."""
    try:
        with site.api() as api:
            return int(api.get("/ledger/balance")["stored"])
    except (ClientFault, LedgerFault):
        return -1


def observations(inspect: str) -> dict[str, Any]:
    """What the record holds: numbers and patient by id."""
    return {
        body["id"]: (body["subject"]["reference"], [part["valueQuantity"] for part in body.get("component", [body])])
        for body in lines(f"{inspect}/resources?type=Observation")
    }


def test_a_ledger_that_is_lost_comes_back_and_devices_fill_it_up(site: Installation, tmp_path: Path) -> None:
    """Each reading is there once, those behind the backup too, and the record has the same resources as before."""
    outbox, goal = tmp_path / "outbox", tmp_path / "copies" / "today"
    goal.parent.mkdir()
    with record.running() as held:
        site.settings |= {"RECORD__URL": held.base, "RECORD__PATIENTS": "write"}
        secrets = site.register(DEVICES)
        site.start()
        with measuring(site, secrets, outbox, marks=True) as crowd:
            crowd.more(BEFORE)
            crowd.finish(60.0)
            crowd.more(DURING)
            made = told(site, "ledger", "backup", str(goal))
            crowd.finish(60.0)
            crowd.more(AFTER)
            crowd.finish(60.0)
            everything = list(issued(outbox))
            assert len(everything) == BEFORE + DURING + AFTER
            until(lambda: in_record(held.inspect) == 2 * len(everything), "the record has everything", 90.0)
            before = observations(held.inspect)
            assert "already runs" in refused(site, "ledger", "restore", str(goal))
            assert site.stop() == 0
            lose(site)
            back = told(site, "ledger", "restore", str(goal))
            assert (back["ledger"], back["aside"]) == (made["ledger"], None)
            assert back["now"] != made["ledger"]
            site.start()
            until(lambda: stored(site) == len(everything), "what no backup has is offered again", 90.0)
            crowd.more(AFTER)
            crowd.finish(60.0)
            everything = list(issued(outbox))
            until(lambda: in_record(held.inspect) == 2 * len(everything), "the record has what is new", 90.0)
        assert site.stop() == 0
        check_ledger(site, everything)
        after = observations(held.inspect)
    assert {id_: after[id_] for id_ in before} == before
    ids = {reading_id(reading) for reading in everything}
    assert {id_[:32] for id_ in after} == ids
    assert len(after) == 2 * len(everything)
