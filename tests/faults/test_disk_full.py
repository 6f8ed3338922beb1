"""A disk that fills up under a whole installation: the reserve before that, the end of it, and room again."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.client import Api, ApiRefused
from simulators.devices.outbox import issued
from tests.faults.bursts import measuring
from tests.faults.installation import Installation, until
from tests.faults.oracle import check_ledger
from tests.support.injected import fill, small_disk

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

_MIB = 1 << 20


def test_acknowledgements_stop_before_the_disk_is_full(site: Installation, tmp_path: Path) -> None:
    """Below the reserve nothing is taken, reads go on, and it says so; with room again the same gateway goes on."""
    site.settings["LEDGER__RESERVE_MIB"] = "16"
    with small_disk(site.data, 64):
        secrets = site.register(3)
        site.start()
        gateway, ballast = site.pids()["gateway"], site.data / "ballast"
        with measuring(site, secrets, tmp_path / "outbox") as crowd:
            crowd.more(30)
            until(lambda: crowd.answered == 30, "readings are answered")
            fill(ballast, 15 * _MIB)
            until(lambda: "reserve is used up" in _problem(site), "the gateway says so")
            crowd.more(60)
            until(lambda: crowd.made > 30, "meters measure")
            assert not site.is_ready()
            with site.api() as api:
                assert len(api.get("/readings")["items"]) == 30
                assert "ledger.disk_reserve" in _alarms(api)
            fill_back(ballast, 18 * _MIB)  # more than the reserve, and less than what begins it anew
            assert crowd.answered == 30
            assert "reserve is used up" in _problem(site)
            ballast.unlink()
            assert crowd.finish(30.0)["answered"] == 90
        until(site.is_ready, "it is ready again")
        assert site.pids()["gateway"] == gateway
        assert site.stop() == 0
        check_ledger(site, list(issued(tmp_path / "outbox")))


def test_a_full_disk_loses_nothing_and_everything_goes_on_when_it_has_room(site: Installation, tmp_path: Path) -> None:
    """On a full disk nothing is acknowledged or shown unaudited, it is said, and nobody has to start anything by hand.

    The gateway is killed and the broker with it while nothing can be written: the supervisor goes on trying.
    """
    site.settings["LEDGER__RESERVE_MIB"] = "0"
    with small_disk(site.data, 64):
        secrets = site.register(3)
        site.start()
        with measuring(site, secrets, tmp_path / "outbox") as crowd:
            crowd.more(30)
            until(lambda: crowd.answered == 30, "readings are answered")
            fill(site.data / "ballast", 0)
            crowd.more(600)
            until(lambda: "SQLITE_FULL" in _problem(site, "office"), "the office says so, on the full disk itself")
            with site.api() as api:
                until(lambda: _refused(api), "nothing is shown that cannot be audited")
            answered = crowd.answered
            site.kill("gateway")
            site.kill("broker")
            until(lambda: site.words.count('"event": "part did not start"') > 1, "the supervisor tries the broker")
            assert crowd.answered == answered
            assert site.process is not None
            assert site.process.poll() is None
            (site.data / "ballast").unlink()
            assert crowd.finish(60.0)["answered"] == 630
        until(lambda: site.serves("gateway") and site.serves("office"), "all parts are well")
        with site.api() as api:
            until(lambda: "ledger.write_failed" in _alarms(api), "the alarm could be noted")
            assert api.get("/readings")["items"]
        assert site.stop() == 0
        check_ledger(site, list(issued(tmp_path / "outbox")))
        assert "Traceback" not in site.words


def test_a_start_on_a_full_disk_is_refused_in_words(site: Installation) -> None:
    """`up` on a full disk ends with 1 and says that room is wanted; with room it starts, and all is there."""
    site.settings["LEDGER__RESERVE_MIB"] = "0"
    with small_disk(site.data, 64):
        site.register(1)
        fill(site.data / "ballast", 0)
        code = site.begin().wait(30.0)
        assert code == 1
        assert "room" in site.words
        assert "Traceback" not in site.words
        (site.data / "ballast").unlink()
        site.start()
        with site.api() as api:
            assert len(api.get("/devices")["items"]) == 1
        assert site.stop() == 0


def test_below_the_reserve_everything_but_taking_in_starts(site: Installation, tmp_path: Path) -> None:
    """`up` on a disk without its reserve answers reads and says what it waits for; with room it is ready by itself."""
    site.settings["LEDGER__RESERVE_MIB"] = "16"
    with small_disk(site.data, 64):
        secrets = site.register(1)
        fill(site.data / "ballast", 15 * _MIB)
        site.begin()
        until(lambda: site.serves("office"), "the office works")
        assert "reserve is used up" in _problem(site)
        with site.api() as api:
            assert len(api.get("/devices")["items"]) == 1
        (site.data / "ballast").unlink()
        until(site.is_ready, "it is ready")
        with measuring(site, secrets, tmp_path / "outbox") as crowd:
            crowd.more(10)
            assert crowd.finish(30.0)["answered"] == 10
        assert site.stop() == 0


def fill_back(ballast: Path, free: int) -> None:
    """Give a part of the ballast back, so that so much is free."""
    stat = ballast.stat()
    with ballast.open("r+b") as opened:
        opened.truncate(stat.st_size - (free - 15 * _MIB))


def _problem(site: Installation, part: str = "gateway") -> str:
    told = site.told(part)
    return "" if told is None or not told.is_fresh else told.problem or ""


def _alarms(api: Api) -> set[str]:
    return {alarm["code"] for alarm in api.get("/alarms")["items"]}


def _refused(api: Api) -> bool:
    try:
        api.get("/readings")
    except ApiRefused as refused:
        return refused.status == 503
    return False
