"""``/api/v1/quarantine``: what waits, judging it again, dismissing it."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.ledger.files import OpenLedger
from tests.support.asides import UNKNOWN, counted, in_short, keep, message, rows
from tests.support.ledgers import register
from tests.support.web import Web

LIST = "/api/v1/quarantine"


@pytest.fixture
def soft(web: Web) -> Web:
    """A client with the scope; four messages of a device that nobody knows, one of them bad in itself."""
    web.sign_in("operations")
    keep(web.file, *(message(seq, facts=UNKNOWN) for seq in range(3)), message(3, facts=UNKNOWN, systolic=9000))
    return web


def lines(found: dict[str, Any]) -> list[tuple[int, str, str | None]]:
    """Id, outcome and reason."""
    return [(line["id"], line["outcome"], line["reason"]) for line in found["items"]]


def test_a_dry_run_and_the_run_itself_are_a_list_of_before_and_after(soft: Web) -> None:
    """One message by its id; the same line, and the second time it is done."""
    register(soft.file, "bp-0001")
    assert soft.ask("POST", f"{LIST}/1/replay", params={"dryrun": "true"}).status_code == 422
    told = soft.ask("POST", f"{LIST}/1/replay", params={"dry_run": "true"}).json()
    assert told == {
        "id": 1, "device": "bp-0001", "received_at": "2026-11-18T11:06:40.000Z", "before": "device.unknown",
        "outcome": "stored", "reason": None, "pointer": None, "changed": True, "why": None,
    }  # fmt: skip
    assert in_short(counted(soft.file)) == {"quarantined": 4}
    assert soft.post(f"{LIST}/1/replay").json() == told
    assert in_short(counted(soft.file)) == {"stored": 1, "quarantined": 3}
    refused = soft.post(f"{LIST}/1/replay")
    assert (refused.status_code, refused.json()["code"]) == (409, "quarantine.settled")
    assert soft.post(f"{LIST}/99/replay").status_code == 404
    history = soft.get(f"{LIST}/1").json()["history"]
    assert [(made["who"], made["before"], made["outcome"]) for made in history] == [
        ("soft", "device.unknown", "stored")
    ]


def test_in_bulk_a_cursor_goes_on_where_the_page_ended(soft: Web) -> None:
    """Counts of the page, and no cursor on the last."""
    register(soft.file, "bp-0001")
    wanted = {"device": "bp-0001", "limit": 3}
    first = soft.post(f"{LIST}/replay", {**wanted, "dry_run": True}).json()
    assert (first["count"], first["changed"], first["dry_run"]) == (3, 3, True)
    page = soft.post(f"{LIST}/replay", wanted).json()
    assert lines(page) == [(1, "stored", None), (2, "stored", None), (3, "stored", None)]
    rest = soft.post(f"{LIST}/replay", {**wanted, "cursor": page["cursor"]}).json()
    assert (lines(rest), rest["cursor"]) == ([(4, "quarantined", "value.impossible")], None)
    assert soft.post(f"{LIST}/replay", {**wanted, "cursor": "x"}).json()["code"] == "cursor"


def test_a_list_has_filters_and_pages(soft: Web) -> None:
    """Newest first; by reason, device, time and state."""
    page = soft.get(LIST, limit=3).json()
    assert [item["id"] for item in page["items"]] == [4, 3, 2]
    rest = soft.get(LIST, limit=3, cursor=page["cursor"]).json()
    assert ([item["id"] for item in rest["items"]], rest["cursor"]) == ([1], None)
    assert soft.get(LIST, reason="time.future").json()["items"] == []
    assert len(soft.get(LIST, reason="device.unknown", device="bp-0001").json()["items"]) == 4
    assert soft.get(LIST, since="2026-11-18T11:06:41Z").json()["items"] == []
    assert len(soft.get(LIST, until="2026-11-18T15:06:41+04:00").json()["items"]) == 4
    assert soft.get(LIST, since="yesterday").json()["code"] == "time.format"
    soft.post(f"{LIST}/2/dismiss", {"why": "a rehearsal"})
    assert [item["id"] for item in soft.get(LIST, state="dismissed").json()["items"]] == [2]
    assert soft.get(LIST, state="gone").status_code == 422


def test_dismissing_is_noted_with_who_and_why(soft: Web) -> None:
    """One, or all that a filter finds; never everything by an empty request."""
    one = soft.post(f"{LIST}/4/dismiss", {"why": "nobody's cuff"}).json()
    assert (one["outcome"], one["reason"]) == ("dismissed", "nobody's cuff")
    found = soft.post(f"{LIST}/dismiss", {"reason": "device.unknown", "since": "2026-01-01T00:00:00Z"}).json()
    assert (found["count"], found["changed"]) == (3, 3)
    assert in_short(counted(soft.file)) == {"dismissed": 4}
    for verb in ("replay", "dismiss"):
        assert soft.post(f"{LIST}/{verb}", {}).json()["code"] == "quarantine.filter"
    assert soft.post(f"{LIST}/1/dismiss", {"why": "two\nlines"}).json()["code"] == "quarantine.words"
    assert rows(soft.file, "SELECT DISTINCT who FROM replay") == [("soft",)]


def test_nobody_decides_without_the_scope(web: Web, file: OpenLedger) -> None:
    """Nor without a token."""
    keep(file, message(facts=UNKNOWN))
    asked: tuple[tuple[str, dict[str, str] | None], ...] = (
        (f"{LIST}/1/replay", None),
        (f"{LIST}/replay", {"since": "2026-01-01T00:00:00Z"}),
        (f"{LIST}/1/dismiss", {}),
    )
    for path, body in asked:
        assert web.post(path, body).status_code == 401
    web.sign_in("system/*.rs")
    for path, body in asked:
        assert web.post(path, body).status_code == 403
    assert rows(file, "SELECT count(*) FROM replay") == [(0,)]


def test_values_are_masked_unless_they_are_asked_for_and_that_is_noted(soft: Web) -> None:
    """Masked, nothing is noted; with values, who saw them."""
    assert "128" not in soft.get(f"{LIST}/1").json()["text"]
    assert rows(soft.file, "SELECT count(*) FROM audit") == [(0,)]
    assert "128" in soft.get(f"{LIST}/1", values="true").json()["text"]
    assert rows(soft.file, "SELECT who, type FROM audit") == [("soft", "Observation")]
