"""Flushes that fail or take long, in a gateway that runs: never repeated and believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.devices.outbox import issued
from tests.faults.bursts import measuring
from tests.faults.installation import Installation, until
from tests.faults.oracle import check_ledger
from tests.support.injected import injected

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

_WAL, _FILE = "ledger.sqlite-wal", "ledger.sqlite"


@pytest.mark.parametrize("name", [_WAL, _FILE])
def test_after_one_flush_that_failed_the_ledger_is_opened_anew(site: Installation, tmp_path: Path, name: str) -> None:
    """A flush of log or file that fails once: the gateway opens the ledger again, rewrites its log, and goes on."""
    secrets = site.register(3)
    site.start()
    gateway = site.pids()["gateway"]
    with measuring(site, secrets, tmp_path / "outbox") as crowd:
        calls = ("fdatasync:error=EIO:when=1", "pwrite64", "fsync", "openat")
        with injected(gateway, *calls, path=site.data / name, log=tmp_path / "calls") as log:
            crowd.more(100)
            until(lambda: "(INJECTED)" in log.read_text(), "a flush has failed")
            crowd.more(100)
            told = crowd.finish(30.0)
            if name == _WAL:
                after = log.read_text().partition("(INJECTED)")[2]
                assert "openat(" in after
                assert "fsync(" in after.partition("openat(")[2]
        assert told["answered"] == 200
    assert site.pids()["gateway"] == gateway
    assert site.stop() == 0
    check_ledger(site, list(issued(tmp_path / "outbox")))


def test_when_flushes_go_on_failing_the_gateway_ends_with_words(site: Installation, tmp_path: Path) -> None:
    """A second flush that fails ends the process, named; another one opens the ledger, and nothing is lost."""
    secrets = site.register(3)
    site.start()
    gateway = site.pids()["gateway"]
    with measuring(site, secrets, tmp_path / "outbox") as crowd:
        crowd.more(30)
        until(lambda: crowd.answered == 30, "readings are answered")
        with injected(gateway, "fdatasync:error=EIO", "fsync:error=EIO", log=tmp_path / "calls"):
            crowd.more(100)
            until(lambda: site.pids().get("gateway", gateway) != gateway, "another gateway runs")
            assert crowd.answered == 30
        assert '"The disk failed to write twice.' in site.words.replace("problem", "")
        assert crowd.finish(30.0)["answered"] == 130
    assert (tmp_path / "calls").read_text().count("exited with 1") > 0
    assert site.stop() == 0
    check_ledger(site, list(issued(tmp_path / "outbox")))
    assert "Traceback" not in site.words


def test_slow_flushes_only_make_receipts_slower(site: Installation, tmp_path: Path) -> None:
    """With 0.3 s for each flush batches grow: 1,000 readings of 3 meters have receipts, none late, none twice."""
    secrets = site.register(3)
    site.start()
    gateway = site.pids()["gateway"]
    with (
        measuring(site, secrets, tmp_path / "outbox") as crowd,
        injected(gateway, "fdatasync:delay_enter=300000", log=tmp_path / "calls") as log,
    ):
        crowd.more(1000)
        told = crowd.finish(60.0)
        flushes = log.read_text().count("fdatasync(")
    assert told["repeated"] == 0, told
    assert told["seconds_to_receipt"]["longest"] < 5, told
    assert flushes < 100, "each flush is for many readings"
    print(told["seconds_to_receipt"], "flushes", flushes)  # noqa: T201 - seen with -s
    assert site.pids()["gateway"] == gateway
    assert site.is_ready()
    assert site.stop() == 0
    check_ledger(site, list(issued(tmp_path / "outbox")))
