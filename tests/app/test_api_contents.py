"""``/api/v1`` about hubs, contents and the quarantine: what is answered, what is noted, what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ingest.ledger.files import OpenLedger
from ingest.ledger.port import State, Told
from ingest.ledger.relational import RelationalLedger
from tests.support.apart import (
    DEVICE,
    LEADS,
    PART,
    Apart,
    accept_photograph,
    accept_tracing,
    inline,
    photograph,
    refuse,
    send,
    tracing,
)
from tests.support.engines import in_a_file
from tests.support.ledgers import NOW, STREAM, reading, register
from tests.support.web import Web


def audit(file: OpenLedger) -> list[tuple[Any, ...]]:
    """Who saw what: who, type, patient, resources."""
    with file.readers.connect() as connection:
        rows = connection.exec_driver_sql("SELECT who, type, patient, resources FROM audit ORDER BY position")
        return [tuple(row) for row in rows]


@pytest.fixture
def soft(web: Web) -> Web:
    """A client with the scope, and the device of ``tests.support.apart``."""
    register(web.file, DEVICE)
    web.sign_in("operations")
    return web


def shown(web: Web, apart: Apart) -> dict[str, Any]:
    """The reading as it is answered."""
    found: dict[str, Any] = web.get(f"/api/v1/readings/{apart.reading}").json()
    return found


def test_a_hub_is_let_speak_listed_and_ended(soft: Web) -> None:
    """For the devices that are named, from when to when."""
    for device in ("hub-1", "hub-2", "bp-0001"):
        soft.post("/api/v1/devices", {"device": device})
    pair = {"hub": "hub-1", "device": "bp-0001"}
    made = soft.post("/api/v1/hubs", {**pair, "start": "2026-01-01T08:00:00+04:00"})
    served = {**pair, "start": "2026-01-01T04:00:00.000Z", "end": None}
    assert (made.status_code, made.json()) == (201, served)
    assert soft.post("/api/v1/hubs", pair).json()["code"] == "hub.overlap"
    soft.post("/api/v1/hubs", {**pair, "hub": "hub-2"})
    for query, expected in (({}, 2), ({"hub": "hub-1"}, 1), ({"device": "bp-0001"}, 2), ({"device": "hub-1"}, 0)):
        assert len(soft.get("/api/v1/hubs", **query).json()["items"]) == expected
    assert soft.get("/api/v1/hubs", hub="hub-1", device="hub-2").json() == {"items": []}
    ended = soft.post("/api/v1/hubs/hub-1/devices/bp-0001/end", {"at": "2026-02-01T00:00:00Z"})
    assert ended.json() == {**served, "end": "2026-02-01T00:00:00.000Z"}
    assert soft.get("/api/v1/hubs", hub="hub-1").json() == {"items": [ended.json()]}
    assert soft.post("/api/v1/hubs/hub-1/devices/hub-2/end", {}).json()["code"] == "hub.not_serving"


def test_a_device_behind_a_hub_is_unreachable_with_it(soft: Web) -> None:
    """And not online; one that was never heard of says so."""
    for device in ("hub-1", "bp-0001"):
        soft.post("/api/v1/devices", {"device": device})
    told = [Told("hub-1", NOW, "a1b2c3d4", STREAM, 1), Told("bp-0001", NOW, "a1b2c3d4", STREAM, 1, hub="hub-1")]
    RelationalLedger(soft.file).commit(told, NOW).result()

    def presence() -> dict[str, tuple[bool, str, str | None]]:
        items = soft.get("/api/v1/devices").json()["items"]
        return {item["device"]: (item["online"], item["presence"], item["via"]) for item in items}

    assert presence() == {
        "hub-1": (True, "online", None),
        "bp-0001": (True, "online", "hub-1"),
        DEVICE: (False, "never heard", None),
    }
    RelationalLedger(soft.file).commit([State("hub-1", NOW, "a1b2c3d4", offline=True)], NOW).result()
    assert presence()["hub-1"] == (False, "offline", None)
    assert presence()["bp-0001"] == (False, "unreachable", "hub-1")
    assert soft.get("/api/v1/devices/bp-0001").json()["presence"] == "unreachable"


def test_a_photograph_is_shown_at_every_stage(soft: Web) -> None:
    """What is missing; that it is stored, and how it is; its way."""
    apart = photograph(soft.file, angle_deg=45)
    send(soft.file, apart, 1)
    found = shown(soft, apart)
    blob = {"sha256": apart.sha256, "bytes": 300_000, "content_type": "image/jpeg", "reason": None, "pointer": None}
    assert found["verdict"] == "pending"
    assert found["blob"] == {**blob, "state": "waiting", "missing": [[PART, 300_000]]}
    image = {"eye": "left", "field": "macula", "angle_deg": "45", "pupil": None}
    assert found["image"] == {**image, "width": None, "height": None, "thumbnail": False}
    assert (found["recording"], found["part"]) == (None, None)
    accept_photograph(soft.file, apart)
    found = shown(soft, apart)
    assert (found["verdict"], found["blob"]) == ("stored", {**blob, "state": "ready", "missing": None})
    assert found["image"] == {**image, "width": 64, "height": 48, "thumbnail": True}
    assert soft.get("/api/v1/readings").json()["items"] == [found]
    stages = soft.get(f"/api/v1/readings/{apart.reading}/trace").json()["stages"]
    assert [(stage["stage"], stage["outcome"]) for stage in stages][3:6] == [
        ("answered", "pending"), ("content", "ready"), ("answered", "stored"),
    ]  # fmt: skip


def test_a_refused_content_is_shown_with_its_reason(soft: Web) -> None:
    """At the reading and in the quarantine."""
    apart = photograph(soft.file)
    refuse(soft.file, apart, "image.laterality_conflict", "/image/eye")
    found = shown(soft, apart)
    assert (found["verdict"], found["blob"]["state"]) == ("quarantined", "refused")
    assert (found["blob"]["reason"], found["blob"]["pointer"]) == ("image.laterality_conflict", "/image/eye")
    (item,) = soft.get("/api/v1/quarantine").json()["items"]
    assert (item["id"], item["reason"]) == (apart.position, "image.laterality_conflict")
    assert soft.get("/api/v1/ledger/balance").json()["quarantined"] == 1


def test_a_stretch_of_a_recording_is_answered_and_noted(soft: Web) -> None:
    """Samples as sent, null where one is missing; ten seconds when no end is given; kept by nobody on the way."""
    apart = tracing(soft.file)
    accept_tracing(soft.file, apart)
    assert shown(soft, apart)["recording"] == {
        "sampling_hz": "500", "unit": "uV", "leads": ["I", "II"], "samples": 5000, "seconds": 10.0, "complete": True,
    }  # fmt: skip
    place = f"/api/v1/readings/{apart.reading}/recording"
    answer = soft.ask("GET", place, params={"lead": "II", "from": "0", "to": "0.006"})
    assert answer.json() == {
        "lead": "II", "unit": "uV", "step": "1.25", "baseline": "0", "sampling_hz": "500", "from": 0.0, "to": 0.006,
        "samples": [0, None, 7],
    }  # fmt: skip
    assert (answer.headers["x-content-type-options"], answer.headers["cache-control"]) == ("nosniff", "no-store")
    assert soft.get(place, lead="I").json()["samples"] == list(LEADS["I"])
    assert audit(soft.file)[1:] == [("soft", "Observation", None, 1)] * 2


@in_a_file
@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"from": "0", "to": "60.001"}, 400, "recording.span"),
        ({"from": "1", "to": "1"}, 400, "recording.span"),
        ({"from": "2", "to": "1"}, 400, "recording.span"),
        ({"from": "-1"}, 422, "request.greater_than_equal"),
        ({"from": "NaN"}, 422, "request.finite_number"),
        ({"from": "1e-99999999"}, 422, "request.decimal_max_places"),
        ({"from": "1e999999"}, 422, "request.less_than_equal"),
        ({"from": "SECRET"}, 422, "request.decimal_parsing"),
        ({"lead": "SECRET"}, 404, "recording.lead"),
    ],
)
def test_a_stretch_that_cannot_be_had_is_refused(soft: Web, query: dict[str, str], status: int, code: str) -> None:
    """Too long, empty, backwards, no number, no such lead: with a code, and never the input."""
    place = f"/api/v1/readings/{inline(soft.file).reading}/recording"
    answer = soft.ask("GET", place, params={"lead": "I", **query})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "SECRET" not in answer.text
    assert soft.ask("GET", place).json()["code"] == "request.missing"


def test_sixty_seconds_are_not_too_many(soft: Web) -> None:
    """The limit is part of what is allowed, wherever it begins."""
    place = f"/api/v1/readings/{inline(soft.file).reading}/recording"
    for start, end in (("0", "60"), ("9", "69"), ("5", "65.000")):
        assert soft.ask("GET", place, params={"lead": "I", "from": start, "to": end}).status_code == 200


def test_a_thumbnail_is_a_jpeg_that_nobody_keeps(soft: Web) -> None:
    """It is noted who saw it; before it is there, that is said."""
    apart = photograph(soft.file)
    place = f"/api/v1/readings/{apart.reading}/thumbnail"
    early = soft.get(place)
    assert (early.status_code, early.json()["code"]) == (409, "thumbnail.not_yet")
    assert audit(soft.file) == []
    accept_photograph(soft.file, apart, b"\xff\xd8small")
    answer = soft.get(place)
    assert (answer.status_code, answer.content) == (200, b"\xff\xd8small")
    assert answer.headers["content-type"] == "image/jpeg"
    assert (answer.headers["x-content-type-options"], answer.headers["cache-control"]) == ("nosniff", "no-store")
    assert audit(soft.file) == [("soft", "Media", None, 1)]


def test_a_file_that_is_gone_is_said_without_its_place(soft: Web) -> None:
    """With what to do; never a path."""
    apart = tracing(soft.file)
    soft.file.blobs.path(accept_tracing(soft.file, apart)).unlink()
    answer = soft.get(f"/api/v1/readings/{apart.reading}/recording", lead="I")
    assert (answer.status_code, answer.json()["code"]) == (500, "blob.missing")
    assert "ledger verify" in answer.json()["detail"]
    assert str(soft.file.path.parent) not in answer.text


def test_a_quarantined_message_is_shown_masked(soft: Web) -> None:
    """Its values only when they are asked for; then it is noted who saw them."""
    body = reading(0, systolic=9431, device=DEVICE)
    RelationalLedger(soft.file).commit([body], NOW).result()
    masked = soft.get("/api/v1/quarantine/1").json()
    assert (masked["reason"], masked["state"], masked["key"]) == ("value.impossible", "waiting", f"{DEVICE}:{STREAM}:0")
    assert (masked["cut"], masked["hub"]) == (False, None)
    assert "9431" not in json.dumps(masked)
    assert '"systolic"' in masked["text"]
    assert audit(soft.file) == []
    whole = soft.get("/api/v1/quarantine/1", values="true").json()
    assert whole["text"] == body.raw.payload.decode()
    assert audit(soft.file) == [("soft", "Observation", None, 1)]
    assert soft.get("/api/v1/quarantine/2").json()["code"] == "quarantine.unknown"
    assert soft.get("/api/v1/quarantine/0").status_code == 422


def test_nothing_of_a_content_is_shown_without_its_audit_row(soft: Web) -> None:
    """When the row cannot be kept, the answer is a 503."""
    picture, strip = photograph(soft.file, 0), inline(soft.file, 1)
    accept_photograph(soft.file, picture)
    RelationalLedger(soft.file).commit([reading(2, systolic=9431, device=DEVICE)], NOW).result()
    soft.file.writer.write(lambda connection: connection.exec_driver_sql("DROP TABLE audit"))
    for path in (
        f"/readings/{picture.reading}/thumbnail",
        f"/readings/{strip.reading}/recording?lead=I",
        "/quarantine/3?values=true",
    ):
        assert soft.ask("GET", f"/api/v1{path}").status_code == 503


def test_contents_need_a_token(web: Web) -> None:
    """As every other route."""
    for path in ("/hubs", "/readings/0/recording?lead=I", "/readings/0/thumbnail", "/quarantine/1"):
        assert web.ask("GET", f"/api/v1{path}").status_code == 401


PAGE = Path(__file__).parents[2] / "docs/reference/hubs-and-contents.md"


def test_the_page_names_routes_and_codes_that_are_there(soft: Web) -> None:
    """Every route of the page is served, and every code of the page is one that some module gives."""
    page = PAGE.read_text("utf-8")
    served = web_paths(soft)
    named = {path.replace("{id}", "{number}") for path in re.findall(r"/api/v1/[a-z{}/]+", page)}
    assert named
    assert named <= served
    given = "".join(path.read_text("utf-8") for path in PAGE.parents[2].glob("registry/*.py"))
    given += "".join(path.read_text("utf-8") for path in PAGE.parents[2].glob("console/api/*.py"))
    for code in re.findall(r"^\|.*?`((?:hub|device|recording|thumbnail|blob)\.[a-z_]+)`", page, re.MULTILINE):
        assert f'"{code}"' in given or f'"{{what}}.{code.partition(".")[2]}"' in given


def web_paths(web: Web) -> set[str]:
    """The routes that are served."""
    return set(web.get("/openapi.json").json()["paths"])
