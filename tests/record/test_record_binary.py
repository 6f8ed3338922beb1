"""A Binary in the simulated record: taken as FHIR, given as bytes or as FHIR."""

import base64

import httpx
import pytest

from simulators.record.process import Running, running

FHIR = {"Accept": "application/fhir+json"}
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40


def binary(id_: str, data: object, content_type: object = "image/jpeg") -> dict[str, object]:
    """A Binary that names the Media that shows it."""
    return {
        "resourceType": "Binary", "id": id_, "contentType": content_type,
        "securityContext": {"reference": "Media/not-yet-here"}, "data": data,
    }  # fmt: skip


def test_a_binary_comes_back_as_it_is_asked_for(client: httpx.Client) -> None:
    """Without a FHIR type in Accept the bytes come in their own type, with one the resource, its data unchanged."""
    data = base64.b64encode(JPEG).decode()
    assert client.put("/Binary/b-1", json=binary("b-1", data)).status_code == 201
    for accept in ("*/*", "image/jpeg", "text/html,*/*;q=0.8"):
        answer = client.get("/Binary/b-1", headers={"Accept": accept})
        assert (answer.headers["content-type"], answer.content) == ("image/jpeg", JPEG)
        assert answer.headers["etag"] == 'W/"1"'
    assert client.get("/Binary/b-1", headers=FHIR).json()["data"] == data
    assert client.get("/Binary/none", headers={"Accept": "*/*"}).status_code == 404


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        ("@sha256:" + "0" * 64, "image/jpeg"), ("QUJ", "image/jpeg"), ("QUJ D", "image/jpeg"), ("é", "image/jpeg"),
        ("", "image/jpeg"), (7, "image/jpeg"), (["QUJD"], "image/jpeg"), ("QUJD", "jpeg"), ("QUJD", None),
    ],
)  # fmt: skip
def test_a_binary_that_holds_no_bytes_is_refused(client: httpx.Client, data: object, content_type: object) -> None:
    """Data that is no base64, and a Binary without a content type, are refused with 400 and not stored."""
    assert client.put("/Binary/b-bad", json=binary("b-bad", data, content_type)).status_code == 400
    assert client.get("/Binary/b-bad", headers=FHIR).status_code == 404


def test_what_shows_a_binary_comes_after_it(client: httpx.Client) -> None:
    """A Media or document whose attachment is a Binary that is not there is refused, and taken once it is."""
    media = {"resourceType": "Media", "id": "m-1", "status": "completed", "content": {"url": "Binary/b-2"}}
    assert client.put("/Media/m-1", json=media).status_code == 400
    assert client.put("/Binary/b-2", json=binary("b-2", "QUJD")).status_code == 201
    assert client.put("/Media/m-1", json=media).status_code == 201


def test_the_new_types_are_taken(client: httpx.Client) -> None:
    """The CapabilityStatement lists every type an exporter sends."""
    types = {one["type"] for one in client.get("/metadata").json()["rest"][0]["resource"]}
    assert types >= {"Binary", "DiagnosticReport", "DocumentReference", "ImagingStudy", "Media", "Provenance"}


def test_faults_happen_to_binaries_too() -> None:
    """A fault in force is met by the PUT of a Binary."""
    with running(faults=["too_large413"]) as record:
        assert _put(record).status_code == 413


def _put(record: Running) -> httpx.Response:
    headers = {"Content-Type": "application/fhir+json"}
    return httpx.put(f"{record.base}/Binary/b", json=binary("b", "QUJD"), headers=headers)
