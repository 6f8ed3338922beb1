"""``make bench``: the workloads as one table with ratios, and ``docs/reference/performance.md``.

    python -m bench [--only W1,W3] [--seconds N] [--json] [--write]

Figures on shared machines move: each is shown beside its peer's of the same run. Exit code 1 when a "must" is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.contents import w3, w4
from bench.delivery import w5
from bench.latency import w2
from bench.rows import Row
from bench.throughput import w1
from bench.trends import w8

WORKLOADS = {"W1": w1, "W2": w2, "W3": w3, "W4": w4, "W5": w5, "W8": w8}
PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "performance.md"


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="The workloads, as one table with ratios.")
    parser.add_argument("--only", default=",".join(WORKLOADS), help="W1,W3")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each measurement")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    asked = parser.parse_args()
    names = asked.only.split(",")
    if unknown := set(names) - set(WORKLOADS):
        parser.error(f"no such workload: {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    said = Console(stderr=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="constantes-bench-") as folder, said.status("measuring") as status:
        for name in names:
            rows += WORKLOADS[name](Path(folder) / name, asked.seconds, status.update)
    if asked.json:
        sys.stdout.write(json.dumps({"machine": machine(), "rows": [asdict(row) for row in rows]}) + "\n")
    else:
        _show(rows)
    if asked.write:
        PAGE.write_text(page(rows, asked.seconds), "utf-8")
    return 0 if all(row.met is not False for row in rows) else 1


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def page(rows: list[Row], seconds: float) -> str:
    """The reference page."""
    facts = ", ".join(f"{name} {value}" for name, value in machine().items())
    table = "\n".join(f"| {' | '.join(_cells(row))} |" for row in rows)
    return _PAGE.format(seconds=seconds, facts=facts, table=table)


_PAGE = """# Performance: measured figures

Written by `make bench` ({seconds:.0f} s a measurement). Machine: {facts}; broker, publishers and everything else on
the same cores. Absolute figures move with the machine: the ratio is against the peer of the same run.

| workload | what | figure | ratio | must | met |
|---|---|---|---|---|---|
{table}

W1: 50 devices publish blood pressures (3 values, about 300 bytes) at QoS 1 as fast as they are accepted, at most 128
each on the way, into gateway and SQLite ledger (full judging, `synchronous=FULL`); a reading is accepted when its
receipt comes. The peer, `bench/peer_subscriber.py`, counts and acknowledges and does nothing else; its readings are
accepted when the broker's PUBACK comes, which is as fast as the broker goes. The other peer is Telegraf with its
default settings, from the same broker into InfluxDB 2, counted until what the broker accepted can be read there. That
is one compiled program on two cores; the bare subscriber is one interpreter and does nothing: its rate is the most that
a gateway of one process on this client can come to.

W2: 1,000 readings/s from 50 devices; the time from publish to receipt. Under load: deliveries to a record drain a
backlog, five clients pull pages of 100 five times a second, each read audited before it is answered. Broken pictures:
two more devices send the real photograph ten times a second, cut short or with one bit turned at every 97th place.

W3: four carts send inline ECGs of 12 leads, 10 s, 500 Hz, each with at most 8 on the way; until the last tracing is in
the feed. W4: eight cameras send blobs in parts of 256 KiB, each with at most 8 on the way; until every byte is on
stable storage. The peer copies a file of that size again and again, with fsync, and keeps the copies as blobs are kept
(copies that are removed at once are written into the same pages: two to three times as fast, and nothing is stored).
The bare subscriber answers each part and keeps nothing: that is what the broker and the cameras come to by themselves.

W5: an outbox is delivered to a FHIR server until each resource is confirmed in the ledger; the peer is a bare httpx
client that posts the same bundles at the same concurrency. W8: a year of one patient, a reading a minute, asked for in
hourly buckets; raw SQL on the same rows is the peer.
"""


def _cells(row: Row) -> tuple[str, ...]:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    met = {None: "", True: "yes", False: "NO"}[row.met]
    return row.workload, row.what, row.value, ratio, row.must or "", met


def _show(rows: list[Row]) -> None:
    table = Table("workload", "what", "figure", "ratio", "must", "met")
    for row in rows:
        table.add_row(*_cells(row))
    Console(width=140).print(table)


if __name__ == "__main__":
    sys.exit(main())
