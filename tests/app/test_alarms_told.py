"""Alarms, metrics, health and deliveries as they are told, while parts of the program or the ledger are away."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from threading import Event, Thread

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app import status
from app.health import Watched
from app.settings import Settings, load
from app.voice import Voice
from ingest.ledger.alarms import note
from ingest.ledger.files import OpenLedger
from ingest.ledger.relational import RelationalLedger
from tests.faults.installation import until
from tests.support.engines import Place, in_a_file
from tests.support.ledgers import NOW, reading, register
from tests.support.web import Web

Run = Callable[..., tuple[int, str, str]]
MINUTE = 60_000_000


@pytest.fixture
def settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation of a machine whose clock is right, with a record."""
    monkeypatch.setenv("CONSTANTES_CLOCK__DISCIPLINED", "yes")
    monkeypatch.setenv("CONSTANTES_RECORD__URL", "http://127.0.0.1:9/fhir")
    del settings
    return load()


@pytest.fixture
def well(settings: Settings) -> Settings:
    """All parts say that they are well."""
    status.tell(settings.data, "gateway", ready=True, connected=True)
    status.tell(settings.data, "office", ready=True)
    return settings


def away(file: OpenLedger) -> None:
    """Let no reader reach the ledger, as when a database is gone."""
    file.writer.write(lambda connection: connection.exec_driver_sql("ALTER TABLE meta RENAME TO gone"))


def codes(web: Web) -> list[tuple[str, str]]:
    """Code and subject of open alarms."""
    return [(item["code"], item["subject"]) for item in web.get("/api/v1/alarms").json()["items"]]


def values(text: str) -> dict[str, float]:
    """Samples of an exposition as a parser of Prometheus' format reads it, labels behind the name."""
    return {
        " ".join((sample.name, *(f"{name}={value}" for name, value in sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


# ---------------------------------------------------------------- alarms


@pytest.mark.usefixtures("well")
def test_nothing_wrong_is_no_alarm(operator: Web, run: Run) -> None:
    """Exit code 0, and it is said."""
    assert codes(operator) == []
    assert run("alarms", "list") == (0, "There is no alarm.\n", "")


def test_an_alarm_says_what_is_safe_and_what_to_do(operator: Web, well: Settings, file: OpenLedger) -> None:
    """In French, unless the installation speaks English."""
    file.writer.write(lambda connection: note(connection, "device.flood", "bp-0001", NOW))
    (item,) = operator.get("/api/v1/alarms").json()["items"]
    assert item == {
        "code": "device.flood", "subject": "bp-0001", "since": "2026-11-18T11:06:40.000Z",
        "last_at": "2026-11-18T11:06:40.000Z", "count": 1, "severity": "warning", "cleared_at": None,
        "happened": "bp-0001 envoie plus que sa part et a été prié de ralentir.",
        "safe": "Les autres appareils passent ; ses propres mesures sont gardées.",
        "remedy": "Voir ce qu'il envoie (`constantes reading list --device bp-0001`) ; le réparer ou le révoquer.",
    }  # fmt: skip
    english = Web(well.model_copy(update={"language": "en"}), file, operator=True)
    (item,) = english.get("/api/v1/alarms").json()["items"]
    assert item["happened"] == "bp-0001 sends more than its share and was asked to slow down."


@pytest.mark.usefixtures("well")
def test_an_error_ends_the_command_with_1_and_a_warning_does_not(run: Run, place: Place) -> None:
    """A cleared one is shown when asked for, and is no error any more."""
    with place.open() as file:
        file.writer.write(lambda connection: note(connection, "device.flood", "bp-0001", NOW))
    assert run("alarms", "list")[0] == 0
    with place.open() as file:
        file.writer.write(lambda connection: note(connection, "device.key_conflict", "bp-0001", NOW))
    code, out, _ = run("alarms", "list", "--json")
    assert (code, [item["code"] for item in json.loads(out)["items"]]) == (1, ["device.key_conflict", "device.flood"])
    assert run("alarms", "clear", "device.key_conflict", "bp-0001") == (0, "", "Cleared.\n")
    code, out, _ = run("alarms", "list", "--all")
    assert (code, "device.key_conflict bp-0001" in out) == (0, True)
    assert "device.key_conflict" not in run("alarms", "list")[1]
    assert run("alarms", "clear", "device.key_conflict", "bp-0001")[0] == 1


def test_a_part_that_is_silent_or_unwell_is_an_alarm(operator: Web, well: Settings) -> None:
    """By its name; apart, each of them is waited for. Once well again, it is none."""
    status.tell(well.data, "office", ready=False, problem="no disk", since=time.time() - 90)
    (item,) = operator.get("/api/v1/alarms").json()["items"]
    assert (item["code"], item["subject"], item["severity"]) == ("part.problem", "office", "error")
    assert item["since"] < item["last_at"]
    (well.data / "run" / "office.json").unlink()
    assert codes(operator) == [("part.silent", "office")]
    status.tell(well.data, "export", ready=True)
    assert {name for code, name in codes(operator) if code == "part.silent"} == {"inspect", "project", "api"}


def test_a_broker_that_is_away_is_an_alarm_of_its_own(operator: Web, well: Settings) -> None:
    """The gateway then is not blamed; with a session, its own problem is."""
    status.tell(well.data, "gateway", ready=False, problem="the broker does not answer", connected=False)
    assert codes(operator) == [("broker.away", "gateway")]
    status.tell(well.data, "gateway", ready=False, problem="the ledger cannot be written", connected=True)
    assert codes(operator) == [("part.problem", "gateway")]


def test_a_record_that_takes_nothing_is_an_alarm(operator: Web, well: Settings) -> None:
    """Of those that are configured; an old word counts for nothing."""
    for name in ("record", "of-yesterday"):
        status.tell(well.data, status.destination(name), ready=False, problem="record.no_answer")
    assert codes(operator) == [("destination.unreachable", "record")]


@pytest.mark.usefixtures("well")
def test_a_disk_without_reserve_and_a_wild_clock_are_alarms(file: OpenLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own."""
    monkeypatch.setenv("CONSTANTES_CLOCK__DISCIPLINED", "no")
    monkeypatch.setenv("CONSTANTES_LEDGER__RESERVE_MIB", str(1 << 24))
    wild = load()
    assert codes(Web(wild, file, operator=True)) == [
        ("ledger.disk_reserve", "data"), ("clock.undisciplined", "clock"),
    ]  # fmt: skip


@pytest.mark.usefixtures("well")
def test_while_the_ledger_is_away_the_rest_is_told(operator: Web, file: OpenLedger) -> None:
    """At the operator's socket, which asks for no token."""
    file.writer.write(lambda connection: note(connection, "device.flood", "bp-0001", NOW))
    file.writer.write(lambda connection: connection.exec_driver_sql("ALTER TABLE alarm RENAME TO gone"))
    assert codes(operator) == [("ledger.away", "ledger")]


# ---------------------------------------------------------------- metrics


def test_metrics_are_read_by_a_parser_and_name_no_device(operator: Web, well: Settings, file: OpenLedger) -> None:
    """What waits, by reason and destination; parts, alarms and the gateway's own counts among them."""
    register(file, "bp-0001")
    RelationalLedger(file).commit([reading(0), reading(1, systolic=9000)], NOW).result()
    due = "INSERT INTO delivery (destination, position, type, id, state, tries, next_try, due_at) VALUES "
    row = "('record', 1, 'Patient', 'p', 'parked', 0, 0, 0)"
    file.writer.write(lambda connection: connection.exec_driver_sql(due + row))
    (well.data / "run" / "gateway.prom").write_text("# TYPE constantes_told_total counter\nconstantes_told_total 7.0\n")
    text = operator.get("/metrics").text
    found = values(text)
    assert (
        found
        | {
            "constantes_ledger_up": 1.0,
            "constantes_gateway_session": 1.0,
            "constantes_part_up part=office": 1.0,
            "constantes_destination_up destination=record": 1.0,
            "constantes_clock_disciplined": 1.0,
            "constantes_journal_total": 2.0,
            "constantes_quarantine_waiting reason=value.impossible": 1.0,
            "constantes_readings_unpublished": 1.0,
            "constantes_deliveries_parked destination=record": 1.0,
            "constantes_alarms code=delivery.parked severity=error": 1.0,
            "constantes_alarms code=publishing.late severity=error": 1.0,
            "constantes_told_total": 7.0,
        }
        == found
    )
    assert found["constantes_readings_unpublished_oldest_seconds"] > 60
    assert "bp-0001" not in text


@pytest.mark.usefixtures("well")
def test_metrics_of_an_empty_ledger_are_whole(operator: Web) -> None:
    """Counters and gauges without labels are there at 0, and names follow Prometheus' rules."""
    families = list(text_string_to_metric_families(operator.get("/metrics").text))
    assert {family.type for family in families} == {"gauge", "counter"}
    assert len({family.name for family in families}) == len(families)
    assert all(family.name.startswith("constantes_") and family.documentation for family in families)
    assert values(operator.get("/metrics").text)["constantes_journal_total"] == 0.0


def test_metrics_are_answered_while_the_ledger_is_away(web: Web, well: Settings, file: OpenLedger) -> None:
    """The gateway's counts and a gauge that says so, for a scraper that was let in before; for nobody else."""
    (well.data / "run" / "gateway.prom").write_text("constantes_told_total 7.0\n")
    web.sign_in("operations")
    assert values(web.get("/metrics").text)["constantes_ledger_up"] == 1.0
    file.writer.write(lambda connection: connection.exec_driver_sql("ALTER TABLE client RENAME TO away_client"))
    file.writer.write(lambda connection: connection.exec_driver_sql("ALTER TABLE journal RENAME TO away_journal"))
    found = values(web.get("/metrics").text)
    assert (found["constantes_ledger_up"], found["constantes_told_total"]) == (0.0, 7.0)
    assert found["constantes_alarms code=ledger.away severity=error"] == 1.0
    assert "constantes_journal_total" not in found
    web.token = "of-a-stranger"
    assert web.get("/metrics").status_code in {401, 503}


def test_a_scraper_that_was_shut_out_stays_out(web: Web, file: OpenLedger) -> None:
    """A token that was revoked is forgotten with the refusal."""
    web.sign_in("operations")
    assert web.get("/metrics").status_code == 200
    file.writer.write(lambda connection: connection.exec_driver_sql("UPDATE client SET revoked_at = 1"))
    assert web.get("/metrics").status_code == 401
    file.writer.write(lambda connection: connection.exec_driver_sql("ALTER TABLE client RENAME TO away_client"))
    assert web.get("/metrics").status_code == 503


# ---------------------------------------------------------------- health


def test_ready_tells_the_ledger_from_the_broker(operator: Web, well: Settings, file: OpenLedger) -> None:
    """A gateway that keeps its session while the ledger is away is not said to have lost it."""
    assert operator.get("/readyz").json() == {
        "ready": True, "checks": {"broker": True, "gateway": True, "disk": True, "ledger": True},
    }  # fmt: skip
    away(file)
    Voice(well.data, "gateway").tell(ready=False, problem="The ledger cannot be written.", connected=True)
    answer = operator.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (
        503, {"broker": True, "gateway": False, "disk": True, "ledger": False},
    )  # fmt: skip
    status.tell(well.data, "gateway", ready=False, problem="The database does not answer.")
    assert operator.get("/readyz").json()["checks"]["broker"] is None
    status.tell(well.data, "gateway", ready=False, problem="the broker does not answer", connected=False)
    assert operator.get("/readyz").json()["checks"] == {
        "broker": False, "gateway": True, "disk": True, "ledger": False,
    }  # fmt: skip


def test_a_trouble_keeps_its_beginning(settings: Settings) -> None:
    """A status says since when: that of the first word, however often it is repeated."""
    seconds = iter((10.0, 70.0))
    voice = Voice(settings.data, "office", clock=lambda: next(seconds))
    voice.tell(ready=False, problem="no disk")
    voice.tell(ready=False, problem="no disk")
    said = status.read(settings.data, "office")
    assert said is not None
    assert said.since is not None
    assert 59 < said.at - said.since < 61


@in_a_file
def test_project_is_unwell_while_its_series_is_away(run: Run, well: Settings) -> None:
    """When it is asked about by its name; the whole is not unwell for it."""
    status.tell(well.data, "project", ready=True)
    status.tell(well.data, status.SERIES, ready=False, problem="InfluxDB does not answer.")
    assert run("healthy", "project") == (1, "", "series: InfluxDB does not answer.\n")
    assert run("healthy")[0] == 0
    status.tell(well.data, status.SERIES, ready=True)
    assert run("healthy", "project")[0] == 0


def test_the_api_is_unwell_while_its_ledger_is_away(file: OpenLedger) -> None:
    """It looks every second, and says why."""
    watched, stop = Watched(file), Event()
    watched.look()
    assert watched.problem is None
    away(file)
    thread = Thread(target=watched.run, args=(stop,))
    thread.start()
    until(lambda: watched.problem is not None, "the ledger is away")
    stop.set()
    thread.join()


# ---------------------------------------------------------------- deliveries


def test_what_is_not_published_is_told_beside_the_deliveries(run: Run, place: Place) -> None:
    """With a dead exporter the list is empty, and everything looks delivered."""
    with place.open() as file:
        register(file, "bp-0001")
        RelationalLedger(file).commit([reading(0), reading(1)], NOW).result()
    code, out, err = run("deliveries", "list")
    assert (code, out) == (0, "Nothing waits for delivery.\n")
    assert err.startswith("2 readings are kept and not published yet, the oldest since 2026-11-18T11:06:40.000Z.")
    assert json.loads(run("deliveries", "list", "--json")[1])["unpublished"]["readings"] == 2


def test_a_record_that_is_away_is_the_answer_of_what_was_never_tried(run: Run, well: Settings, place: Place) -> None:
    """Until the first try the row itself has none; a parked one waits for a person and keeps its own."""
    row = "INSERT INTO delivery (destination, position, type, id, state, tries, next_try, due_at) VALUES "
    for position, state in ((1, "due"), (2, "parked")):
        with place.open() as file:
            text = f"{row} ('record', {position}, 'Patient', 'p{position}', '{state}', 0, 0, 0)"
            file.writer.write(lambda connection, text=text: connection.exec_driver_sql(text))  # type: ignore[misc]
    status.tell(well.data, status.destination("record"), ready=False, problem="record.no_answer")
    items = json.loads(run("deliveries", "list", "--json")[1])["items"]
    assert [(item["state"], item["answer"]) for item in items] == [("parked", None), ("due", "record.no_answer")]
