"""Reading one resource."""

from decimal import Decimal
from email.utils import parsedate_to_datetime

import simplejson

from fhir_export import feed
from fhir_export.model import Resource, encode
from tests.pull.clinic import Clinic, TestClient, observation, refused, valid


def test_a_resource_is_its_stored_bytes_with_its_version_added(clinic: Clinic, web: TestClient) -> None:
    """Without the two members in meta the answer is, byte for byte, what the feed holds; 36.60 stays 36.60."""
    made = observation("o1", "2026-11-21T10:00:00+04:00")
    clinic.append(feed.Version(made, "p1", "d1", "nord"))
    answer = web.get("/fhir/Observation/o1")
    assert valid(answer)["meta"]["versionId"] == "1"
    assert b'"value":36.60,' in answer.content
    added = b'"versionId":"1","lastUpdated":"2026-11-21T08:00:02.000Z",'
    assert answer.content.replace(added, b"", 1) == encode(made)


def test_entity_tag_and_date_name_the_version(clinic: Clinic, web: TestClient) -> None:
    """ETag carries the version number, Last-Modified the feed's time, and both move with a new version."""
    made = observation("o1", "2026-11-21T10:00:00+04:00")
    clinic.append(feed.Version(made, "p1"))
    first = web.get("/fhir/Observation/o1")
    clinic.append(feed.Version(Resource.of({**made.body, "status": "entered-in-error"}), "p1"))
    second = web.get("/fhir/Observation/o1")
    assert (first.headers["etag"], second.headers["etag"]) == ('W/"1"', 'W/"2"')
    assert second.json()["meta"]["versionId"] == "2"
    assert second.json()["status"] == "entered-in-error"
    dates = [parsedate_to_datetime(one.headers["last-modified"]) for one in (first, second)]
    assert (dates[1] - dates[0]).total_seconds() == 1


def test_a_version_the_client_has_is_not_sent_again(clinic: Clinic, web: TestClient) -> None:
    """If-None-Match with the present version, weak or strong, alone or among others, is answered with 304."""
    clinic.append(feed.Version(observation("o1", "2026-11-21T10:00:00+04:00"), "p1"))
    for tag in ('W/"1"', '"1"', '"0", W/"1"', "*"):
        answer = web.get("/fhir/Observation/o1", headers={"If-None-Match": tag})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", 'W/"1"')
    assert web.get("/fhir/Observation/o1", headers={"If-None-Match": 'W/"2"'}).status_code == 200


def test_a_body_of_another_order_keeps_its_digits(clinic: Clinic, web: TestClient) -> None:
    """A stored resource that does not begin with type, id, meta is written again with every digit."""
    made = observation("o1", "2026-11-21T10:00:00+04:00")
    turned = Resource("Observation", "o1", dict(reversed(made.body.items())))
    without = Resource("Observation", "o2", {n: v for n, v in made.body.items() if n != "meta"} | {"id": "o2"})
    clinic.append(feed.Version(turned, "p1"), feed.Version(without, "p1"))
    for id_, expected in (("o1", made), ("o2", without)):
        answer = web.get(f"/fhir/Observation/{id_}")
        valid(answer)
        got = simplejson.loads(answer.content, use_decimal=True)
        assert got["valueQuantity"]["value"].as_tuple() == Decimal("36.60").as_tuple()
        for name in ("versionId", "lastUpdated"):
            del got["meta"][name]
        assert {n: v for n, v in got.items() if v} == expected.body


def test_what_is_not_there_is_not_found(web: TestClient) -> None:
    """Unknown ids, texts that are no id, unknown types and turned spellings are 404."""
    for path in (
        "Observation/nobody",
        "Observation/a_b",
        "Observation/%00",
        "Observation/" + "x" * 65,
        "Patient/%2e%2e",
    ):
        refused(web.get(f"/fhir/{path}"), 404, "not-found")
    for path in (
        "",
        "Encounter/1",
        "observation/o1",
        "Observation/",
        "/Observation",
        "Observation/o1/",
        "Observation/a/b",
    ):
        refused(web.get(f"/fhir/{path}"), 404, "unknown-route")
    refused(web.get("/fhir"), 404, "unknown-route")


def test_an_erased_resource_is_gone(clinic: Clinic, web: TestClient) -> None:
    """An id that the feed remembers and no longer keeps is 410 for a client of all sites, 404 for another."""
    from ingest.ledger.schema import RESOURCE

    clinic.append(feed.Version(observation("o1", "2026-11-21T10:00:00+04:00"), "p1", "d1", "nord"))
    clinic.file.writer.write(lambda connection: connection.execute(RESOURCE.delete().where(RESOURCE.c.id == "o1")))
    refused(web.get("/fhir/Observation/o1"), 410, "gone")
    narrow = {"Authorization": f"Bearer {clinic.client(sites=['nord'])}"}
    refused(web.get("/fhir/Observation/o1", headers=narrow), 404, "not-found")


def test_other_methods_are_refused_by_name(web: TestClient) -> None:
    """What is not served with a method says which methods are."""
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        answer = web.request(method, "/fhir/Observation/o1", headers={"X-HTTP-Method-Override": "GET"})
        refused(answer, 405, "method")
        assert answer.headers["allow"] == "GET"
    refused(web.post("/fhir/Observation", json={"value": float("1e308")}), 405, "method")
    assert web.get("/fhir/Observation/_search").headers["allow"] == "POST"
    assert web.head("/fhir/Observation/o1").status_code == 405


def test_metadata_needs_no_token_and_says_what_is_served(clinic: Clinic) -> None:
    """The CapabilityStatement is valid R4 and lists exactly the parameters that are understood."""
    with TestClient(clinic.app) as stranger:
        body = valid(stranger.get("/fhir/metadata"))
    served = {one["type"]: [p["name"] for p in one.get("searchParam", ())] for one in body["rest"][0]["resource"]}
    assert served["Patient"] == ["_id", "_lastUpdated", "identifier"]
    assert set(served["Observation"]) >= {"patient", "subject", "code", "date", "device", "_id", "identifier"}
    with TestClient(clinic.app, headers={"Authorization": f"Bearer {clinic.client()}"}) as web:
        for type_, names in served.items():
            for name in names:
                value = "Observation/o1" if name == "target" else "2026"
                answer = web.get(f"/fhir/{type_}?{name}={value}", headers={"Prefer": "handling=strict"})
                assert answer.status_code == 200, name


def test_only_json_is_spoken(clinic: Clinic, web: TestClient) -> None:
    """A client that takes no FHIR R4 JSON gets 406; `_format` goes before Accept."""
    clinic.append(feed.Version(observation("o1", "2026-11-21T10:00:00+04:00"), "p1"))
    for path in ("metadata", "Observation", "Observation/o1"):
        refused(web.get(f"/fhir/{path}?_format=xml"), 406, "format")
        refused(web.get(f"/fhir/{path}", headers={"Accept": "application/fhir+xml"}), 406, "format")
        refused(web.get(f"/fhir/{path}", headers={"Accept": "application/fhir+json; fhirVersion=3.0"}), 406, "format")
        refused(web.get(f"/fhir/{path}", headers={"Accept": "*/*;q=0"}), 406, "format")
        for accept in ("application/fhir+json;fhirVersion=4.0", "text/html, */*;q=0.8", "application/json"):
            assert web.get(f"/fhir/{path}", headers={"Accept": accept}).status_code == 200
        for plain in ("json", "application/fhir%2Bjson", "application/fhir+json"):
            answer = web.get(f"/fhir/{path}?_format={plain}", headers={"Accept": "application/xml"})
            assert answer.status_code == 200


def test_answers_are_neither_kept_nor_guessed_at(clinic: Clinic, web: TestClient) -> None:
    """Every answer forbids caching and sniffing, and none allows another origin."""
    clinic.append(feed.Version(observation("o1", "2026-11-21T10:00:00+04:00"), "p1"))
    for path in ("metadata", "Observation", "Observation/o1", "Observation/none", "nothing"):
        answer = web.get(f"/fhir/{path}", headers={"Origin": "https://elsewhere.example"})
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers
