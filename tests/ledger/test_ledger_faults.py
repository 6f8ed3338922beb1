"""What was said to be kept is kept: through kill -9, and through a disk that is full for a while."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select

from ingest.ledger.files import open_ledger
from ingest.ledger.schema import KEY, READING
from ingest.ledger.verify import verify

pytestmark = pytest.mark.faults

KILLS = 20


@contextmanager
def committing(ledger: Path, first: int, *limit: str) -> Iterator[subprocess.Popen[str]]:
    """The process of ``tests.ledger.committing``; killed in the end."""
    command = [sys.executable, "-m", "tests.ledger.committing", str(ledger), str(first), *limit]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def lines(process: subprocess.Popen[str]) -> Iterator[str]:
    """What the process says."""
    assert process.stdout is not None
    yield from process.stdout


def highest_kept(ledger: Path) -> int:
    """The highest seq of the ledger, which is sound and lacks none below it."""
    with open_ledger(ledger) as file, file.readers.connect() as connection:
        assert not verify(connection).faults
        highest, keys = connection.execute(select(func.max(KEY.c.seq), func.count()).select_from(KEY)).one()
        readings = connection.execute(select(func.count()).select_from(READING)).scalar_one()
    assert keys == readings == highest + 1
    return int(highest)


def test_kill_9_takes_nothing_that_was_told(tmp_path: Path) -> None:
    """Twenty times a process is killed in the midst of commits: each seq that it told is there, and all is sound."""
    ledger, told, draw = tmp_path / "ledger.sqlite", -1, random.Random(20)
    for _ in range(KILLS):
        with committing(ledger, told + 1) as process:
            wanted = draw.randint(1, 60)
            for _, line in zip(range(wanted), lines(process), strict=False):
                told = int(line.removeprefix("kept "))
            process.kill()
            rest, _ = process.communicate()
        told = max([told, *(int(line.split()[1]) for line in rest.splitlines(keepends=True) if line.endswith("\n"))])
        kept = highest_kept(ledger)
        assert kept >= told
        told = kept
    assert told > KILLS


def test_a_full_disk_keeps_nothing_and_loses_nothing(tmp_path: Path) -> None:
    """When a file cannot grow, batches are refused by name; with room again, the same process goes on."""
    ledger = tmp_path / "ledger.sqlite"
    with committing(ledger, 0, "1500000") as process:
        said = lines(process)
        refused = next(line for line in said if not line.startswith("kept"))
        assert refused.startswith("unavailable The ledger cannot be used (SQLITE_")
        assert process.stdin is not None
        process.stdin.write("there is room\n")
        process.stdin.flush()
        told = [int(next(said).removeprefix("kept ")) for _ in range(30)][-1]
        process.kill()
    assert highest_kept(ledger) >= told
