"""Commands as the contract's section 9 has them."""

from __future__ import annotations

import json

from gateway import commands
from ingest.clock import parse
from ingest.ledger.port import Missing, Told, Welcomed
from tests.support.ledgers import NOW, STREAM

HELLO = Told("bp-0001", NOW, "a1b2c3d4", STREAM, 5)
GAP = Missing(1, "bp-0001", None, STREAM, 10, 20, NOW, oldest=12)


def test_a_welcome_answers_the_hello_of_one_connection() -> None:
    """It repeats ``conn``, tells time and ledger, and up to where the stream is settled."""
    assert json.loads(commands.welcome(HELLO, Welcomed(4), "3fa9c1d2", NOW)) == {
        "v": 1,
        "command": "welcome",
        "conn": "a1b2c3d4",
        "gateway_time": "2026-11-18T11:06:40.000Z",
        "ledger": "3fa9c1d2",
        "settled": {STREAM: 4},
    }


def test_settled_is_absent_when_nothing_is() -> None:
    """A device that finds no ``settled`` takes nothing for settled; seq 0 alone is something."""
    assert "settled" not in json.loads(commands.welcome(HELLO, Welcomed(None), "3fa9c1d2", NOW))
    assert json.loads(commands.welcome(HELLO, Welcomed(0), "3fa9c1d2", NOW))["settled"] == {STREAM: 0}


def test_the_time_of_a_welcome_can_be_echoed() -> None:
    """What goes out can be read back, and is never ahead of the clock it was read from."""
    told = json.loads(commands.welcome(HELLO, Welcomed(None), "3fa9c1d2", NOW + 123_999))["gateway_time"]
    assert parse(told) == NOW + 123_000


def test_a_resend_is_never_below_what_the_device_holds() -> None:
    """``from`` is cut at ``oldest``; both ends are included."""
    asked = json.loads(commands.resend(GAP))
    assert asked == {"v": 1, "command": "resend", "stream": STREAM, "from": 12, "to": 20}


def test_a_hub_is_told_which_device_is_meant() -> None:
    """Every command to a hub names the device it serves."""
    hello = Told("bp-0001", NOW, "a1b2c3d4", STREAM, 5, hub="hub-1")
    gap = Missing(1, "bp-0001", "hub-1", STREAM, 10, 20, NOW, oldest=0)
    for payload in (
        commands.welcome(hello, Welcomed(4), "3fa9c1d2", NOW),
        commands.resend(gap),
        commands.slow_down("bp-0001", "hub-1", 30),
    ):
        assert json.loads(payload)["device"] == "bp-0001"


def test_a_device_that_floods_is_asked_to_wait() -> None:
    """``slow_down`` says for how many seconds."""
    asked = json.loads(commands.slow_down("bp-0001", None, 30))
    assert asked == {"v": 1, "command": "slow_down", "retry_after_s": 30}
