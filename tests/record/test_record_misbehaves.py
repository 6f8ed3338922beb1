"""A record that misbehaves: every kind of fault, as a client meets it."""

import time
from collections.abc import Callable, Iterator
from itertools import count

import httpx
import pytest

from simulators.record.faults import KINDS
from simulators.record.process import Running

_IDS = count()
_HTML = "text/html"


@pytest.fixture
def id_() -> str:
    """An id that no other test of this module uses."""
    return f"misbehaved-{next(_IDS)}"


@pytest.fixture(autouse=True)
def behave_again(record: Running) -> Iterator[None]:
    """Take the faults back after each test."""
    yield
    misbehave(record)


def misbehave(record: Running, *texts: str) -> None:
    """Replace the faults in force."""
    httpx.post(f"{record.inspect}/faults", json={"faults": texts}).raise_for_status()


def stored(record: Running, id_: str) -> bool:
    """Whether a Patient is in the record, asked where faults do not reach."""
    return f'"id":"{id_}"' in httpx.get(f"{record.inspect}/resources?type=Patient").text


def put(client: httpx.Client, id_: str) -> httpx.Response:
    """PUT a Patient."""
    return client.put(f"/Patient/{id_}", json={"resourceType": "Patient", "id": id_})


def batch(client: httpx.Client, *ids: str, type_: str = "batch") -> httpx.Response:
    """POST a Bundle of Patients."""
    entries = [
        {"resource": {"resourceType": "Patient", "id": one}, "request": {"method": "PUT", "url": f"Patient/{one}"}}
        for one in ids
    ]
    return client.post("/", json={"resourceType": "Bundle", "type": type_, "entry": entries})


_STATUS = {
    "error500": (500, "exception"),
    "busy503": (503, "transient"),
    "throttle429": (429, "throttled"),
    "refuse422": (422, "invalid"),
    "unauthorized401": (401, "login"),
    "gone410": (410, "deleted"),
    "conflict409": (409, "conflict"),
    "too_large413": (413, "too-long"),
}


@pytest.mark.parametrize("name", _STATUS)
@pytest.mark.parametrize("send", [put, batch])
def test_a_refusal_has_its_status_and_stores_nothing(
    client: httpx.Client, record: Running, id_: str, name: str, send: Callable[[httpx.Client, str], httpx.Response]
) -> None:
    """A refusal has its status and an OperationOutcome with its code; nothing is stored; the next try is taken."""
    misbehave(record, name)
    answer = send(client, id_)
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == _STATUS[name]
    assert not stored(record, id_)
    misbehave(record)
    assert send(client, id_).is_success
    assert stored(record, id_)


@pytest.mark.parametrize("name", ["busy503", "throttle429"])
def test_a_busy_record_says_when_to_come_again(client: httpx.Client, record: Running, id_: str, name: str) -> None:
    """The seconds of a busy record are its Retry-After; 1 when not told."""
    for text, seconds in ((name, "1"), (f"{name}:1:17", "17")):
        misbehave(record, text)
        assert put(client, id_).headers["Retry-After"] == seconds


def test_a_portal_answers_with_a_page(client: httpx.Client, record: Running, id_: str) -> None:
    """`wrong` answers 200 with HTML to everything, `metadata` included, and stores nothing."""
    misbehave(record, "wrong")
    for answer in (put(client, id_), batch(client, id_), client.get("/metadata")):
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, _HTML)
        assert answer.text.startswith("<!DOCTYPE html>")
    assert not stored(record, id_)


def test_a_redirect_leads_to_another_host(client: httpx.Client, record: Running, id_: str) -> None:
    """`redirect302` points to a host that never resolves, and stores nothing."""
    misbehave(record, "redirect302")
    answer = put(client, id_)
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://record.invalid/fhir")
    assert not stored(record, id_)


@pytest.mark.parametrize("type_", ["batch", "transaction"])
def test_an_answer_can_name_another_id(client: httpx.Client, record: Running, id_: str, type_: str) -> None:
    """`wrong_id` stores what was sent and names another id, in the body and in the location."""
    misbehave(record, "wrong_id")
    answer = put(client, id_)
    assert answer.status_code == 201
    assert answer.json()["id"] != id_
    assert id_ not in answer.headers["Location"]
    assert f"{id_}-2" not in batch(client, f"{id_}-2", type_=type_).json()["entry"][0]["response"]["location"]
    assert stored(record, id_)
    assert stored(record, f"{id_}-2")


@pytest.mark.parametrize(("name", "is_stored"), [("cut", True), ("cut_before", False)])
def test_a_line_is_cut_after_or_before_storing(
    client: httpx.Client, record: Running, id_: str, name: str, *, is_stored: bool
) -> None:
    """`cut` has stored and `cut_before` has not; the client sees the same: no answer."""
    misbehave(record, name)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        put(client, id_)
    assert stored(record, id_) == is_stored


def test_an_answer_can_end_too_early(client: httpx.Client, record: Running, id_: str) -> None:
    """`truncated` stores; its answer ends before its Content-Length, with a body or without."""
    misbehave(record, "truncated")
    with pytest.raises(httpx.RemoteProtocolError):
        put(client, id_)
    with pytest.raises(httpx.RemoteProtocolError):
        client.put(
            f"/Patient/{id_}",
            json={"resourceType": "Patient", "id": id_},
            headers={"Prefer": "return=minimal"},
        )
    assert stored(record, id_)


def test_an_answer_can_be_late(client: httpx.Client, record: Running, id_: str) -> None:
    """`late` stores at once and answers after its seconds; a client without patience sees a timeout."""
    misbehave(record, "late:1:0.3")
    begun = time.monotonic()
    assert put(client, id_).status_code == 201
    assert time.monotonic() - begun >= 0.3
    misbehave(record, "late:1:3600")
    with pytest.raises(httpx.ReadTimeout):
        client.put(f"/Patient/{id_}-2", json={"resourceType": "Patient", "id": f"{id_}-2"}, timeout=0.2)
    assert stored(record, f"{id_}-2")


def test_an_answer_can_be_slow(client: httpx.Client, record: Running, id_: str) -> None:
    """`slow` sends the whole answer, byte by byte."""
    misbehave(record, "slow:1:0.001")
    begun = time.monotonic()
    answer = put(client, id_)
    assert answer.json()["id"] == id_
    assert time.monotonic() - begun >= 0.001 * len(answer.content)


@pytest.mark.parametrize(("name", "status"), [("entry422", "422"), ("entry409", "409")])
def test_entries_of_a_batch_can_be_refused(
    client: httpx.Client, record: Running, id_: str, name: str, status: str
) -> None:
    """Each entry of a batch meets the fault by itself; single PUTs and transactions do not."""
    ids = [f"{id_}-{number}" for number in range(40)]
    misbehave(record, f"{name}:0.5")
    said = [one["response"] for one in batch(client, *ids).json()["entry"]]
    refused = [one for one, response in zip(ids, said, strict=True) if response["status"].startswith(status)]
    assert 5 < len(refused) < 35
    text = httpx.get(f"{record.inspect}/resources?type=Patient").text
    assert [one for one in ids if f'"id":"{one}"' not in text] == refused
    misbehave(record, name)
    assert put(client, refused[0]).status_code == 201
    assert batch(client, refused[1], type_="transaction").status_code == 200


def test_every_kind_of_fault_is_met_here() -> None:
    """No kind of fault is without a test in this module."""
    others = (
        "late",
        "wrong",
        "wrong_id",
        "cut",
        "cut_before",
        "slow",
        "truncated",
        "entry422",
        "entry409",
        "redirect302",
    )
    assert set(KINDS) == {*_STATUS, *others}


def test_faults_are_told_and_replaced(client: httpx.Client, record: Running) -> None:
    """The inspection tells the faults in force and how often each happened; it refuses what it cannot read."""
    misbehave(record, "error500", "late:0.25:3")
    before = httpx.get(f"{record.inspect}/faults").json()
    assert before["faults"] == ["error500:1", "late:0.25:3"]
    client.get("/Patient/a")
    fired = httpx.get(f"{record.inspect}/faults").json()["fired"]
    assert fired["error500"] == before["fired"].get("error500", 0) + 1
    for body in (b"", b"[]", b'{"faults": [1]}', b'{"faults": ["nothing"]}', b'{"faults": 1}'):
        assert httpx.post(f"{record.inspect}/faults", content=body).status_code == 400
    assert httpx.get(f"{record.inspect}/faults").json()["faults"] == before["faults"]
