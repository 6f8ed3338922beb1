"""A Binary is read as bytes or as the resource around them, by who may, and only when it is what it was."""

import asyncio
import base64
import hashlib
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from starlette.types import Message

from fhir_export import binary, feed
from fhir_export.model import Resource, encode, placeholder
from fhir_export.pull.outcome import Problem
from ingest.blobs import BlobMissing
from tests.pull.clinic import Clinic, TestClient, refused, valid
from tests.support.engines import in_a_file

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 1000 + b"end"
FHIR = {"Accept": "application/fhir+json"}


def shelve(clinic: Clinic, content: bytes) -> str:
    """Put a blob into the store; returns its hash."""
    with clinic.file.blobs.scratch() as folder:
        (folder / "made").write_bytes(content)
        return clinic.file.blobs.adopt(folder / "made")


def stored(sha256: str, id_: str = "b1", content_type: str = "image/jpeg") -> Resource:
    """A Binary as the feed holds it."""
    return Resource.of(
        {
            "resourceType": "Binary",
            "id": id_,
            "meta": {"source": "urn:oid:2.999.1"},
            "contentType": content_type,
            "securityContext": {"reference": "Media/m1"},
            "data": placeholder(sha256),
        }
    )


@pytest.fixture
def photograph(clinic: Clinic) -> str:
    """A photograph of patient p1, taken in the north; its hash."""
    sha256 = shelve(clinic, JPEG)
    clinic.append(feed.Version(stored(sha256), "p1", "d1", "nord"))
    return sha256


@in_a_file
@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", "image/jpeg"), ("image/jpeg", "image/jpeg"), ("image/*", "image/jpeg"),
        ("text/html, image/webp, */*;q=0.8", "image/jpeg"), ("application/fhir+json;q=0.5, image/jpeg", "image/jpeg"),
        ("application/fhir+json", "application/fhir+json"), ("application/json", "application/fhir+json"),
        ("application/fhir+json, */*", "application/fhir+json"), ("image/jpeg;q=0.1, application/fhir+json",
        "application/fhir+json"), ("application/fhir+json;fhirVersion=4.0", "application/fhir+json"),
        ("image/jpeg;q=0, */*", "application/fhir+json"),
    ],
)  # fmt: skip
def test_accept_decides_how_a_binary_comes(web: TestClient, photograph: str, accept: str, media: str) -> None:
    """Whoever asks for FHIR gets the resource, anyone else the bytes in their own type; both are whole."""
    answer = web.get("/fhir/Binary/b1", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, media)
    assert answer.headers["content-length"] == str(len(answer.content))
    assert (answer.headers["etag"], answer.headers["vary"]) == ('W/"1"', "Accept")
    held = answer.content if media == "image/jpeg" else base64.b64decode(answer.json()["data"])
    assert hashlib.sha256(held).hexdigest() == photograph


@in_a_file
def test_format_asks_for_the_resource(web: TestClient, photograph: str) -> None:
    """`_format=json` goes before Accept."""
    answer = web.get("/fhir/Binary/b1?_format=json", headers={"Accept": "image/jpeg"})
    assert base64.b64decode(answer.json()["data"]) == JPEG
    refused(web.get("/fhir/Binary/b1?_format=xml"), 406, "format")


def test_a_binary_is_what_is_stored_and_its_data(clinic: Clinic, web: TestClient, photograph: str) -> None:
    """The resource is valid R4, and but for version and data its bytes are the feed's; no placeholder leaves."""
    answer = web.get("/fhir/Binary/b1", headers=FHIR)
    valid(answer)
    added = f'"versionId":"1","lastUpdated":"{answer.json()["meta"]["lastUpdated"]}",'.encode()
    kept = answer.content.replace(added, b"", 1).replace(base64.b64encode(JPEG), placeholder(photograph).encode(), 1)
    assert kept == encode(stored(photograph))
    assert b"@sha256" not in answer.content


@in_a_file
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 3 * 65_536 - 1, 3 * 65_536, 3 * 65_536 + 1])
def test_every_length_is_whole(clinic: Clinic, web: TestClient, size: int) -> None:
    """Base64 made of pieces is that of the whole, at every edge of a piece."""
    content = bytes(n % 251 for n in range(size))
    clinic.append(feed.Version(stored(shelve(clinic, content)), "p1", "d1", "nord"))
    assert web.get("/fhir/Binary/b1", headers=FHIR).json()["data"] == base64.b64encode(content).decode()
    assert web.get("/fhir/Binary/b1").content == content


@in_a_file
def test_bytes_are_never_taken_for_a_page(web: TestClient, photograph: str) -> None:
    """The raw answer forbids sniffing, showing in place, scripts and caching, and names what access goes by."""
    answer = web.get("/fhir/Binary/b1", headers={"Accept": "image/jpeg"})
    for name, value in {
        "x-content-type-options": "nosniff", "content-disposition": "attachment", "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; sandbox", "x-security-context": "Media/m1",
    }.items():  # fmt: skip
        assert answer.headers[name] == value


@in_a_file
def test_a_strange_media_type_becomes_no_header(clinic: Clinic, web: TestClient) -> None:
    """What is no media type is given as plain bytes."""
    made = stored(shelve(clinic, JPEG), content_type="text/html\r\nX: y")
    clinic.append(feed.Version(made, "p1", "d1", "nord"))
    assert web.get("/fhir/Binary/b1").headers["content-type"] == "application/octet-stream"


@in_a_file
def test_another_type_is_refused(clinic: Clinic, web: TestClient, photograph: str) -> None:
    """A picture is not made into another one, nor into XML; the refusal is kept in the audit trail as nothing shown."""
    for accept in ("image/png", "application/fhir+xml", "application/fhir+json;fhirVersion=3.0", "*/*;q=0"):
        refused(web.get("/fhir/Binary/b1", headers={"Accept": accept}), 406, "media")
        assert clinic.audit()[-1][1:] == ("read", "Binary", "p1", 0)


def test_a_binary_the_client_has_is_not_sent_again(web: TestClient, photograph: str) -> None:
    """If-None-Match with the present version is answered with 304 for both forms."""
    for headers in (FHIR, {"Accept": "image/jpeg"}):
        answer = web.get("/fhir/Binary/b1", headers={**headers, "If-None-Match": 'W/"1"'})
        assert (answer.status_code, answer.content) == (304, b"")


@in_a_file
def test_binaries_are_not_searched(web: TestClient) -> None:
    """A search would be megabytes: there is none, and the CapabilityStatement does not list one."""
    refused(web.get("/fhir/Binary"), 404, "unknown-route")
    refused(web.get("/fhir/Binary?_id=b1"), 404, "unknown-route")
    refused(web.post("/fhir/Binary/_search", data={"_id": "b1"}), 404, "unknown-route")
    assert web.post("/fhir/Binary").status_code == 404
    described = {one["type"]: one for one in valid(web.get("/fhir/metadata"))["rest"][0]["resource"]}
    assert described["Binary"]["interaction"] == [{"code": "read"}]


def test_a_client_of_another_site_sees_no_binary(clinic: Clinic, photograph: str) -> None:
    """Sites and scopes hold for bytes: elsewhere it looks like none, without the scope it is refused."""
    with TestClient(clinic.app) as web:
        for sites, scopes, status in (
            (["sud"], "system/*.rs", 404), (["nord"], "system/Binary.r", 200), ([], "system/Binary.r", 200),
            ([], "system/Media.rs", 403), (["nord"], "system/Binary.s", 403),
        ):  # fmt: skip
            token = clinic.client(scopes, sites=sites)
            for accept in ("image/jpeg", "application/fhir+json", "image/png"):
                headers = {"Authorization": f"Bearer {token}", "Accept": accept}
                answer = web.get("/fhir/Binary/b1", headers=headers)
                assert answer.status_code == (406 if (status, accept) == (200, "image/png") else status)
                if status != 200:
                    assert b"image/jpeg" not in answer.content
        foreign = {"Authorization": f"Bearer {clinic.client(sites=['sud'])}"}
        unknown, there = web.get("/fhir/Binary/none", headers=foreign), web.get("/fhir/Binary/b1", headers=foreign)
        assert unknown.content == there.content


@in_a_file
@pytest.mark.parametrize("harm", ["gone", "altered", "cut", "unreadable"])
def test_content_that_is_not_what_it_was_never_leaves(
    clinic: Clinic, web: TestClient, photograph: str, harm: str
) -> None:
    """A missing, altered or unreadable file is 500 with its code, kept as nothing shown; what else is there stays."""
    path = clinic.file.blobs.path(photograph)
    match harm:
        case "gone":
            path.unlink()
        case "altered":
            path.write_bytes(JPEG[:-1] + b"E")
        case "cut":
            path.write_bytes(JPEG[:-1])
        case "unreadable":
            path.unlink()
            path.mkdir()
    for headers in (FHIR, {"Accept": "image/jpeg"}):
        refused(web.get("/fhir/Binary/b1", headers=headers), 500, "blob-missing")
        assert clinic.audit()[-1][1:] == ("read", "Binary", "p1", 0)
    assert Problem.BLOB_MISSING.value.issue == "exception"
    assert web.get("/fhir/Patient/p1").status_code == 200


@in_a_file
def test_content_that_changes_on_its_way_is_not_given_whole(clinic: Clinic, photograph: str) -> None:
    """The last piece is held back until all of it has the right hash."""
    assert binary.size(clinic.file.blobs, photograph) == len(JPEG)
    clinic.file.blobs.path(photograph).write_bytes(b"X" + JPEG[1:])
    given = bytearray()
    pieces = binary.pieces(clinic.file.blobs, photograph)
    with pytest.raises(BlobMissing):
        given.extend(byte for piece in pieces for byte in piece)
    assert len(given) < len(JPEG)


def test_the_access_is_kept_before_the_first_byte(clinic: Clinic, photograph: str) -> None:
    """When the answer begins, its row is in the audit trail already."""
    rows: list[int] = []
    asyncio.run(_fetch(clinic, b"image/jpeg", lambda _: rows.append(len(clinic.audit()))))
    assert rows[0] == 1
    assert clinic.audit()[0][1:] == ("read", "Binary", "p1", 1)


@in_a_file
@pytest.mark.parametrize("accept", [b"image/jpeg", b"application/fhir+json"])
def test_a_large_binary_needs_no_memory(clinic: Clinic, accept: bytes) -> None:
    """20 MB leave in pieces: at no time are more than 4 MB of them in memory."""
    sha256 = shelve(clinic, bytes(range(250)) * 80_000)
    clinic.append(feed.Version(stored(sha256), "p1", "d1", "nord"))
    sizes: list[int] = []
    asyncio.run(_fetch(clinic, accept, lambda _: None))
    tracemalloc.start()
    try:
        asyncio.run(_fetch(clinic, accept, lambda message: sizes.append(len(message.get("body", b"")))))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(sizes) >= 20_000_000
    assert peak < 4_000_000


async def _fetch(clinic: Clinic, accept: bytes, seen: Callable[[Message], object]) -> None:
    """Read b1 through the application, message by message."""
    token = clinic.client()
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": "/fhir/Binary/b1", "raw_path": b"/fhir/Binary/b1", "query_string": b"",
        "root_path": "", "headers": [(b"accept", accept), (b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        seen(message)

    await clinic.app(scope, receive, send)
