"""How far trends are behind: the command line, health and metrics say it, and filling them anew is one command."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest

from app import status
from app.parts import CannotStart
from app.projecting import SERIES, projector, watch
from app.settings import Settings, load
from ingest.ledger.files import OpenLedger
from ingest.series.embedded import EmbeddedSeries
from ingest.series.projector import Projector
from tests.faults.installation import until
from tests.support.ledgers import reading
from tests.support.published import publish
from tests.support.web import Web

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def behind(file: OpenLedger) -> OpenLedger:
    """Three published readings, long ago, that no trend shows."""
    publish(file, *(reading(seq) for seq in range(3)))
    return file


@pytest.fixture
def with_influxdb(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """The same installation with an InfluxDB that nobody runs."""
    (tmp_path / "token").write_text("a-token")
    monkeypatch.setenv("CONSTANTES_SERIES__URL", "http://127.0.0.1:9")
    monkeypatch.setenv("CONSTANTES_SERIES__TOKEN_FILE", str(tmp_path / "token"))
    return load()


def caught_up(file: OpenLedger) -> None:
    """Project all there is."""
    projecting = Projector(file, EmbeddedSeries(file))
    while projecting.step():
        pass
    projecting._remember()  # noqa: SLF001 - what `run` does when nothing is left


def test_the_command_shows_what_is_behind(run: Run, behind: OpenLedger) -> None:
    """Readings and seconds, and exit code 1 when it has lasted too long."""
    code, out, err = run("series", "show", "--json")
    found = json.loads(out)
    assert (code, found["behind"], found["late"], found["problem"]) == (1, 3, True, None)
    assert found["age_s"] > 60
    assert "Every reading is safe" in err
    caught_up(behind)
    code, out, err = run("series", "show", "--json")
    assert (code, json.loads(out)["behind"], err) == (0, 0, "")


def test_filling_anew_is_asked_for_and_shown(run: Run, behind: OpenLedger) -> None:
    """Without a projector it waits for the next one, and says so."""
    caught_up(behind)
    code, out, _ = run("series", "rebuild", "--wait")
    assert (code, "begins when the projector runs" in out) == (0, True)
    assert json.loads(run("series", "show", "--json")[1])["rebuilding"] is True
    caught_up(behind)
    assert json.loads(run("series", "show", "--json")[1])["rebuilding"] is False


def test_only_operators_fill_anew(web: Web, behind: OpenLedger) -> None:
    """It is one of the operations, with their scope."""
    assert web.post("/api/v1/series/rebuild").status_code == 401
    web.sign_in("operations")
    assert (web.post("/api/v1/series/rebuild").status_code, web.get("/api/v1/series/lag").json()["behind"]) == (202, 3)


def test_metrics_count_what_is_behind(web: Web, behind: OpenLedger) -> None:
    """Readings, the age of the oldest, and whether that is an alarm."""
    web.sign_in("operations")
    text = web.get("/metrics").text
    assert "constantes_series_behind 3.0" in text
    assert "constantes_series_late 1.0" in text
    caught_up(behind)
    text = web.get("/metrics").text
    assert "constantes_series_behind 0.0" in text
    assert "constantes_series_age_seconds 0.0" in text
    assert "constantes_series_late 0.0" in text


def test_health_tells_why_trends_wait(with_influxdb: Settings, behind: OpenLedger) -> None:
    """While InfluxDB is away: how far, why, in plain words; the installation is as ready as before."""
    web, stop = Web(with_influxdb, behind), Event()
    projecting = projector(with_influxdb, behind)
    threads = [
        Thread(target=projecting.run, args=(stop,)),
        Thread(target=watch, args=(with_influxdb, behind, projecting, stop)),
    ]
    for thread in threads:
        thread.start()
    try:
        until(lambda: web.get("/healthz").json()["series"]["problem"] is not None, "it says why")
        found = web.get("/healthz").json()
        assert (found["alive"], found["series"]["behind"], found["series"]["late"]) == (True, 3, True)
        assert "http://127.0.0.1:9 did not answer: nobody answers there." in found["series"]["problem"]
        assert "a-token" not in json.dumps(found)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_trend_that_cannot_be_had_is_a_503(with_influxdb: Settings, behind: OpenLedger) -> None:
    """In words that say what is safe."""
    web = Web(with_influxdb, behind, operator=True)
    person = {"family": "EXEMPLE-FICTIF", "given": ["Ada"], "birth_date": "1980-02-29", "gender": "female"}
    patient = web.post("/api/v1/patients", person).json()["patient"]
    web.post("/api/v1/devices", {"device": "bp-0001", "simulated": True})
    web.post("/api/v1/assignments", {"device": "bp-0001", "patient": patient, "start": "2026-01-01T00:00:00Z"})
    answer = web.get("/api/v1/series", patient=patient, metric="systolic")
    assert (answer.status_code, answer.json()["code"]) == (503, "series.unavailable")
    assert "No reading is lost" in answer.json()["detail"]


def test_without_its_client_it_does_not_start(
    with_influxdb: Settings, file: OpenLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what to install, instead of ending in the middle of something."""
    monkeypatch.setitem(sys.modules, "influxdb_client", None)
    with pytest.raises(CannotStart, match=r"constantes\[influx\]"):
        projector(with_influxdb, file)


def test_a_word_that_is_old_is_not_repeated(with_influxdb: Settings, behind: OpenLedger) -> None:
    """A projector that ended long ago says nothing of now."""
    status.tell(with_influxdb.data, SERIES, ready=False, problem="Away.")
    web = Web(with_influxdb, behind)
    assert web.get("/healthz").json()["series"]["problem"] == "Away."
    told = with_influxdb.data / "run" / "series.json"
    old = json.loads(told.read_text()) | {"at": time.time() - 60}
    told.write_text(json.dumps(old))
    assert web.get("/healthz").json()["series"]["problem"] is None
