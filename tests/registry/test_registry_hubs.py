"""Hubs: which speaks for which device, from when to when, and what its absence means for them."""

from __future__ import annotations

import pytest

from ingest.ledger.files import OpenLedger
from ingest.ledger.port import State, Told
from ingest.ledger.relational import RelationalLedger
from registry import hubs, presence
from registry.devices import NewDevice
from registry.faults import Conflict, Unfit, Unknown
from registry.hubs import Service
from registry.operations import Registrar
from registry.presence import Heard, Presence
from tests.support.ledgers import NOW, STREAM


@pytest.fixture
def verbs(registrar: Registrar) -> Registrar:
    """Two hubs and two meters are registered."""
    for device in ("hub-1", "hub-2", "bp-0001", "bp-0002"):
        registrar.add_device(NewDevice(device))
    return registrar


def may_speak(file: OpenLedger, at: int, device: str = "bp-0001") -> set[str]:
    """The hubs whose messages for the device are taken."""
    known = RelationalLedger(file).known([device], at)[device]
    return set(known.hubs)


def test_a_hub_serves_from_now_on_unless_said(verbs: Registrar, file: OpenLedger) -> None:
    """The gateway takes its messages for that device and for no other."""
    assert may_speak(file, NOW) == set()
    made = verbs.serve("hub-1", "bp-0001")
    assert made == Service("hub-1", "bp-0001", NOW, None)
    assert may_speak(file, NOW) == {"hub-1"}
    assert may_speak(file, NOW - 1) == set()
    assert may_speak(file, NOW, "bp-0002") == set()


def test_two_hubs_may_serve_one_device_and_one_hub_two(verbs: Registrar, file: OpenLedger) -> None:
    """Both hearing one measurement make one reading."""
    first, second = verbs.serve("hub-1", "bp-0001", 10), verbs.serve("hub-2", "bp-0001", 10)
    third = verbs.serve("hub-1", "bp-0002", 10)
    assert may_speak(file, NOW) == {"hub-1", "hub-2"}
    with file.readers.connect() as connection:
        assert hubs.of_device(connection, "bp-0001") == [first, second]
        assert hubs.of_hub(connection, "hub-1") == [first, third]
        assert hubs.listed(connection) == [first, third, second]


@pytest.mark.parametrize(("start", "end"), [(0, None), (50, 150), (150, 250), (120, 130), (100, 200), (199, 200)])
def test_a_pair_has_one_service_at_a_time(verbs: Registrar, start: int, end: int | None) -> None:
    """An overlap is a conflict that says how to end the other; one that follows at once is none."""
    verbs.serve("hub-1", "bp-0001", 100, 200)
    with pytest.raises(Conflict, match="hub end hub-1 bp-0001") as refused:
        verbs.serve("hub-1", "bp-0001", start, end)
    assert refused.value.code == "hub.overlap"
    verbs.serve("hub-1", "bp-0001", 200)
    verbs.serve("hub-1", "bp-0001", 0, 100)


@pytest.mark.parametrize(
    ("hub", "device", "end", "code"),
    [
        ("hub-1", "hub-1", None, "hub.itself"),
        ("hub-1", "bp-0001", 100, "hub.interval"),
        ("hub-1", "bp-0001", 99, "hub.interval"),
    ],
)
def test_a_service_that_says_nothing_is_unfit(
    verbs: Registrar, hub: str, device: str, end: int | None, code: str
) -> None:
    """A device for itself, an interval without length."""
    with pytest.raises(Unfit) as refused:
        verbs.serve(hub, device, 100, end)
    assert refused.value.code == code


def test_both_have_to_be_registered_and_active(verbs: Registrar) -> None:
    """An id that is not registered, or was revoked, neither serves nor is served."""
    for hub, device in (("hub-3", "bp-0001"), ("hub-1", "bp-0003")):
        with pytest.raises(Unknown):
            verbs.serve(hub, device)
    verbs.revoke_device("hub-2")
    verbs.revoke_device("bp-0002")
    for hub, device in (("hub-2", "bp-0001"), ("hub-1", "bp-0002")):
        with pytest.raises(Conflict) as refused:
            verbs.serve(hub, device)
        assert refused.value.code == "device.revoked"


def test_a_service_ends_and_may_begin_again(verbs: Registrar, file: OpenLedger) -> None:
    """The end is not part of it."""
    verbs.serve("hub-1", "bp-0001", 100)
    assert verbs.end_service("hub-1", "bp-0001", 150) == Service("hub-1", "bp-0001", 100, 150)
    assert (may_speak(file, 149), may_speak(file, 150)) == ({"hub-1"}, set())
    again = verbs.serve("hub-1", "bp-0001", 150, NOW + 5)
    assert verbs.end_service("hub-1", "bp-0001") == Service("hub-1", "bp-0001", again.start, NOW)
    with file.readers.connect() as connection:
        assert hubs.of_hub(connection, "hub-1") == [
            Service("hub-1", "bp-0001", 150, NOW),
            Service("hub-1", "bp-0001", 100, 150),
        ]


@pytest.mark.parametrize("at", [100, 99, 200, 201])
def test_an_end_outside_is_unfit(verbs: Registrar, at: int) -> None:
    """With what to do; the service stays as it was."""
    verbs.serve("hub-1", "bp-0001", 100, 200)
    with pytest.raises(Unfit, match="--at"):
        verbs.end_service("hub-1", "bp-0001", at)
    with verbs.file.readers.connect() as connection:
        assert hubs.listed(connection) == [Service("hub-1", "bp-0001", 100, 200)]


def test_a_service_that_never_was_is_unknown(verbs: Registrar) -> None:
    """The other way round too."""
    verbs.serve("hub-1", "bp-0001")
    for hub, device in (("hub-2", "bp-0001"), ("bp-0001", "hub-1")):
        with pytest.raises(Unknown):
            verbs.end_service(hub, device)


def hello(file: OpenLedger, device: str, hub: str | None = None, conn: str = "a1b2c3d4") -> None:
    """A hello comes, perhaps through a hub."""
    RelationalLedger(file).commit([Told(device, NOW, conn, STREAM, 1, hub=hub)], NOW).result()


def off(file: OpenLedger, device: str, conn: str = "a1b2c3d4") -> None:
    """A will, or a farewell."""
    RelationalLedger(file).commit([State(device, NOW, conn, offline=True)], NOW).result()


def heard(file: OpenLedger, *devices: str) -> dict[str, Heard]:
    """What is known of them now."""
    with file.readers.connect() as connection:
        return presence.heard(connection, devices)


def test_a_hub_that_is_gone_makes_its_devices_unreachable(verbs: Registrar, file: OpenLedger) -> None:
    """Not offline; those of another hub, and those that came themselves, stay as they are."""
    hello(file, "hub-1")
    hello(file, "bp-0001", "hub-1")
    hello(file, "bp-0002")
    assert heard(file, "bp-0001") == {"bp-0001": Heard(Presence.ONLINE, NOW, "hub-1")}
    off(file, "hub-1")
    assert heard(file, "hub-1", "bp-0001", "bp-0002", "hub-2") == {
        "hub-1": Heard(Presence.OFFLINE, NOW),
        "bp-0001": Heard(Presence.UNREACHABLE, NOW, "hub-1"),
        "bp-0002": Heard(Presence.ONLINE, NOW),
    }
    hello(file, "hub-1", conn="ffffffff")
    assert heard(file, "bp-0001")["bp-0001"].presence is Presence.ONLINE


def test_a_device_that_is_off_stays_off_behind_a_hub(verbs: Registrar, file: OpenLedger) -> None:
    """What it said last is more than that its hub is gone."""
    hello(file, "hub-1")
    hello(file, "bp-0001", "hub-1")
    off(file, "bp-0001")
    off(file, "hub-1")
    assert heard(file, "bp-0001")["bp-0001"].presence is Presence.OFFLINE


def test_a_hub_that_never_said_hello_tells_nothing_of_its_devices(verbs: Registrar, file: OpenLedger) -> None:
    """Their own word counts."""
    hello(file, "bp-0001", "hub-2")
    assert heard(file, "bp-0001")["bp-0001"].presence is Presence.ONLINE
