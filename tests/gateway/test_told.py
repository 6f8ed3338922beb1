"""Hello and state: facts, or a rejection that is answered by the message's hash alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import commands, told
from ingest.ledger.port import Known, State, Told, Welcomed
from ingest.model import Channel, ClockFacts, DeviceStatus, Judged, Outcome, RawMessage
from ingest.reasons import Reason
from tests.support.ledgers import FACTS, NOW, STREAM

SECOND = 1_000_000
HELLO = {
    "v": 1,
    "conn": "a1b2c3d4",
    "stream": STREAM,
    "oldest": 1200,
    "next": 1236,
    "contract": "1.0",
    "manufacturer": "Acme",
    "model": "BP-7",
    "serial": "A1234",
    "firmware": "2.4.1",
    "eui64": "FE-ED-AB-EE-DE-AD-77-C3",
    "kinds": ["blood_pressure"],
    "clock": {"epoch": 7, "now": "2026-11-21T08:29:58+04:00", "synced": True},
}
"""The contract's example."""


def message(channel: Channel, body: object, *, retained: bool = False) -> RawMessage:
    """A message as it came; bytes as they are."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return RawMessage("bp-0001", channel, payload, NOW, retained=retained)


def hello(body: object = HELLO, *, retained: bool = False) -> Told | Judged:
    """What is made of a hello."""
    return told.hello(message(Channel.HELLO, body, retained=retained), FACTS)


def state(body: object, received_at: int = NOW) -> State | Judged:
    """What is made of a state message."""
    return told.state(replace(message(Channel.STATE, body), received_at=received_at), FACTS)


def test_the_contracts_hello_is_read_in_full() -> None:
    """Every member of a hello becomes a fact."""
    assert hello() == Told(
        "bp-0001", NOW, "a1b2c3d4", STREAM, 1236, 1200, None, "1.0", "Acme", "BP-7", "A1234", "2.4.1",
        "FE-ED-AB-EE-DE-AD-77-C3", ("blood_pressure",), epoch=7, synced=True,
    )  # fmt: skip


def test_four_members_make_a_hello() -> None:
    """``v``, ``conn``, ``stream`` and ``next`` are required; each of them."""
    least = {name: HELLO[name] for name in ("v", "conn", "stream", "next")}
    assert hello(least) == Told("bp-0001", NOW, "a1b2c3d4", STREAM, 1236)
    for name in least:
        rejected = hello({other: value for other, value in least.items() if other != name})
        assert isinstance(rejected, Judged)
        assert (rejected.verdict.reason, rejected.verdict.pointer) == (Reason.SCHEMA_MISSING, f"/{name}")


def test_a_hello_says_which_receipts_it_wants_and_how_long() -> None:
    """``receipts`` and ``max_down_bytes`` are facts."""
    asked = hello(HELLO | {"receipts": "record", "max_down_bytes": 512})
    assert isinstance(asked, Told)
    assert (asked.wants_record, asked.max_down_bytes) == (True, 512)


def test_a_device_that_does_not_count_announces_no_gap() -> None:
    """With ``counts`` false, ``next`` says nothing of readings that should have come."""
    item = hello(HELLO | {"counts": False})
    assert isinstance(item, Told)
    assert item.next == 0


@pytest.mark.parametrize(
    ("body", "reason", "pointer"),
    [
        (b"{", Reason.JSON_MALFORMED, None),
        (b"", Reason.JSON_MALFORMED, None),
        (b"[]", Reason.SCHEMA_TYPE, ""),
        (HELLO | {"v": 2}, Reason.SCHEMA_VERSION, "/v"),
        (HELLO | {"v": True}, Reason.SCHEMA_VERSION, "/v"),
        (HELLO | {"conn": "A1B2C3D4"}, Reason.SCHEMA_TYPE, "/conn"),
        (HELLO | {"next": -1}, Reason.SCHEMA_TYPE, "/next"),
        (HELLO | {"next": 2**53}, Reason.NUMBER_OUT_OF_RANGE, "/next"),
        (json.dumps(HELLO | {"more": [float("nan")]}).encode(), Reason.NUMBER_NOT_FINITE, "/more/0"),
    ],
)
def test_a_hello_that_cannot_be_read_is_judged_without_a_key(body: object, reason: Reason, pointer: str | None) -> None:
    """It is set aside with the reason and the place, and no key, so that its hash alone is answered."""
    item = hello(body)
    assert isinstance(item, Judged)
    assert (item.verdict.outcome, item.verdict.reason, item.verdict.pointer) == (Outcome.QUARANTINED, reason, pointer)
    assert item.key is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": DeviceStatus.UNKNOWN}, Reason.DEVICE_UNKNOWN),
        ({"status": DeviceStatus.REVOKED}, Reason.DEVICE_REVOKED),
        ({"served": False}, Reason.DEVICE_NOT_SERVED),
    ],
)
def test_nobody_tells_facts_of_a_device_that_is_not_theirs(change: dict[str, Any], reason: Reason) -> None:
    """Hello and state of an unknown, revoked or unserved device are set aside."""
    facts = replace(FACTS, **change)
    for item in (
        told.hello(message(Channel.HELLO, HELLO), facts),
        told.state(message(Channel.STATE, {"v": 1, "state": "offline"}), facts),
    ):
        assert isinstance(item, Judged)
        assert item.verdict.reason is reason


def test_a_retained_hello_or_will_is_no_fact() -> None:
    """An old one could look new (C-CON-5)."""
    for item in (
        hello(retained=True),
        told.state(message(Channel.STATE, {"v": 1, "state": "offline"}, retained=True), FACTS),
    ):
        assert isinstance(item, Judged)
        assert item.verdict.reason is Reason.MQTT_RETAINED


def test_a_will_is_a_fact_of_one_connection() -> None:
    """``offline`` comes with the ``conn`` that it speaks of."""
    assert state({"v": 1, "conn": "a1b2c3d4", "state": "offline"}) == State("bp-0001", NOW, "a1b2c3d4", offline=True)


def test_lost_readings_are_facts() -> None:
    """Both ends of each range are included."""
    body = {"v": 1, "conn": "a1b2c3d4", "stream": STREAM, "lost": [[40, 52], [60, 60]]}
    assert state(body) == State("bp-0001", NOW, "a1b2c3d4", stream=STREAM, lost=((40, 52), (60, 60)))


def echo(now: str, gateway_time: str, epoch: int = 7) -> dict[str, Any]:
    """An echo as a device sends it on a welcome."""
    return {"v": 1, "conn": "a1b2c3d4", "clock": {"epoch": epoch, "now": now, "echo": gateway_time}}


def test_the_echo_of_a_welcome_measures_the_clock() -> None:
    """A device an hour behind, two seconds under way: the offset is an hour, give or take a second."""
    welcome = json.loads(commands.welcome(Told("bp-0001", NOW, "a1b2c3d4", STREAM, 0), Welcomed(None), "-", NOW))
    item = state(echo("2026-11-18T10:06:41Z", welcome["gateway_time"]), NOW + 2 * SECOND)
    assert isinstance(item, State)
    assert (item.epoch, item.offset, item.uncertainty) == (7, 3600 * SECOND, SECOND)


def test_a_gateway_that_does_not_know_the_time_measures_no_clock() -> None:
    """Its own error would be taken for the device's, and correct readings for as long as that epoch lasts."""
    sent = message(Channel.STATE, echo("2026-11-18T10:06:41Z", "2026-11-18T11:06:40Z"))
    item = told.state(replace(sent, received_at=NOW + 2 * SECOND), replace(FACTS, disciplined=False))
    assert isinstance(item, State)
    assert (item.epoch, item.offset, item.uncertainty) == (None, None, None)


@pytest.mark.parametrize("late_s", [-1, 11])
def test_an_echo_that_took_too_long_measures_nothing(late_s: int) -> None:
    """A round trip over 10 s, or below nothing, leaves the clock as it was."""
    item = state(echo("2026-11-18T11:06:40Z", "2026-11-18T11:06:40Z"), NOW + late_s * SECOND)
    assert isinstance(item, State)
    assert (item.epoch, item.offset, item.uncertainty) == (None, None, None)


@pytest.mark.parametrize("name", ["now", "echo"])
def test_an_echo_without_a_time_says_where(name: str) -> None:
    """The pointer names the member of the state message that is wrong."""
    body = echo("2026-11-18T11:06:40Z", "2026-11-18T11:06:40Z")
    body["clock"][name] = "noon"
    item = state(body)
    assert isinstance(item, Judged)
    assert (item.verdict.reason, item.verdict.pointer) == (Reason.TIME_FORMAT, f"/clock/{name}")


def test_what_was_said_is_known_from_then_on() -> None:
    """Hello and echo each change their own part of what is known, and leave the rest."""
    first = told.after(Known(DeviceStatus.ACTIVE), Told("bp-0001", NOW, "a1b2c3d4", STREAM, 0, epoch=7, synced=False))
    assert first.clocks == {7: ClockFacts(synced=False)}
    second = told.after(first, State("bp-0001", NOW, epoch=7, offset=-5, uncertainty=2))
    assert second.clocks == {7: ClockFacts(synced=False, offset=-5, uncertainty=2)}
    third = told.after(second, Told("bp-0001", NOW, "a1b2c3d4", STREAM, 0, wants_record=True, max_down_bytes=300))
    assert third == Known(DeviceStatus.ACTIVE, second.clocks, wants_record=True, max_down_bytes=300)
    assert first.clocks == {7: ClockFacts(synced=False)}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([STREAM, "a1b2c3d4"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["epoch", "now", "echo", "synced"]) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)
NAMES = st.sampled_from([*HELLO, "state", "lost", "receipts", "max_down_bytes", "counts"])


@given(st.binary() | st.dictionaries(NAMES, JSON).map(lambda more: json.dumps(HELLO | more).encode()))
def test_any_bytes_are_facts_or_one_rejection(payload: bytes) -> None:
    """Neither hello nor state raises, whatever is sent."""
    assert isinstance(hello(payload), Told | Judged)
    assert isinstance(state(payload), State | Judged)
