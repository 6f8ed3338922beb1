"""What a search finds."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from fhir_export import feed
from fhir_export.model import Body, Resource
from tests.pull.clinic import BASE, LOINC, MDC, OWN, Clinic, TestClient, ids, link, observation, refused, valid
from tests.support.engines import in_a_file

Search = Callable[[str], list[str]]


@pytest.fixture
def four(clinic: Clinic) -> Clinic:
    """Temperatures at 08:00, 09:00 and 10:00 Reunion time and a rate the day before, of two patients and devices."""
    rate: Body = {"code": {"coding": [{"system": LOINC, "code": "8867-4"}, {"system": MDC, "code": "147842"}]}}
    clinic.append(feed.Version(observation("a", "2026-11-21T08:00:00+04:00"), "p1", "d1", "nord"))
    clinic.append(feed.Version(observation("b", "2026-11-21T09:00:00.5+04:00"), "p1", "d1", "nord"))
    clinic.append(feed.Version(observation("c", "2026-11-21T10:00:00+04:00", person="p2", by="d2"), "p2", "d2", "sud"))
    clinic.append(feed.Version(observation("d", "2026-11-20T10:00:00+04:00", more=rate), "p1", "d2", "sud"))
    return clinic


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "abcd"),
        ("patient=p1", "abd"),
        ("patient=Patient/p2", "c"),
        (f"patient={BASE}/Patient/p2", "c"),
        ("patient=https://other.example/fhir/Patient/p2", ""),
        ("patient=p1,p2", "abcd"),
        ("patient=p1&patient=p2", ""),
        ("patient:Patient=p2", "c"),
        ("subject=Patient/p1", "abd"),
        ("subject=Device/p1", ""),
        ("subject:Patient=p2", "c"),
        ("device=d2", "cd"),
        ("device=Device/d2&patient=p1", "d"),
        ("code=8310-5", "abc"),
        (f"code={LOINC}|8310-5", "abc"),
        (f"code={MDC}|147842", "d"),
        (f"code={LOINC}|147842", ""),
        (f"code={LOINC}|", "abcd"),
        ("code=|8310-5", ""),
        ("code=8867-4,8310-5", "abcd"),
        ("code=8310", ""),
        ("code=310-5", ""),
        ("code=8310-5 urn:iso:std:iso:11073:10101|150364", ""),
        ("code=%25", ""),
        ("_id=a", "a"),
        ("_id=c,a,zz", "ac"),
        ("identifier=b", "b"),
        (f"identifier={OWN}|b,{OWN}|c", "bc"),
        ("identifier=urn:oid:2.999.9|b", ""),
    ],
)
def test_resources_are_found_by(four: Clinic, found: Search, query: str, expected: str) -> None:
    """References, codes and identifiers find what R4 says; a comma means or, a repetition means and."""
    assert "".join(found(f"Observation?{query}")) == expected


@in_a_file
@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2026", "abcd"),
        ("2026-11", "abcd"),
        ("2026-12", ""),
        ("2026-11-21", "abc"),
        ("2026-11-20", "d"),
        ("2026-11-21T04:00Z", "a"),
        ("2026-11-21T08:00:00%2B04:00", "a"),
        ("2026-11-21T08:00:00+04:00", "a"),
        ("2026-11-21T04:00:00", "a"),
        ("2026-11-21T04:00:00.0Z", ""),
        ("2026-11-21T05:00:00.5Z", "b"),
        ("2026-11-21T05:00:00Z", "b"),
        ("ne2026-11-21", "d"),
        ("gt2026-11-20", "abc"),
        ("gt2026-11-21T05:00:00.5Z", "c"),
        ("ge2026-11-21T05:00:00.5Z", "bc"),
        ("gt2026-11-21T04:00:00Z", "bc"),
        ("ge2026-11-21T04:00:00Z", "abc"),
        ("lt2026-11-21T04:00:00Z", "d"),
        ("le2026-11-21T04:00:00Z", "ad"),
        ("lt2026-11-21", "d"),
        ("le2026-11-21", "abcd"),
        ("sa2026-11-21T04:00:00Z", "bc"),
        ("eb2026-11-21T05:00Z", "ad"),
        ("gt2026-11-21T04:00:00.9Z", "bc"),
        ("sa2026-11-21T03:59:59.9Z", "abc"),
        ("ge2026-11-21&date=lt2026-11-21T05:30Z", "ab"),
        ("2026-11-20,ge2026-11-21T06:00Z", "cd"),
        ("ap2026-11-21T04:00:00Z", "a"),
        ("ap2026-11-20T04:00:00Z", "d"),
        ("ap2026-11-20T02:00:00Z", ""),
        ("9999", ""),
        ("lt9999-12-31", "abcd"),
        ("ge0001", "abcd"),
    ],
)
def test_dates_compare_as_intervals(four: Clinic, found: Search, date: str, expected: str) -> None:
    """Prefixes and partial dates follow R4: the interval searched against the interval the resource covers."""
    assert "".join(found(f"Observation?date={date}")) == expected


@in_a_file
@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("eq", ""), ("ne", "e"), ("gt", "e"), ("ge", "e"), ("lt", ""), ("le", ""), ("sa", "e"), ("eb", "")],
)
def test_an_interval_ends_before_the_next_one(clinic: Clinic, found: Search, prefix: str, expected: str) -> None:
    """A reading at 05:00:00 to the microsecond is no part of the second before."""
    clinic.append(feed.Version(observation("e", "2026-11-21T05:00:00.000000Z"), "p1"))
    assert found(f"Observation?date={prefix}2026-11-21T04:59:59Z") == list(expected)


def test_the_first_version_of_each_second_is_found_by_last_updated(four: Clinic, found: Search) -> None:
    """`_lastUpdated` compares with the time the feed took the version in, for every prefix."""
    at = "2026-11-21T08:00:0{}Z"  # p1 p2 d1 d2 at :01, a b c d at :02 to :05
    expected = {
        "gt" + at.format(3): "cd",
        "ge" + at.format(3): "bcd",
        "lt" + at.format(3): "a",
        "le" + at.format(3): "ab",
        at.format(3): "b",
        "ne" + at.format(3): "acd",
        "sa" + at.format(3): "cd",
        "eb" + at.format(3): "a",
        "ap" + at.format(5): "d",
        "gt" + at.format(5): "",
        "ge2026-11-22": "",
        "2026-11-21": "abcd",
        at.format(2) + "," + at.format(5): "ad",
    }
    for query, letters in expected.items():
        assert "".join(found(f"Observation?_lastUpdated={query}")) == letters, query
    assert found("Patient?_lastUpdated=" + at.format(1)) == ["p1", "p2"]


def test_a_reading_measured_long_ago_is_found_as_new(four: Clinic, found: Search) -> None:
    """A late reading has the feed's time, so that asking for what is new finds it."""
    four.append(feed.Version(observation("late", "2026-09-01T10:00:00+04:00"), "p1"))
    assert found("Observation?_lastUpdated=gt2026-11-21T08:00:05Z") == ["late"]


def test_last_updated_in_the_answer_asks_for_what_comes_after(clinic: Clinic, web: TestClient) -> None:
    """The text in meta says the whole instant: `gt` it leaves the version out, `ge` has it, to the microsecond."""
    clinic.now += 123_457
    clinic.append(feed.Version(observation("a", "2026-11-21T08:00:00+04:00"), "p1"))
    told = ids(valid(web.get("/fhir/Observation")))
    seen = web.get("/fhir/Observation/a").json()["meta"]["lastUpdated"]
    assert told == ["a"]
    assert ids(web.get(f"/fhir/Observation?_lastUpdated=gt{seen}").json()) == []
    assert ids(web.get(f"/fhir/Observation?_lastUpdated=ge{seen}").json()) == ["a"]


def test_dates_without_a_zone_are_meant_where_the_practice_is(four: Clinic) -> None:
    """With Reunion's zone a reading at 01:00 there belongs to that day."""
    from datetime import timedelta, timezone

    from fastapi import FastAPI

    from fhir_export.pull.routes import fhir_router
    from tests.pull.clinic import KEY

    four.append(feed.Version(observation("early", "2026-11-22T01:00:00+04:00"), "p1"))
    app = FastAPI()
    app.include_router(fhir_router(four.file, KEY, base=BASE, zone=timezone(timedelta(hours=4))))
    with TestClient(app, headers={"Authorization": f"Bearer {four.client()}"}) as there:
        assert ids(there.get("/fhir/Observation?date=2026-11-22").json()) == ["early"]
        assert ids(there.get("/fhir/Observation?date=2026-11-22T01:00").json()) == ["early"]


def test_patients_and_devices_are_found_by_number(four: Clinic, found: Search) -> None:
    """Patient and Device answer to `_id` and `identifier`."""
    assert found("Patient?identifier=urn:oid:2.999.1.4|IPP-p2") == ["p2"]
    assert found("Patient?_id=p1") == ["p1"]
    assert found("Device?identifier=d2") == ["d2"]
    assert found("Device") == ["d1", "d2"]


def test_only_the_newest_version_is_found(four: Clinic, found: Search, web: TestClient) -> None:
    """A retraction replaces the version before it, at the end of the feed."""
    body = {**observation("a", "2026-11-21T08:00:00+04:00").body, "status": "entered-in-error"}
    four.append(feed.Version(Resource.of(body), "p1", "d1", "nord"))
    assert found("Observation?patient=p1") == ["b", "d", "a"]
    last = web.get("/fhir/Observation?_id=a").json()["entry"][0]
    assert (last["resource"]["status"], last["fullUrl"]) == ("entered-in-error", f"{BASE}/Observation/a")
    assert last["search"] == {"mode": "match"}


def test_the_number_alone_may_be_asked_for(four: Clinic, web: TestClient) -> None:
    """`_count=0` and `_summary=count` give a total and no entry; `_total=accurate` gives it beside them."""
    for shape in ("_count=0", "_summary=count"):
        bundle = valid(web.get(f"/fhir/Observation?patient=p1&{shape}"))
        assert (bundle["total"], "entry" in bundle, link(bundle, "next")) == (3, False, None)
    bundle = valid(web.get("/fhir/Observation?patient=p1&_total=accurate&_count=1"))
    assert (bundle["total"], len(bundle["entry"])) == (3, 1)
    assert "total" not in valid(web.get("/fhir/Observation"))
    assert valid(web.get("/fhir/Observation?_lastUpdated=ge2026-11-21T08:00:04Z&_count=0"))["total"] == 2


def test_an_unknown_parameter_is_left_out_or_refused(four: Clinic, web: TestClient) -> None:
    """It is not repeated in the self link, and refused under strict handling; the same for shapes we do not have."""
    for other in ("colour=red", "_sort=-date", "_summary=text", "_elements=code", "_include=Observation:subject"):
        bundle = valid(web.get(f"/fhir/Observation?{other}&patient=p2"))
        assert (ids(bundle), link(bundle, "self")) == (["c"], "/fhir/Observation?patient=p2")
        strict = web.get(f"/fhir/Observation?{other}", headers={"Prefer": "return=minimal, handling=strict"})
        assert strict.status_code == 400
        assert b"red" not in strict.content
    sorted_ = valid(web.get("/fhir/Observation?_sort=_lastUpdated", headers={"Prefer": "handling=strict"}))
    assert link(sorted_, "self") == "/fhir/Observation?_sort=_lastUpdated"


@in_a_file
@pytest.mark.parametrize(
    "query",
    [
        "date=yesterday", "date=ge", "date=2026-02-30", "date=2026-13", "date=2026-11-21T24:00",
        "date=2026-11-21T23:59:60Z",
        "date=0000", "date=20261121", "date=2026-11-21T10", "date=xx2026", "date=2026,", "date=２０２６", "date=",
        "date=2026-11-21T10:00:00+25:00",
        "patient=", "patient=p 1", "patient=Patient/", "patient=p1,", "patient=p_1", "code=", "code=|", "code=a|b|c",
        "code=a\\b",
        "code=a,,b", "_id=", "_id=../etc", "identifier=|", "_lastUpdated=now",
        "_count=-1", "_count=1e3", "_count=1000000000", "_count=", "_count=١", "_count=1.0",
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_read_is_refused(four: Clinic, web: TestClient, query: str) -> None:
    """A bad value is 400 and names its parameter: leaving the criterion out would show other patients."""
    answer = web.get(f"/fhir/Observation?{query}")
    refused(answer, 400, "value")
    text = answer.json()["issue"][0]["details"]["text"]
    assert text.startswith(query.partition("=")[0] + ": ")


@in_a_file
@pytest.mark.parametrize(
    "name",
    ["code:in", "patient:identifier", "patient.name", "date:missing", "_id:not", "subject:Group", "device:Patient"],
)
def test_modifiers_and_chains_are_refused(web: TestClient, name: str) -> None:
    """A modifier or chain on a known parameter is never dropped, strict or not."""
    refused(web.get(f"/fhir/Observation?{name}=x"), 400, "unknown-modifier")


def test_every_identifier_of_a_system_is_not_a_search(web: TestClient) -> None:
    """An identifier names one thing: a system alone is refused."""
    refused(web.get(f"/fhir/Observation?identifier={OWN}|"), 400, "value-not-supported")


def test_too_much_is_refused(web: TestClient) -> None:
    """The number of parameters and values, the length of a query and of a form are bounded, each with its name."""
    refused(web.get("/fhir/Observation?" + "&".join(["a=1"] * 65)), 400, "too-many")
    refused(web.get("/fhir/Observation?" + "&" * 10_000), 400, "too-many")
    refused(web.get("/fhir/Observation?_id=" + ",".join(["a"] * 201)), 400, "too-many")
    assert web.get("/fhir/Observation?_id=" + ",".join(["a"] * 200)).status_code == 200
    dates = ",".join(["ne2026-11-21T10:00:00.000000Z"] * 200)
    assert web.get(f"/fhir/Observation?date={dates}").status_code == 200
    refused(web.get("/fhir/Observation?" + "a=1&" * 10_000), 414, "too-long")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    refused(web.post("/fhir/Observation/_search", content=b"a=1&" * 10_000, headers=form), 400, "too-many")
    refused(web.post("/fhir/Observation/_search", content=b"code=" + b"x" * 70_000, headers=form), 413, "too-large")
    endless = (b"x" * 1000 for _ in range(100))
    refused(web.post("/fhir/Observation/_search", content=endless, headers=form), 413, "too-large")


def test_what_is_not_text_is_refused(web: TestClient) -> None:
    """NUL, other control characters and what is not UTF-8 are 400 in names and values, known or not."""
    for query in ("_id=a%00", "%00=a", "colour=%0d%0a", "code=%ff", "%ff=1", "code=%7f", "code=%ed%a0%80"):
        refused(web.get(f"/fhir/Observation?{query}"), 400, "not-readable")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for query in ("code=secret%00b", "identifier=s|secret%00b", "patient=Patient/secret%00", "date=2026%00secret"):
        for answer in (
            web.get(f"/fhir/Observation?{query}"),
            web.post("/fhir/Observation/_search", content=query, headers=form),
        ):
            refused(answer, 400, "not-readable")
            assert "secret" not in answer.text


def test_shapes_are_given_once(web: TestClient) -> None:
    """A repeated `_count`, `_sort` or cursor is refused; a repeated criterion means and."""
    for name, value in (("_count", "1"), ("_sort", "_lastUpdated"), ("_cursor", "x"), ("_summary", "count")):
        refused(web.get(f"/fhir/Observation?{name}={value}&{name}={value}"), 400, "repeated")


def test_a_large_count_is_met_with_a_thousand(clinic: Clinic, web: TestClient) -> None:
    """A page has a hundred resources unless asked otherwise and never more than a thousand, and says so."""
    clinic.take(1_001)
    assert len(ids(web.get("/fhir/Observation").json())) == 100
    bundle = web.get("/fhir/Observation?_count=5000").json()
    assert (len(ids(bundle)), link(bundle, "self")) == (1_000, "/fhir/Observation?_count=1000")
    assert link(bundle, "next") is not None


def test_a_form_keeps_identifiers_out_of_the_address(four: Clinic, web: TestClient) -> None:
    """POST _search finds the same, with parameters in the form, in the query, or in both."""
    by_form = web.post("/fhir/Patient/_search", data={"identifier": "urn:oid:2.999.1.4|IPP-p2"})
    assert ids(valid(by_form)) == ["p2"]
    mixed = web.post("/fhir/Observation/_search?patient=p1", data={"code": "8867-4"})
    assert ids(valid(mixed)) == ["d"]
    assert ids(valid(web.post("/fhir/Observation/_search", content=b"", headers={
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}))) == ["a", "b", "c", "d"]  # fmt: skip
    refused(web.post("/fhir/Observation/_search", json={}), 415, "media-type")
    refused(
        web.post("/fhir/Observation/_search", data={"_id": "a"}, headers={"Content-Encoding": "gzip"}),
        415,
        "media-type",
    )


def test_links_are_built_on_the_configured_address(four: Clinic, web: TestClient) -> None:
    """No Host or Forwarded header changes a link, and the self link gives the search back."""
    lying = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    answer = web.get(f"/fhir/Observation?code={LOINC}|8310-5&patient=p1&_count=1", headers=lying)
    assert b"evil" not in answer.content
    for one in answer.json()["link"]:
        assert one["url"].startswith(f"{BASE}/Observation?")
        assert parse_qs(urlsplit(one["url"]).query)["code"] == [f"{LOINC}|8310-5"]
