"""What is read out of an HTTP answer, and what never is."""

from __future__ import annotations

import json

import pytest

from fhir_export.push.port import Answer, Ending, Outgoing
from fhir_export.push.replies import Reply, batch, single

FHIR = {"content-type": "application/fhir+json;charset=utf-8"}
ONE = Outgoing("Observation", "r1-fev1", b"{}")
TWO = Outgoing("Observation", "r2-fev1", b"{}")


def reply(status: int = 200, document: object = None, **headers: str) -> Reply:
    """An answer; underscores in header names are hyphens."""
    body = b"" if document is None else json.dumps(document).encode()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, FHIR | given, body, now=1_000.0)


@pytest.mark.parametrize(
    "answered",
    [
        reply(201, location="https://record.example.org/fhir/Observation/r1-fev1/_history/7"),
        reply(200, location="Observation/r1-fev1/_history/7"),
        reply(200, content_location="/fhir/Observation/r1-fev1", etag='W/"7"'),
        reply(200, {"resourceType": "Observation", "id": "r1-fev1"}, etag='W/"7"'),
        reply(200, {"resourceType": "OperationOutcome", "issue": []}, location="Observation/r1-fev1/_history/7"),
    ],
)
def test_identity_and_version_are_read_wherever_they_stand(answered: Reply) -> None:
    """Location, Content-Location, ETag or body: each names what was stored."""
    answer = single(answered)
    assert (answer.named, answer.version) == (ONE.identity, "7")


def test_a_body_that_contradicts_its_address_names_nothing() -> None:
    """When Location and body differ, neither is believed."""
    answered = reply(200, {"resourceType": "Observation", "id": "x"}, location="Observation/r1-fev1/_history/1")
    assert single(answered).named is None


def test_html_names_nothing_whatever_its_headers_say() -> None:
    """A portal's page is not FHIR, even with a Location."""
    page = Reply(200, {"content-type": "text/html", "location": "Observation/r1-fev1"}, b"<html>", 0.0)
    assert single(page) == Answer(Ending.ANSWERED, 200)


def test_only_listed_issue_codes_are_kept() -> None:
    """A code that FHIR does not list becomes unknown; diagnostics are not read at all."""
    issues = [{"code": "invalid", "diagnostics": "EXEMPLE-FICTIF"}, {"code": "EXEMPLE-FICTIF"}, "x", {}]
    answer = single(reply(422, {"resourceType": "OperationOutcome", "issue": issues}))
    assert answer.issues == ("invalid", "unknown", "unknown", "unknown")
    assert "EXEMPLE" not in repr(answer)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "17"}, 17.0),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"retry_after": "Thu, 01 Jan 1970 00:17:00 GMT"}, 20.0),
        ({"retry_after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-5"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    """A date counts from the server's own clock where it tells it."""
    assert single(reply(503, **headers)).retry_after == seconds


def bundle(*entries: object, kind: str = "batch-response") -> dict[str, object]:
    """A Bundle that answers a batch."""
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def test_entries_of_a_batch_are_read_one_by_one() -> None:
    """Each entry has its own status, identity, version and issues."""
    refused = {"resourceType": "OperationOutcome", "issue": [{"code": "invalid"}]}
    first, second = batch(
        reply(
            200,
            bundle(
                {"response": {"status": "201 Created", "location": "Observation/r1-fev1/_history/1"}},
                {"response": {"status": "422 Unprocessable Entity", "outcome": refused}},
            ),
        ),
        [ONE, TWO],
    )
    assert first == Answer(Ending.ANSWERED, 201, fhir=True, named=ONE.identity, version="1")
    assert (second.status, second.issues, second.shared) == (422, ("invalid",), False)


def test_an_entry_may_name_itself_by_its_resource() -> None:
    """Some servers give the resource and no location."""
    stored = {
        "resource": {"resourceType": "Observation", "id": "r1-fev1"},
        "response": {"status": "200", "etag": 'W/"2"'},
    }
    assert batch(reply(200, bundle(stored)), [ONE])[0] == Answer(
        Ending.ANSWERED, 200, fhir=True, named=ONE.identity, version="2"
    )


@pytest.mark.parametrize(
    "document",
    [
        bundle({"response": {"status": "201", "location": "Observation/r1-fev1/_history/1"}}),
        bundle({}, {}, kind="searchset"),
        {"resourceType": "Observation", "id": "r1-fev1"},
        ["not an object"],
    ],
    ids=["one entry for two", "a search", "a resource", "a list"],
)
def test_an_answer_that_is_not_one_entry_each_says_nothing_of_any(document: object) -> None:
    """Without an entry for each resource nothing is known of any of them."""
    answers = batch(reply(200, document), [ONE, TWO])
    assert [(a.named, a.shared, a.empty) for a in answers] == [(None, True, False)] * 2


def test_an_entry_that_makes_no_sense_is_a_failure_of_the_server() -> None:
    """No status, or no object: the resource is sent again."""
    answers = batch(reply(200, bundle("x", {"response": {"status": None}})), [ONE, TWO])
    assert [answer.status for answer in answers] == [500, 500]


@pytest.mark.parametrize(
    "body", [b"\xff", b"{", b"[" * 100_000, b'{"resourceType":1}'], ids=["bytes", "cut", "deep", "type"]
)
def test_a_broken_body_is_no_fhir(body: bytes) -> None:
    """Bytes that are no FHIR resource are taken for none, and raise nothing."""
    assert not single(Reply(200, FHIR, body, 0.0)).fhir


def test_a_transactions_entries_are_read_like_a_batchs() -> None:
    """HAPI answers so: an outcome that only informs beside each success, the version inside the location."""
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "informational"}]}
    entries = [
        {
            "response": {
                "status": status,
                "location": f"Observation/{one.id}/_history/1",
                "etag": "1",
                "outcome": outcome,
            }
        }
        for one, status in ((ONE, "201 Created"), (TWO, "200 OK"))
    ]
    document = {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}
    answers = batch(reply(200, document), [ONE, TWO])
    assert [(a.status, a.named, a.version, a.shared, a.issues) for a in answers] == [
        (201, ONE.identity, "1", False, ()),
        (200, TWO.identity, "1", False, ()),
    ]


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("HAPI-1094: Resource Patient/EXEMPLE-FICTIF not found", "HAPI-1094"),
        ("HAPI-0550: HAPI-0825: The operation has failed", "HAPI-0825"),
        ("Patient HAPI-1094: EXEMPLE-FICTIF", None),
        ("HAPI-EXEMPLE-FICTIF: x", None),
        (7, None),
        (None, None),
    ],
)
def test_of_a_servers_words_only_hapis_number_is_kept(words: object, number: str | None) -> None:
    """The last number in front of the words is the cause; nothing else of them gets in, alone or in a Bundle."""
    outcome = {"resourceType": "OperationOutcome", "issue": [{"code": "processing", "diagnostics": words}]}
    inside = {"response": {"status": "400 Bad Request", "outcome": outcome}}
    found = [
        single(reply(400, outcome)),
        *batch(reply(400, outcome), [ONE, TWO]),
        *batch(reply(200, bundle(inside)), [ONE]),
    ]
    assert {answer.number for answer in found} == {number}
    assert "EXEMPLE" not in repr(found)
