"""A data folder that can no longer be written, and a gateway that can open no further file."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from simulators.devices.outbox import issued
from tests.faults.bursts import measuring
from tests.faults.installation import Installation, until
from tests.faults.oracle import check_ledger
from tests.support.injected import injected, read_only, small_disk

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]


def test_a_file_system_that_turns_read_only_stops_acknowledgements(site: Installation, tmp_path: Path) -> None:
    """Writes that are refused (EROFS) are said to be, nothing is acknowledged, and the same gateway goes on after."""
    secrets = site.register(3)
    site.start()
    gateway = site.pids()["gateway"]
    with measuring(site, secrets, tmp_path / "outbox") as crowd:
        crowd.more(30)
        until(lambda: crowd.answered == 30, "readings are answered")
        with injected(gateway, "pwrite64:error=EROFS", log=tmp_path / "calls"):
            crowd.more(60)
            until(lambda: "SQLITE_IOERR_WRITE" in _problem(site), "the gateway says so")
            assert not site.is_ready()
            assert crowd.answered == 30
        assert crowd.finish(30.0)["answered"] == 90
    until(site.is_ready, "it is ready again")
    assert site.pids()["gateway"] == gateway
    with site.api() as api:  # the note is a write too, and has its turn

        def noted() -> bool:
            items = api.get("/alarms")["items"]
            return [alarm["subject"] for alarm in items if alarm["code"] == "ledger.write_failed"] == ["gateway"]

        until(noted, "it was noted for people")
    assert site.stop() == 0
    check_ledger(site, list(issued(tmp_path / "outbox")))


def test_a_start_in_a_read_only_folder_is_refused_in_words(site: Installation) -> None:
    """`up` in a folder that cannot be written ends with 1 and says so; nothing is changed."""
    site.settings["LEDGER__RESERVE_MIB"] = "0"
    with small_disk(site.data, 64):
        site.register(1)
        before = (site.data / "ledger.sqlite").read_bytes()
        read_only(site.data, yes=True)
        assert site.begin().wait(30.0) == 1
        assert f"The data folder {site.data} cannot be written" in site.words
        assert "Traceback" not in site.words
        assert (site.data / "ledger.sqlite").read_bytes() == before
        read_only(site.data, yes=False)
        site.start()
        assert site.stop() == 0


def test_a_gateway_that_can_open_nothing_says_so(site: Installation, tmp_path: Path) -> None:
    """Without a free descriptor the gateway loses nothing, names it in its log, and is heard again with one."""
    secrets = site.register(3)
    site.start()
    gateway = site.pids()["gateway"]
    with measuring(site, secrets, tmp_path / "outbox") as crowd:
        crowd.more(30)
        until(lambda: crowd.answered == 30, "readings are answered")
        soft, hard = resource.prlimit(gateway, resource.RLIMIT_NOFILE)
        resource.prlimit(gateway, resource.RLIMIT_NOFILE, (3, hard))
        crowd.more(60)
        site.kill("broker")  # a new line to it is a new descriptor
        until(lambda: "no further file can be opened, of 3 at most" in site.words, "the log names it")
        until(lambda: not site.is_ready(), "nobody calls it ready")
        resource.prlimit(gateway, resource.RLIMIT_NOFILE, (soft, hard))
        assert crowd.finish(60.0)["answered"] == 90
    until(lambda: site.serves("gateway"), "it is heard again")
    assert site.pids()["gateway"] == gateway
    assert site.stop() == 0
    check_ledger(site, list(issued(tmp_path / "outbox")))
    assert "Traceback" not in site.words


def _problem(site: Installation) -> str:
    told = site.told("gateway")
    return "" if told is None else told.problem or ""
