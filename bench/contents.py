"""W3 and W4 of the performance page: inline ECGs as far as their FHIR form, photographs as far as stable storage.

Comes in: how long. Goes out: ``Row`` values. Refuses to know: how they are shown.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import text

from app import wiring
from bench.rows import Row, Say
from bench.site import Site, cpu_seconds, site
from bench.subscriber import counting

CARTS, CAMERAS = 4, 8
W3_RATE = 50
W4_RATIO = 0.3
SIZES = (270_000, 5_000_000)
_PATIENCE_S = 120.0
_TRACINGS = "SELECT count(*) FROM feed WHERE type = 'Observation' AND id LIKE '%-ecg'"


def w3(folder: Path, seconds: float, say: Say) -> list[Row]:
    """12-lead ECGs of 10 s at 500 Hz, inline, from as many carts: recordings a second into ledger and feed."""
    say("W3: ECGs, ledger and FHIR form")
    with site(folder, CARTS, ("gateway", "office")) as here:
        before = cpu_seconds(here.pid("gateway"))
        began = time.monotonic()
        sent, _ = _send(here, "ecg", seconds)
        _wait_for(here, _TRACINGS, sent)
        rate = sent / (time.monotonic() - began)
        cpu = (cpu_seconds(here.pid("gateway")) - before) / sent * 1000
    facts = {"recordings": sent, "gateway_cpu_ms": cpu}
    return [
        Row("W3", "12-lead ECGs of 10 s at 500 Hz, to ledger and FHIR form, recordings/s", f"{rate:.0f}", None,
            f">= {W3_RATE}/s", rate >= W3_RATE, facts),
    ]  # fmt: skip


def w4(folder: Path, seconds: float, say: Say) -> list[Row]:
    """Blobs of 270 kB and 5 MB in parts of 256 KiB: bytes a second on stable storage, beside a file copy with fsync.

    And beside what the broker and the cameras can do when nothing is kept.
    """
    rows = []
    for size in SIZES:
        say(f"W4: blobs of {size / 1e6:.2f} MB")
        copied = _copy(folder / f"copy-{size}", size, seconds / 4)
        with site(folder / f"bare-{size}", CAMERAS, ()) as here, counting(here, answering=True):
            sent, took = _send(here, f"blob:{size}", seconds)
            bare = sent * size / took / 1e6
        with site(folder / f"site-{size}", CAMERAS) as here:
            sent, took = _send(here, f"blob:{size}", seconds)
            _wait_for(here, "SELECT count(*) FROM content WHERE state = 'complete'", sent)
            rate = sent * size / took / 1e6
        name = f"{size / 1e6:.2f} MB"
        rows += [
            Row("W4", f"file copy with fsync, {name} each, MB/s", f"{copied:.0f}"),
            Row("W4", f"blobs of {name}, answered and thrown away by a bare subscriber, MB/s", f"{bare:.0f}",
                bare / copied),
            Row("W4", f"blobs of {name} in parts, kept on stable storage, MB/s", f"{rate:.0f}", rate / copied,
                f">= {W4_RATIO} of the copy", rate >= W4_RATIO * copied, {"of_bare": rate / bare}),
        ]  # fmt: skip
    return rows


def _send(here: Site, what: str, seconds: float) -> tuple[int, float]:
    """How many contents were accepted, and the seconds from the first sending to the last answer."""
    where = ("127.0.0.1", str(here.settings.broker.port), str(here.devices), str(seconds), what)
    command = [sys.executable, "-m", "bench.content_publishers", *where]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    return int(told["accepted"]), float(told["seconds"])


def _wait_for(here: Site, statement: str, count: int) -> None:
    end = time.monotonic() + _PATIENCE_S
    with wiring.ledger(here.settings) as file:
        while True:
            with file.readers.connect() as connection:
                if connection.execute(text(statement)).scalar_one() >= count:
                    return
            if time.monotonic() > end:
                raise RuntimeError("not everything arrived where it was waited for")
            time.sleep(0.05)


def _copy(folder: Path, size: int, seconds: float) -> float:
    """Plain copies of a file, each with fsync, MB/s. All are kept till the end, as blobs are.

    A copy that is removed before the next one is written gives its pages back, and the next one is written into the
    same: that is two to three times as fast here, and stores nothing.
    """
    folder.mkdir(parents=True)
    source = folder / "source"
    source.write_bytes(os.urandom(size))
    began, count = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        with source.open("rb") as read, (folder / str(count)).open("wb") as write:
            write.write(read.read())
            write.flush()
            os.fsync(write.fileno())
        count += 1
    rate = count * size / (time.monotonic() - began) / 1e6
    shutil.rmtree(folder)
    return rate
