"""Devices: who is registered, who may connect, what their hello says."""

from __future__ import annotations

import pytest

from ingest.ledger.files import OpenLedger
from ingest.ledger.port import Told
from ingest.ledger.relational import RelationalLedger
from ingest.model import DeviceStatus
from registry import devices, presence
from registry.devices import NewDevice
from registry.faults import Conflict, Unfit, Unknown
from registry.model import Device, Identity
from registry.operations import Registrar
from registry.presence import Heard, Presence
from tests.support.doors import Door
from tests.support.engines import in_a_file
from tests.support.ledgers import NOW, STREAM

EUI64 = "FE-ED-AB-EE-DE-AD-77-C3"


def found(file: OpenLedger, device: str) -> Device:
    """The device as registered now."""
    with file.readers.connect() as connection:
        return devices.show(connection, device)


def says_hello(file: OpenLedger, device: str, eui64: str | None = None) -> None:
    """A hello of the device is kept."""
    told = Told(device, NOW, "a1b2c3d4", STREAM, 1, manufacturer="Acme", model="BP-7", kinds=("ecg",), eui64=eui64)
    RelationalLedger(file).commit([told], NOW).result()


def test_a_registered_device_may_connect(registrar: Registrar, door: Door, file: OpenLedger) -> None:
    """It is let in, gets its secret once, and is due for the record."""
    made = registrar.add_device(NewDevice("bp-0001", "Nord", EUI64, "cuff", simulated=True))
    assert (made.device, made.secret, made.notice) == ("bp-0001", "plain", None)
    assert door.inside == ["bp-0001"]
    assert found(file, "bp-0001") == Device("bp-0001", DeviceStatus.ACTIVE, "Nord", EUI64, "cuff", simulated=True)
    with file.readers.connect() as connection:
        assert connection.exec_driver_sql("SELECT what, ref FROM due").all() == [("device", "bp-0001")]
        assert connection.exec_driver_sql("SELECT secret_hash FROM device").scalar() == "hashed"


def test_a_revoked_device_may_not_connect(registrar: Registrar, door: Door, file: OpenLedger) -> None:
    """It is shut out and stays known; repeating it changes nothing."""
    registrar.add_device(NewDevice("bp-0001"))
    registrar.add_device(NewDevice("bp-0002"))
    assert registrar.revoke_device("bp-0001") is None
    assert registrar.revoke_device("bp-0001") is None
    assert door.inside == ["bp-0002"]
    assert found(file, "bp-0001").status is DeviceStatus.REVOKED
    with pytest.raises(Conflict):
        registrar.rotate_device("bp-0001")


def test_a_registration_outlives_a_broker_that_is_away(registrar: Registrar, door: Door, file: OpenLedger) -> None:
    """The device is registered, the notice says that the broker does not know, and the next change tells it."""
    door.away = True
    assert registrar.add_device(NewDevice("bp-0001")).notice == "The broker is away."
    assert found(file, "bp-0001").status is DeviceStatus.ACTIVE
    door.away = False
    registrar.add_device(NewDevice("bp-0002"))
    assert door.inside == ["bp-0001", "bp-0002"]


def test_a_new_secret_replaces_the_old_one(registrar: Registrar, file: OpenLedger) -> None:
    """Only its hash is kept."""
    registrar.add_device(NewDevice("bp-0001"))
    file.writer.write(lambda connection: devices.rotate(connection, "bp-0001", "other"))
    with file.readers.connect() as connection:
        assert [account.secret_hash for account in devices.accounts(connection)] == ["other"]


@in_a_file
@pytest.mark.parametrize(
    "device", ["", "bp", "BP-0001", "_bp1", "-bp1", "b" * 64, "bp/1", "bp 1", "bp.1", "bé-1", "bp1\n"]
)
def test_an_id_that_breaks_the_contract_is_refused(registrar: Registrar, device: str) -> None:
    """C-CON-2."""
    with pytest.raises(Unfit) as refused:
        registrar.add_device(NewDevice(device))
    assert refused.value.code == "device.id"


@pytest.mark.parametrize("device", ["bp1", "0_-", "b" * 63])
def test_an_id_at_the_edge_of_the_contract_is_taken(registrar: Registrar, device: str) -> None:
    """C-CON-2."""
    assert registrar.add_device(NewDevice(device)).device == device


@in_a_file
@pytest.mark.parametrize(
    ("new", "code"),
    [
        (NewDevice("bp-0001", eui64=EUI64.lower()), "device.eui64"),
        (NewDevice("bp-0001", eui64=EUI64[:-3]), "device.eui64"),
        (NewDevice("bp-0001", method="guess"), "device.method"),
        (NewDevice("bp-0001", site=" Nord"), "device.site"),
        (NewDevice("bp-0001", site="No\x00rd"), "device.site"),
    ],
)
def test_an_unfit_field_is_refused(registrar: Registrar, new: NewDevice, code: str) -> None:
    """The refusal names the field."""
    with pytest.raises(Unfit) as refused:
        registrar.add_device(new)
    assert refused.value.code == code


def test_an_id_or_eui64_is_registered_once(registrar: Registrar) -> None:
    """Also after a revocation: the journal knows the device by its id."""
    registrar.add_device(NewDevice("bp-0001", eui64=EUI64))
    registrar.revoke_device("bp-0001")
    with pytest.raises(Conflict, match="bp-0001"):
        registrar.add_device(NewDevice("bp-0001"))
    with pytest.raises(Conflict, match="bp-0001"):
        registrar.add_device(NewDevice("bp-0002", eui64=EUI64))


def test_identity_is_what_the_latest_hello_says(registrar: Registrar, file: OpenLedger) -> None:
    """Manufacturer, model and kinds; a device never heard of has none."""
    registrar.add_device(NewDevice("bp-0001"))
    assert found(file, "bp-0001").identity == Identity()
    says_hello(file, "bp-0001")
    assert found(file, "bp-0001").identity == Identity("Acme", "BP-7", None, None, ("ecg",))
    with file.readers.connect() as connection:
        assert presence.heard(connection, ["bp-0001"]) == {"bp-0001": Heard(Presence.ONLINE, NOW)}


def test_a_hello_fills_an_empty_eui64_once(registrar: Registrar, file: OpenLedger) -> None:
    """A registered one wins over whatever comes later."""
    registrar.add_device(NewDevice("bp-0001"))
    says_hello(file, "bp-0001", EUI64)
    says_hello(file, "bp-0001", "00-00-00-00-00-00-00-01")
    assert found(file, "bp-0001").eui64 == EUI64


def test_an_unregistered_device_is_unknown(registrar: Registrar, file: OpenLedger) -> None:
    """Whatever is asked of it."""
    for ask in (registrar.revoke_device, registrar.rotate_device):
        with pytest.raises(Unknown):
            ask("bp-0001")
    with file.readers.connect() as connection:
        assert devices.find(connection, ["bp-0001"]) == {}
