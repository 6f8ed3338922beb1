"""A record that behaves: FHIR over HTTP as a strict server speaks it."""

import json
from collections.abc import Mapping
from uuid import uuid4

import httpx
import pytest

from simulators.record.process import Running, running

Resource = dict[str, object]


def patient(id_: str, **members: object) -> Resource:
    """A Patient with nothing but its id and what is given."""
    return {"resourceType": "Patient", "id": id_, **members}


def observation(id_: str, subject: str, **members: object) -> Resource:
    """An Observation about a Patient."""
    return {
        "resourceType": "Observation",
        "id": id_,
        "subject": {"reference": f"Patient/{subject}"},
        **members,
    }


def put(client: httpx.Client, resource: Resource) -> httpx.Response:
    """PUT a resource to its own address."""
    return client.put(f"/{resource['resourceType']}/{resource['id']}", json=resource)


def post(client: httpx.Client, type_: str, *found: Mapping[str, object]) -> httpx.Response:
    """POST a Bundle of PUTs."""
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}} for one in found
    ]
    return client.post("/", json={"resourceType": "Bundle", "type": type_, "entry": entries})


def summary(record: Running) -> dict[str, int]:
    """The totals of the record's inspection."""
    found: dict[str, int] = httpx.get(f"{record.inspect}/summary").json()
    return found


@pytest.fixture
def id_() -> str:
    """An id that no other test uses."""
    return f"id-{uuid4()}"


def test_the_capability_statement_says_what_the_record_does(client: httpx.Client) -> None:
    """`metadata` is a CapabilityStatement with client-assigned ids, transactions and batches."""
    found = client.get("/metadata").json()
    assert (found["resourceType"], found["fhirVersion"]) == ("CapabilityStatement", "4.0.1")
    (rest,) = found["rest"]
    assert {one["code"] for one in rest["interaction"]} == {"transaction", "batch"}
    assert all(one["updateCreate"] for one in rest["resource"])


def test_a_resource_is_created_under_the_id_its_client_chose(client: httpx.Client, id_: str) -> None:
    """A first PUT answers 201 with version 1 and its location, and is read back with the server's meta."""
    answer = put(client, patient(id_))
    assert (answer.status_code, answer.headers["ETag"]) == (201, 'W/"1"')
    assert answer.headers["Location"] == f"{client.base_url}Patient/{id_}/_history/1"
    read = client.get(f"/Patient/{id_}")
    assert read.headers["Content-Type"].startswith("application/fhir+json")
    assert read.json() == answer.json()
    assert read.json()["meta"]["versionId"] == "1"


def test_the_same_content_again_makes_no_version(client: httpx.Client, record: Running, id_: str) -> None:
    """The same content, in another order of names, answers 200 with version 1 and is counted as a put."""
    put(client, patient(id_, active=True, gender="other"))
    before = summary(record)
    answer = put(client, patient(id_, gender="other", active=True))
    assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"1"')
    assert summary(record) == before | {"puts": before["puts"] + 1}


def test_a_second_content_is_version_2_and_told(client: httpx.Client, record: Running, id_: str) -> None:
    """Another content answers 200 with version 2; the summary tells it; both versions stay readable."""
    put(client, patient(id_, gender="other"))
    before = summary(record)
    assert put(client, patient(id_, gender="female")).headers["ETag"] == 'W/"2"'
    after = summary(record)
    assert after["conflicting"] == before["conflicting"] + 1
    assert after["versions"] == before["versions"] + 1
    assert client.get(f"/Patient/{id_}/_history/1").json()["gender"] == "other"
    assert client.get(f"/Patient/{id_}").json()["gender"] == "female"
    history = client.get(f"/Patient/{id_}/_history").json()
    assert [one["resource"]["meta"]["versionId"] for one in history["entry"]] == ["2", "1"]
    put(client, patient(id_, gender="other"))
    assert summary(record)["conflicting"] == after["conflicting"]


@pytest.mark.parametrize("way", ["single", "batch", "transaction"])
def test_digits_stay(client: httpx.Client, record: Running, id_: str, way: str) -> None:
    """36.60 is read back as 36.60, whichever way it came, and 36.6 is another content."""
    put(client, patient(id_))
    for text, etag in (("36.60", "1"), ("36.60", "1"), ("36.6", "2")):
        body = json.dumps(observation(id_, id_, valueQuantity={"value": 0})).replace('"value": 0', f'"value": {text}')
        if way == "single":
            client.put(f"/Observation/{id_}", content=body)
        else:
            entry = f'{{"resource": {body}, "request": {{"method": "PUT", "url": "Observation/{id_}"}}}}'
            client.post("/", content=f'{{"resourceType": "Bundle", "type": "{way}", "entry": [{entry}]}}')
        read = client.get(f"/Observation/{id_}")
        assert (f'"value":{text}}}' in read.text, read.headers["ETag"]) == (True, f'W/"{etag}"')
    lines = httpx.get(f"{record.inspect}/resources?type=Observation").text.splitlines()
    assert next(line for line in lines if id_ in line).endswith('"value":36.6}}')


def test_a_reference_must_lead_somewhere(client: httpx.Client, id_: str) -> None:
    """A resource whose patient is not here is refused with 400 and not stored; after the patient it is taken."""
    refused = put(client, observation(id_, id_))
    assert (refused.status_code, refused.json()["issue"][0]["code"]) == (400, "processing")
    assert client.get(f"/Observation/{id_}").status_code == 404
    put(client, patient(id_))
    assert put(client, observation(id_, id_)).status_code == 201


def test_reference_checks_can_be_left_out() -> None:
    """A record without reference checks takes a resource whose patient is not here."""
    with running(reference_checks=False) as record, httpx.Client(base_url=record.base) as client:
        client.headers["Content-Type"] = "application/fhir+json"
        assert put(client, observation("a", "nobody")).status_code == 201


def test_a_transaction_is_all_or_nothing(client: httpx.Client, id_: str) -> None:
    """One refused entry refuses the transaction whole; without it everything is stored, in any order."""
    whole = [observation(id_, id_), patient(id_)]
    refused = post(client, "transaction", *whole, observation(f"{id_}-2", "nobody"))
    assert refused.status_code == 400
    assert client.get(f"/Patient/{id_}").status_code == 404
    done = post(client, "transaction", *whole)
    assert (done.status_code, done.json()["type"]) == (200, "transaction-response")
    assert [one["response"]["status"] for one in done.json()["entry"]] == ["201 Created"] * 2
    assert done.json()["entry"][0]["response"]["location"] == f"Observation/{id_}/_history/1"
    assert client.get(f"/Observation/{id_}").status_code == 200


def test_a_transaction_with_one_identity_twice_is_refused(client: httpx.Client, id_: str) -> None:
    """A transaction that holds one resource twice stores nothing."""
    assert post(client, "transaction", patient(id_), patient(id_, active=True)).status_code == 400
    assert client.get(f"/Patient/{id_}").status_code == 404


def test_a_batch_is_each_for_itself(client: httpx.Client, id_: str) -> None:
    """A refused entry of a batch has its own status and outcome; the others are stored."""
    done = post(client, "batch", patient(id_), observation(id_, "nobody"), observation(f"{id_}-2", id_))
    assert (done.status_code, done.json()["type"]) == (200, "batch-response")
    said = [one["response"] for one in done.json()["entry"]]
    assert [one["status"] for one in said] == ["201 Created", "400 Bad Request", "201 Created"]
    assert said[1]["outcome"]["issue"][0]["code"] == "processing"
    assert client.get(f"/Observation/{id_}").status_code == 404
    assert client.get(f"/Observation/{id_}-2").status_code == 200


def test_patients_are_found_by_identifier(client: httpx.Client, record: Running, id_: str) -> None:
    """A patient is found by `system|value`, by value alone and by POST; not by another system or an old value."""
    identifier = [{"system": "urn:oid:2.999.1.4", "value": id_}]
    put(client, patient(id_, identifier=identifier))

    def found(token: str) -> list[str]:
        page = client.get("/Patient", params={"identifier": token}).json()
        assert page["total"] == len(page["entry"])
        return [one["resource"]["id"] for one in page["entry"]]

    assert found(f"urn:oid:2.999.1.4|{id_}") == found(id_) == [id_]
    assert found(f"urn:oid:2.999.1.5|{id_}") == found(f"|{id_}") == []
    posted = httpx.post(f"{record.base}/Patient/_search", data={"identifier": id_}).json()
    assert posted["entry"][0]["fullUrl"] == f"{record.base}/Patient/{id_}"
    before = summary(record)["shared_identifiers"]
    put(client, patient(f"{id_}-2", identifier=identifier))
    assert found(id_) == [id_, f"{id_}-2"]
    assert summary(record)["shared_identifiers"] == before + 1
    put(client, patient(id_, identifier=[{"value": "other"}]))
    assert found(id_) == [f"{id_}-2"]


def test_a_search_is_paged(client: httpx.Client) -> None:
    """Every resource of a type is on exactly one page; the pages are linked."""
    ids = [f"page-{number}" for number in range(5)]
    for one in ids:
        put(client, {"resourceType": "Location", "id": one})
    found, url = list[str](), "/Location?_count=2"
    while url:
        page = client.get(url).json()
        assert (page["type"], page["total"]) == ("searchset", 5)
        found += [one["resource"]["id"] for one in page["entry"]]
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    assert found == ids


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/Patient", 405),
        ("DELETE", "/Patient/a", 405),
        ("PUT", "/Patient?identifier=a", 405),
        ("PUT", "/metadata", 405),
        ("HEAD", "/metadata", 405),
        ("GET", "/Patient/never-sent", 404),
        ("GET", "/Patient/never-sent/_history", 404),
        ("GET", "/Patient/never-sent/_history/1", 404),
        ("GET", "/Nothing", 404),
        ("GET", "/a/b/c/d", 404),
        ("GET", "/Patient?name=a", 400),
        ("GET", "/Patient?_count=-1", 400),
        ("PUT", "/Patient/a_b", 400),
        ("PUT", "/Patient/a", 400),
        ("POST", "/", 400),
    ],
)
def test_what_is_not_taken_is_refused_politely(client: httpx.Client, method: str, path: str, status: int) -> None:
    """What the record does not do is refused with a status and an OperationOutcome; the line stays usable."""
    answer = client.request(method, path)
    assert answer.status_code == status
    if method != "HEAD":
        assert answer.json()["resourceType"] == "OperationOutcome"
    assert ("Allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/fhir+json; charset=latin-1"},
        {"Content-Encoding": "gzip"},
    ],
)
def test_another_kind_of_body_is_refused(client: httpx.Client, id_: str, headers: dict[str, str]) -> None:
    """A body that is not plain JSON in UTF-8 is refused with 415."""
    assert client.put(f"/Patient/{id_}", json=patient(id_), headers=headers).status_code == 415


def test_a_client_may_ask_for_no_body(client: httpx.Client, id_: str) -> None:
    """With `Prefer: return=minimal` the answer to a PUT has no body, and still its location."""
    answer = client.put(f"/Patient/{id_}", json=patient(id_), headers={"Prefer": "return=minimal"})
    assert (answer.status_code, answer.content) == (201, b"")
    assert answer.headers["Location"].endswith(f"/Patient/{id_}/_history/1")


def test_every_put_is_listed(client: httpx.Client, record: Running, id_: str) -> None:
    """The inspection lists for each resource how often it was sent and how many versions it has."""
    for gender in ("other", "other", "female"):
        put(client, patient(id_, gender=gender))
    lines = [json.loads(line) for line in httpx.get(f"{record.inspect}/puts").text.splitlines()]
    assert {"type": "Patient", "id": id_, "puts": 3, "versions": 2} in lines


def test_a_large_resource_is_taken(client: httpx.Client, id_: str) -> None:
    """A Binary of several megabytes is stored and read back whole."""
    data = "QUJD" * 2_000_000
    assert (
        put(client, {"resourceType": "Binary", "id": id_, "contentType": "image/jpeg", "data": data}).status_code == 201
    )
    assert client.get(f"/Binary/{id_}", headers={"Accept": "application/fhir+json"}).json()["data"] == data


def test_the_inspection_streams_every_resource(client: httpx.Client, record: Running) -> None:
    """The inspection gives each resource of a type once, one a line, by id."""
    ids = [f"{number:04}" for number in range(450)]
    post(client, "batch", *[{"resourceType": "Practitioner", "id": one} for one in ids])
    lines = httpx.get(f"{record.inspect}/resources?type=Practitioner").text.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ids


def test_the_inspection_says_what_is_possible(record: Running) -> None:
    """An unknown address below the inspection is answered 404 with the addresses that are known."""
    answer = httpx.get(f"{record.inspect}/nothing")
    assert answer.status_code == 404
    assert "/_inspect/summary" in answer.text
