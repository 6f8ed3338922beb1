"""``constantes quarantine``: what people type and read, and the documents that programs read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from app import wiring
from app.settings import Settings
from tests.support.asides import UNKNOWN, keep, message
from tests.support.engines import in_a_file
from tests.support.ledgers import NOW, body

Run: TypeAlias = Callable[..., tuple[int, str, str]]
LINE = ["id", "device", "received_at", "before", "outcome", "reason", "pointer", "changed", "why"]


@pytest.fixture(autouse=True)
def kept(settings: Settings) -> None:
    """Three messages of an unknown device, one of them bad in itself, and one that was cut."""
    from ingest.judge import judge
    from ingest.model import Channel, RawMessage

    long = RawMessage("bp-0001", Channel.READING, json.dumps(body(9, note="x" * 1_000_000)).encode(), NOW)
    with wiring.ledger(settings) as file:
        keep(file, message(0, facts=UNKNOWN), message(1, facts=UNKNOWN), message(2, facts=UNKNOWN, systolic=9000))
        keep(file, judge(long, UNKNOWN))


def document(done: tuple[int, str, str], code: int = 0) -> dict[str, Any]:
    """The one JSON document on standard output."""
    assert done[0] == code
    found: dict[str, Any] = json.loads(done[1])
    return found


@in_a_file
def test_a_device_that_is_registered_brings_its_messages_back(run: Run) -> None:
    """A dry run tells, the run does, and `show` tells who did."""
    run("device", "add", "bp-0001")
    told = document(run("quarantine", "replay", "1", "2", "--dry-run", "--json"))
    assert [list(line) for line in told["items"]] == [LINE, LINE]
    assert [line["outcome"] for line in told["items"]] == ["stored", "stored"]
    assert document(run("ledger", "balance", "--json"))["stored"] == 0
    code, out, err = run("quarantine", "replay", "1", "2", "3")
    assert (code, err) == (0, "")
    assert "3 of 3 are elsewhere than before." in out
    assert "value.impossible" in out
    assert document(run("ledger", "balance", "--json"))["stored"] == 2
    shown = document(run("quarantine", "show", "3", "--json"))
    assert shown["history"][0]["who"] == "@operator"
    assert "@operator" in run("quarantine", "show", "3")[1]
    assert "stored" in run("trace", shown["key"].replace(":2", ":0"))[1]


@in_a_file
def test_one_that_cannot_be_judged_again_is_said_and_stops_no_other(run: Run) -> None:
    """Exit code 1; the others are done. By a filter too."""
    run("device", "add", "bp-0001")
    code, out, err = run("quarantine", "replay", "4", "1", "99")
    assert code == 1
    assert "1 of 3 are elsewhere" in out
    assert "4: This message was longer than 1,000,000 bytes." in err
    assert "99: No message of this number" in err
    done = document(run("quarantine", "replay", "--since", "2026-01-01T00:00:00Z", "--json"), code=1)
    assert [(line["id"], line["outcome"]) for line in done["items"]] == [
        (2, "stored"),
        (3, "quarantined"),
        (4, "refused"),
    ]


@in_a_file
def test_messages_are_dismissed_by_id_or_by_a_filter(run: Run) -> None:
    """With what the person says; never by nothing, never by both."""
    assert "1 of 1 are dismissed." in run("quarantine", "dismiss", "4", "--why", "a test of the gateway")[1]
    assert "a test of the gateway" in run("quarantine", "show", "4")[1]
    done = document(run("quarantine", "dismiss", "--reason", "device.unknown", "--device", "bp-0001", "--json"))
    assert [line["id"] for line in done["items"]] == [1, 2, 3]
    assert run("quarantine", "list")[1] == "The quarantine is empty.\n"
    listed = document(run("quarantine", "list", "--state", "dismissed", "--json"))
    assert [list(item) for item in listed["items"]] == [
        ["id", "device", "received_at", "reason", "pointer", "bytes"]
    ] * 4
    for verb in ("replay", "dismiss"):
        assert run("quarantine", verb)[0] == 2
        code, _, err = run("quarantine", verb, "1", "--device", "bp-0001")
        assert (code, "not by both" in err) == (2, True)


@in_a_file
def test_a_list_is_narrowed(run: Run) -> None:
    """By reason, device and time; a sentence when there is nothing."""
    assert [
        item["id"] for item in document(run("quarantine", "list", "--reason", "json.too_large", "--json"))["items"]
    ] == [4]
    assert "Nothing of this kind" in run("quarantine", "list", "--device", "bp-0002")[1]
    assert "Nothing of this kind" in run("quarantine", "list", "--until", "2026-01-01T00:00:00Z")[1]
    code, out, err = run("quarantine", "list", "--limit", "2")
    assert (code, "there are more" in err, out.count("device.unknown")) == (0, True, 1)
