"""Walking through pages while readings arrive, and going on later."""

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from fhir_export import feed
from fhir_export.model import Resource
from fhir_export.pull.routes import fhir_router
from tests.pull.clinic import KEY, Clinic, TestClient, ids, link, observation, refused, valid
from tests.support.engines import in_a_file


def walked(web: TestClient, address: str | None) -> tuple[list[str], str]:
    """All ids from an address on, and where to go on later."""
    seen: list[str] = []
    while address is not None:
        bundle = valid(web.get(address))
        seen += ids(bundle)
        address, later = link(bundle, "next"), link(bundle, "monitor")
    assert later is not None
    return seen, later


def test_pages_follow_the_feed(clinic: Clinic, web: TestClient) -> None:
    """Every resource is on one page, in the order in which it came."""
    taken = clinic.take(25)
    assert walked(web, "/fhir/Observation?_count=10&patient=p1")[0] == taken
    assert walked(web, "/fhir/Observation?_count=5")[0] == taken
    assert walked(web, "/fhir/Observation?_count=25")[0] == taken


def test_what_arrives_during_a_walk_comes_at_its_end(clinic: Clinic, web: TestClient) -> None:
    """A new reading, one measured long ago and a retraction are met once; the retracted version is not met after it."""
    first = clinic.take(6)
    bundle = web.get("/fhir/Observation?_count=4").json()
    late = clinic.take(1, first="2026-09-01T06:00:00Z")
    body = observation(first[5], "2026-11-21T06:05:00Z").body | {"status": "entered-in-error"}
    clinic.append(feed.Version(Resource.of(body), "p1", "d1", "nord"))
    again = observation(first[0], "2026-11-21T06:00:00Z").body | {"status": "entered-in-error"}
    clinic.append(feed.Version(Resource.of(again), "p1", "d1", "nord"))
    rest, _ = walked(web, link(bundle, "next"))
    assert ids(bundle) == first[:4]
    assert rest == [first[4], *late, first[5], first[0]]


def test_the_last_page_says_where_later_readings_will_be(clinic: Clinic, web: TestClient) -> None:
    """Its link `monitor` gives each later version once, an empty answer keeps the place, and `next` is absent."""
    taken = clinic.take(3)
    seen, later = walked(web, "/fhir/Observation?patient=p1&_count=2")
    assert seen == taken
    nothing, later = walked(web, later)
    clinic.take(2, person="p2")
    still_nothing, later = walked(web, later)
    new = clinic.take(3)
    found, later = walked(web, later)
    assert (nothing, still_nothing, found, walked(web, later)[0]) == ([], [], new, [])


def test_an_empty_search_can_be_followed_from_the_start(clinic: Clinic, web: TestClient) -> None:
    """A search that finds nothing yet still says where its first readings will be."""
    seen, later = walked(web, "/fhir/Observation?patient=p2")
    assert (seen, walked(web, later)[0]) == ([], [])
    taken = clinic.take(2, person="p2")
    assert walked(web, later)[0] == taken


def test_a_cursor_works_in_a_form(clinic: Clinic, web: TestClient) -> None:
    """Whoever searches by form repeats the form with the cursor, and no address holds the criteria."""
    taken = clinic.take(3)
    first = valid(web.post("/fhir/Observation/_search", data={"patient": "p1", "_count": "2"}))
    following = dict(parse_qsl(urlsplit(link(first, "next") or "").query))
    second = valid(web.post("/fhir/Observation/_search", data={"patient": "p1", "_cursor": following["_cursor"]}))
    assert ids(first) + ids(second) == taken


def test_a_client_may_write_the_parameters_in_its_own_order(clinic: Clinic, web: TestClient) -> None:
    """The cursor stands for the criteria, whatever their order, the page's size and what is not understood."""
    taken = clinic.take(3)
    first = web.get("/fhir/Observation?patient=p1&code=8310-5&_count=1").json()
    cursor = dict(parse_qsl(urlsplit(link(first, "next") or "").query))["_cursor"]
    turned = web.get(f"/fhir/Observation?_cursor={cursor}&_count=7&colour=red&code=8310-5&patient=p1")
    assert ids(valid(turned)) == taken[1:]


def test_a_cursor_is_good_for_one_search_of_one_client(clinic: Clinic, web: TestClient) -> None:
    """Another client, type, criterion, ledger or key, and any changed letter, is 400."""
    clinic.take(3)
    asked = {"patient": "p1", "_count": "1"}
    first = valid(web.get(f"/fhir/Observation?{urlencode(asked)}"))
    cursor = dict(parse_qsl(urlsplit(link(first, "next") or "").query))["_cursor"]
    assert web.get(f"/fhir/Observation?{urlencode({**asked, '_cursor': cursor})}").status_code == 200
    for other in ({}, {"patient": "p2"}, {"patient": "p1", "code": "8310-5"}, {"subject": "p1"}):
        refused(web.get(f"/fhir/Observation?{urlencode({**other, '_cursor': cursor})}"), 400, "cursor")
    refused(web.get(f"/fhir/Device?_cursor={cursor}"), 400, "cursor")
    stranger = {"Authorization": f"Bearer {clinic.client()}"}
    own = f"/fhir/Observation?{urlencode({**asked, '_cursor': cursor})}"
    refused(web.get(own, headers=stranger), 400, "cursor")
    for place in range(len(cursor)):
        letter = "A" if cursor[place] != "A" else "B"
        forged = cursor[:place] + letter + cursor[place + 1 :]
        refused(web.get(f"/fhir/Observation?{urlencode({**asked, '_cursor': forged})}"), 400, "cursor")
    for text in ("", "x", cursor + "A", cursor[:-1], cursor + "=", base64.urlsafe_b64encode(bytes(24)).decode()):
        refused(web.get(f"/fhir/Observation?{urlencode({**asked, '_cursor': text})}"), 400, "cursor")


@in_a_file
def test_a_cursor_ends_with_its_key_and_its_ledger(clinic: Clinic, tmp_path: Path) -> None:
    """After a change of the key, or on a ledger of another name, an old cursor is refused; a short key is none."""
    from ingest.ledger.files import open_ledger

    clinic.take(2)
    token = {"Authorization": f"Bearer {clinic.client()}"}
    old = FastAPI()
    old.include_router(fhir_router(clinic.file, KEY))
    with TestClient(old, headers=token) as web:
        address = web.get("/fhir/Observation?_count=1").json()["link"][1]["url"].removeprefix("http://127.0.0.1:8000")
        assert web.get(address).status_code == 200
    new = FastAPI()
    new.include_router(fhir_router(clinic.file, bytes(32)))
    with TestClient(new, headers=token) as web:
        refused(web.get(address), 400, "cursor")
    (tmp_path / "restored").mkdir()
    with open_ledger(tmp_path / "restored" / "ledger.db") as restored:
        copied = FastAPI()
        copied.include_router(fhir_router(restored, KEY))
        same = Clinic(restored, copied).client()
        with TestClient(copied, headers={"Authorization": f"Bearer {same}"}) as web:
            refused(web.get(address), 400, "cursor")
    with pytest.raises(ValueError, match="32 bytes"):
        fhir_router(clinic.file, b"short")


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The application in a real server on a free port; gives its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


def test_a_walk_beside_a_busy_writer_misses_and_repeats_nothing(clinic: Clinic) -> None:
    """Over a real server, with readings and retractions arriving all the time, each version is seen at most once.

    Every resource is seen, and the last thing seen of each is its newest version.
    """
    taken = clinic.take(200)
    token = clinic.client()
    done = threading.Event()
    newest: dict[str, str] = dict.fromkeys(taken, "1")

    def write() -> None:
        for n in range(60):
            for one in clinic.take(5):
                newest[one] = "1"
            old = taken[n * 3]
            body = observation(old, "2026-11-21T06:00:00Z").body | {"status": "entered-in-error"}
            clinic.append(feed.Version(Resource.of(body), "p1", "d1", "nord"))
            newest[old] = "2"
        done.set()

    seen: list[tuple[str, str]] = []
    with served(clinic.app) as server, httpx.Client(headers={"Authorization": f"Bearer {token}"}) as web:
        writer = threading.Thread(target=write)
        writer.start()
        address: str | None = "/fhir/Observation?patient=p1&_count=20"
        deadline = time.monotonic() + 60
        while address is not None and time.monotonic() < deadline:
            over = done.is_set()
            bundle = web.get(server + address).json()
            seen += [(e["resource"]["id"], e["resource"]["meta"]["versionId"]) for e in bundle.get("entry", [])]
            following = link(bundle, "next")
            if following is None and over:
                break
            address = following or link(bundle, "monitor")
        writer.join()
    assert len(seen) == len(set(seen))
    assert dict(seen) == newest
