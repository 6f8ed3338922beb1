"""``/api/v1`` as software sees it: who may, what is answered, what is never said."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.settings import Settings
from ingest.ledger.files import OpenLedger
from ingest.ledger.relational import RelationalLedger
from ingest.model import Key
from tests.support.engines import in_a_file
from tests.support.ledgers import NOW, STREAM, reading, register
from tests.support.web import Web

PERSON = {"family": "EXEMPLE-FICTIF", "given": ["Ada"], "birth_date": "1980-02-29", "gender": "female"}
READING = Key("bp-0001", STREAM, 0).reading


def audit(file: OpenLedger) -> list[tuple[Any, ...]]:
    """Who saw what: who, type, patient, resources."""
    with file.readers.connect() as connection:
        rows = connection.exec_driver_sql("SELECT who, type, patient, resources FROM audit ORDER BY position")
        return [tuple(row) for row in rows]


@pytest.fixture
def kept(file: OpenLedger) -> OpenLedger:
    """Three readings and one that could not be used."""
    register(file, "bp-0001")
    items = [reading(0), reading(1), reading(2), reading(3, systolic=9000)]
    RelationalLedger(file).commit(items, NOW).result()
    return file


def test_nobody_gets_in_without_a_token(web: Web) -> None:
    """Every route; health and documents are open."""
    for path in ("/devices", "/patients", "/readings", "/ledger/balance", "/quarantine"):
        answer = web.get(f"/api/v1{path}")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"
    assert web.get("/metrics").status_code == 401
    assert web.get("/healthz").json() == {"alive": True}
    assert web.get("/openapi.json").status_code == 200
    assert "/api/v1/devices" in web.get("/docs").text


@pytest.mark.parametrize(
    ("scopes", "sites", "code"),
    [(("system/*.rs",), (), "token.scope"), (("operations",), ("Nord",), "token.sites")],
)
def test_a_token_needs_the_scope_for_all_sites(
    web: Web, scopes: tuple[str, ...], sites: tuple[str, ...], code: str
) -> None:
    """A token for pulling, or for one site, opens no operation."""
    web.sign_in(*scopes, sites=sites)
    answer = web.get("/api/v1/devices")
    assert (answer.status_code, answer.json()["code"]) == (403, code)


@in_a_file
def test_no_client_can_say_that_it_is_the_operator(web: Web) -> None:
    """The mark is in the ASGI scope, where no header reaches."""
    answer = web.ask("GET", "/api/v1/devices", headers={"operator": "true", "x-state-operator": "true"})
    assert answer.status_code == 401


def test_a_device_is_registered_shown_and_revoked(web: Web, settings: Settings) -> None:
    """With what to put on it; the secret is never shown again."""
    web.sign_in("operations")
    made = web.post("/api/v1/devices", {"device": "bp-0001", "site": "Nord", "method": "cuff"})
    assert made.status_code == 201
    body = made.json()
    assert body.keys() == {"device", "username", "secret", "mqtt_url", "notice"}
    assert (body["username"], body["mqtt_url"], body["notice"]) == ("bp-0001", settings.mqtt_url, None)
    shown = web.get("/api/v1/devices/bp-0001")
    assert (shown.json()["status"], shown.json()["site"]) == ("active", "Nord")
    assert body["secret"] not in web.get("/api/v1/devices").text + shown.text
    assert web.post("/api/v1/devices/bp-0001/rotate").json()["secret"] != body["secret"]
    assert web.post("/api/v1/devices/bp-0001/revoke").json()["status"] == "revoked"
    assert web.get("/api/v1/devices").json()["items"][0]["status"] == "revoked"


def test_a_person_is_registered_and_seen_with_an_audit_row(web: Web, file: OpenLedger) -> None:
    """One row before each answer that holds patient data."""
    web.sign_in("operations")
    patient = web.post("/api/v1/patients", PERSON).json()["patient"]
    assert audit(file) == []
    assert web.get("/api/v1/patients").json()["items"][0]["family"] == "EXEMPLE-FICTIF"
    assert web.get(f"/api/v1/patients/{patient}").json()["given"] == ["Ada"]
    assert audit(file) == [("soft", "Patient", None, 1), ("soft", "Patient", patient, 1)]


def test_a_device_is_assigned_until_it_is_not(web: Web) -> None:
    """An overlap is a conflict; an end makes room."""
    web.sign_in("operations")
    web.post("/api/v1/devices", {"device": "bp-0001"})
    patient = web.post("/api/v1/patients", PERSON).json()["patient"]
    body = {"device": "bp-0001", "patient": patient, "start": "2026-01-01T08:00:00+04:00"}
    made = web.post("/api/v1/assignments", body).json()["assignment"]
    refused = web.post("/api/v1/assignments", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "assignment.overlap")
    ended = web.post(f"/api/v1/assignments/{made}/end", {"at": "2026-02-01T00:00:00Z"}).json()
    assert (ended["start"], ended["end"]) == ("2026-01-01T04:00:00.000Z", "2026-02-01T00:00:00.000Z")
    assert web.get("/api/v1/assignments", device="bp-0001").json()["items"] == [ended]


def test_the_end_of_an_assignment_is_audited(web: Web, file: OpenLedger) -> None:
    """Its answer says whose readings a device took: one row, with the patient."""
    web.sign_in("operations")
    web.post("/api/v1/devices", {"device": "bp-0001"})
    patient = web.post("/api/v1/patients", PERSON).json()["patient"]
    body = {"device": "bp-0001", "patient": patient, "start": "2026-01-01T00:00:00Z"}
    made = web.post("/api/v1/assignments", body).json()["assignment"]
    assert audit(file) == []
    assert web.post(f"/api/v1/assignments/{made}/end", {"at": "2026-02-01T00:00:00Z"}).status_code == 200
    assert audit(file) == [("soft", "Patient", patient, 1)]


def test_a_client_gets_a_token_that_works_until_it_is_revoked(operator: Web, web: Web) -> None:
    """Shown once."""
    made = operator.post("/api/v1/clients", {"client": "other", "scopes": ["operations"]}).json()
    web.token = made["token"]
    assert web.get("/api/v1/devices").status_code == 200
    assert made["token"] not in operator.get("/api/v1/clients").text
    assert operator.post("/api/v1/clients/other/revoke").status_code == 204
    assert web.get("/api/v1/devices").status_code == 401


def test_readings_come_newest_first_page_by_page(web: Web, kept: OpenLedger) -> None:
    """Each once, whatever the page; audited."""
    web.sign_in("operations")
    seen: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = web.get("/api/v1/readings", limit=2, **cursor).json()
        seen += [item["seq"] for item in page["items"]]
        if page["cursor"] is None:
            break
        cursor = {"cursor": page["cursor"]}
    assert seen == [2, 1, 0]
    assert audit(kept) == [("soft", "Observation", None, 2), ("soft", "Observation", None, 1)]
    assert web.get("/api/v1/readings", device="other").json() == {"items": [], "cursor": None}
    assert web.get("/api/v1/readings", since="2026-11-18T00:00:00Z").json()["items"] != []
    assert web.get("/api/v1/readings", since="2100-11-18T00:00:00Z").json()["items"] == []


def test_a_reading_is_shown_with_the_digits_as_sent(web: Web, kept: OpenLedger) -> None:
    """And its way is told by any of its names."""
    web.sign_in("operations")
    found = web.get(f"/api/v1/readings/{READING}").json()
    assert found["measurements"][0] == {"metric": "systolic", "value": "128", "unit": "mm[Hg]", "unusual": False}
    for name in (READING, f"{READING}-blood-pressure", f"bp-0001:{STREAM}:0"):
        assert web.get(f"/api/v1/readings/{name}/trace").json()["reading"] == READING
    assert web.get("/api/v1/readings/0/trace").json()["code"] == "trace.id"
    assert web.get("/api/v1/readings/zz").status_code == 404


def test_what_waits_is_listed(web: Web, kept: OpenLedger) -> None:
    """The quarantine with its reason and place; gaps and deliveries."""
    web.sign_in("operations")
    (item,) = web.get("/api/v1/quarantine").json()["items"]
    assert item.keys() == {"id", "device", "received_at", "reason", "pointer", "bytes"}
    assert (item["reason"], item["pointer"]) == ("value.impossible", "/values/systolic/value")
    assert web.get("/api/v1/gaps").json() == {"items": []}
    due = web.get("/api/v1/deliveries", state="parked").json()
    assert (due["items"], due["unpublished"]["readings"]) == ([], 3)
    assert web.get("/api/v1/ledger/balance").json()["balanced"]
    assert web.get("/api/v1/ledger/verify").json() == {"rows": 7, "blobs": 0, "head": None, "faults": []}


def test_a_trend_is_that_of_the_patient_s_devices_and_times(web: Web, kept: OpenLedger) -> None:
    """Buckets hold min, mean, max and count; without a width, every point."""
    from fhir_export.destinations import Dispatch
    from fhir_export.model import Deployment
    from fhir_export.publish import Publisher
    from ingest.series.embedded import EmbeddedSeries
    from ingest.series.projector import Projector

    web.sign_in("operations")
    patient = web.post("/api/v1/patients", PERSON).json()["patient"]
    start = {"start": "2026-01-01T00:00:00Z"}
    web.post("/api/v1/assignments", {"device": "bp-0001", "patient": patient, **start})
    publisher = Publisher(kept, Deployment("2.999.1"), Dispatch([]), lambda: NOW, disciplined=lambda: True)
    while publisher.step():
        pass
    Projector(kept, EmbeddedSeries(kept)).step()
    asked = {"patient": patient, "metric": "systolic", "from": "2026-11-18T00:00:00Z", "to": "2026-11-19T00:00:00Z"}
    (bucket,) = web.get("/api/v1/series", every="1d", **asked).json()["items"]
    assert bucket == {"start": "2026-11-18T00:00:00.000Z", "count": 3, "min": 128.0, "mean": 128.0, "max": 128.0}
    assert len(web.get("/api/v1/series", **asked).json()["items"]) == 3
    asked["to"] = "2026-11-18T00:00:00Z"
    assert web.get("/api/v1/series", **asked).json()["items"] == []
    assert web.get("/api/v1/series", every="1y", **asked).json()["code"] == "series.every"
    assert web.get("/api/v1/series", patient="nobody", metric="systolic").status_code == 404


BAD = {
    "not JSON": b"{SECRET",
    "NaN": b'{"device": NaN}',
    "infinite": b'{"device": Infinity, "SECRET": 1}',
    "unknown member": b'{"device": "bp-0001", "SECRET": 1}',
    "wrong type": b'{"device": {"SECRET": []}}',
    "an array": b'["SECRET"]',
    "too long a text": b'{"device": "' + b"SECRET" * 100 + b'"}',
    "half a character": b'{"device": "SECRET\\ud800"}',
    "not UTF-8": b'{"device": "SECRET\xff"}',
    "a word for yes": b'{"device": "bp-0001", "simulated": "SECRET"}',
    "deep": b'{"device": ' + b"[" * 2000 + b"]" * 2000 + b"}",
    "nothing": b"",
}


@in_a_file
@pytest.mark.parametrize("what", BAD)
def test_a_request_that_cannot_be_read_is_refused_and_not_repeated(web: Web, what: str) -> None:
    """A problem with a code, never a defect, never the input."""
    web.sign_in("operations")
    answer = web.ask("POST", "/api/v1/devices", content=BAD[what], headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().keys() == {"type", "title", "status", "code", "detail"}
    assert "SECRET" not in answer.text


@in_a_file
@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "SECRET"},
        {"cursor": "MS4w"},
        {"cursor": "MS4tMQ"},
        {"cursor": "MS4rMQ"},
        {"since": "SECRET"},
        {"since": "2026-11-18"},
        {"limit": "0"},
        {"limit": "1e9"},
        {"limit": "SECRET"},
    ],
)
def test_a_query_that_cannot_be_read_is_refused(web: Web, query: dict[str, str]) -> None:
    """As any other part of a request."""
    web.sign_in("operations")
    answer = web.get("/api/v1/readings", **query)
    assert answer.status_code == 422
    assert "SECRET" not in answer.text


@pytest.mark.parametrize("address", ["readings?device=%00", "devices/bp%00", "readings/%00/trace", "hubs?hub=a%00"])
def test_a_nul_in_an_address_is_refused(web: Web, address: str) -> None:
    """On every engine alike: one of them cannot even look for it."""
    web.sign_in("operations")
    answer = web.ask("GET", f"/api/v1/{address}")
    assert (answer.status_code, answer.json()["code"]) == (422, "request.nul")


def test_a_nul_in_a_request_is_refused(web: Web) -> None:
    """Before anything is looked up."""
    web.sign_in("operations")
    answer = web.post("/api/v1/assignments", {"device": "bp-0001", "patient": "p\0"})
    assert (answer.status_code, answer.json()["code"]) == (422, "request.string_pattern_mismatch")


@in_a_file
@pytest.mark.parametrize("streamed", [False, True])
def test_a_body_that_is_too_long_is_not_read(web: Web, streamed: bool) -> None:  # noqa: FBT001 - a column of the table
    """413, whether its length was told or not."""
    web.sign_in("operations")

    taken = 0

    async def parts() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(2000):
            taken += 1
            yield b"x" * 1000

    answer = web.ask("POST", "/api/v1/patients", content=parts() if streamed else b"x" * 2_000_000)
    assert (answer.status_code, answer.json()["code"]) == (413, "request.too_large")
    assert taken <= 1001


@in_a_file
def test_unknown_places_and_methods_are_problems(web: Web) -> None:
    """404 and 405, with a code."""
    assert web.get("/api/v1/nothing").json()["code"] == "http.not_found"
    assert web.ask("DELETE", "/api/v1/devices").json()["code"] == "http.method_not_allowed"


def test_a_ledger_that_cannot_be_read_is_a_503(operator: Web, file: OpenLedger, settings: Settings) -> None:
    """With what to do, and nothing of the statement."""
    file.writer.write(lambda connection: connection.exec_driver_sql("DROP TABLE gap"))
    answer = operator.get("/api/v1/gaps")
    assert (answer.status_code, answer.json()["code"]) == (503, "ledger.unavailable")
    assert answer.headers["retry-after"] == "5"
    assert "SELECT" not in answer.text


def test_a_registration_whose_answer_was_lost_is_looked_for_first(operator: Web, file: OpenLedger) -> None:
    """Who writes is told that it may have been kept, and to look before repeating; who reads is not."""
    file.writer.close()
    answer = operator.post("/api/v1/patients", PERSON)
    assert (answer.status_code, answer.json()["code"]) == (503, "ledger.unavailable")
    assert "may have been kept" in answer.json()["detail"]
    assert "patient list" in answer.json()["detail"]
    assert "EXEMPLE-FICTIF" not in answer.text
    looked = operator.get("/api/v1/patients")
    assert looked.status_code == 503
    assert "may have been kept" not in looked.text


def test_nothing_of_a_patient_is_shown_without_its_audit_row(operator: Web, file: OpenLedger) -> None:
    """When the row cannot be kept, the answer is a 503."""
    operator.post("/api/v1/patients", PERSON)
    file.writer.write(lambda connection: connection.exec_driver_sql("DROP TABLE audit"))
    for path in ("/patients", "/readings", "/assignments"):
        answer = operator.get(f"/api/v1{path}")
        assert answer.status_code == 503
        assert "EXEMPLE-FICTIF" not in answer.text


@in_a_file
def test_ready_says_what_is_missing(web: Web) -> None:
    """No gateway runs here."""
    answer = web.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["ready"] is False
    assert answer.json()["checks"]["broker"] is False
    assert answer.json()["checks"]["ledger"] is True


def test_metrics_carry_counts_and_no_identity(web: Web, kept: OpenLedger) -> None:
    """With the scope; device ids are not among the labels."""
    web.sign_in("operations")
    text = web.get("/metrics").text
    assert "constantes_journal_total 4.0" in text
    assert 'constantes_quarantine_waiting{reason="value.impossible"} 1.0' in text
    assert "bp-0001" not in text


@in_a_file
def test_metrics_may_be_opened(settings: Settings, file: OpenLedger) -> None:
    """To a scraper, by a setting."""
    opened = settings.model_copy(update={"http": settings.http.model_copy(update={"open_metrics": True})})
    assert Web(opened, file).get("/metrics").status_code == 200


@in_a_file
def test_the_fhir_side_is_there(web: Web) -> None:
    """Its refusals are OperationOutcomes."""
    assert web.get("/fhir/metadata").json()["resourceType"] == "CapabilityStatement"
    assert web.get("/fhir/Observation").json()["resourceType"] == "OperationOutcome"


@in_a_file
def test_the_documents_describe_every_operation(web: Web) -> None:
    """Each route says what it does."""
    paths = web.get("/openapi.json").json()["paths"]
    assert all("description" in route for methods in paths.values() for route in methods.values())
    assert json.dumps(paths).count("/api/v1/") > 0
