"""Accounts, their hashes, and the files of a broker: nothing here starts one."""

import base64
import hashlib
import json
from pathlib import Path

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.broker.accounts import BCRYPT, PBKDF2, BrokerUser, checked, hash_for, hash_of_kind, new_secret
from gateway.broker.credentials import gateway_credentials, steward_account
from gateway.broker.mosquitto import MosquittoGate, passwords, rights
from gateway.broker.nats_config import WINDOW, Doors, Endpoints, Limits, mqtt_address, render, with_doors

HASH = hash_for("a secret")
DEVICE = BrokerUser("dev-one", HASH, "device")
GATEWAY = BrokerUser("gateway-0a1b2c3d", HASH, "gateway")
DOORS = Doors([GATEWAY, DEVICE], HASH, HASH)


def test_a_hash_is_made_for_each_kind_of_broker() -> None:
    """One line holds a bcrypt hash and a PBKDF2 hash of the same secret."""
    secret = new_secret()
    user = BrokerUser("dev-one", hash_for(secret), "device")
    assert bcrypt.checkpw(secret.encode(), hash_of_kind(user, BCRYPT).encode())
    _, kind, rounds, salt, digest = hash_of_kind(user, PBKDF2).split("$")
    derived = hashlib.pbkdf2_hmac("sha512", secret.encode(), base64.b64decode(salt), int(rounds))
    assert (kind, base64.b64decode(digest)) == ("7", derived)


def test_an_account_without_the_brokers_kind_of_hash_is_named() -> None:
    """A hash that a broker cannot read is refused before any file is written."""
    with pytest.raises(ValueError, match="the account dev-one has no secret in the form"):
        hash_of_kind(BrokerUser("dev-one", "$7$101$c2FsdA==$aGFzaA==", "device"), BCRYPT)


@given(st.text(max_size=8) | st.from_regex(r"[a-z0-9.>*+#/_ -]{1,8}"))
def test_an_accepted_device_name_has_no_sign_that_a_broker_interprets(name: str) -> None:
    """Whatever the text: it is refused, or made of letters, digits, hyphen and underscore only."""
    try:
        checked([BrokerUser(name, HASH, "device")])
    except ValueError:
        return
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    assert name[0] not in "_-"


def test_a_name_twice_is_refused() -> None:
    """Two accounts of one name would be one account with an unknown secret."""
    with pytest.raises(ValueError, match="one name"):
        checked([DEVICE, DEVICE])


def test_the_configuration_gives_a_device_its_own_subjects_only() -> None:
    """A device publishes below its name, hears its name, and may use MQTT only."""
    users = json.loads(render(Endpoints(Path("/x"), 1883), Limits(), DOORS))["authorization"]["users"]
    device = next(user for user in users if user["user"] == "dev-one")
    assert device["permissions"] == {
        "publish": ["constantes.v1.up.dev-one.>"],
        "subscribe": ["constantes.v1.down.dev-one"],
    }
    assert device["allowed_connection_types"] == ["MQTT"]


def test_the_configuration_listens_on_loopback_only() -> None:
    """No address but the loopback interface appears, and the window holds a commit batch."""
    document = json.loads(render(Endpoints(Path("/x"), 1883), Limits(), DOORS))
    assert document["listen"].startswith("127.0.0.1:")
    assert document["mqtt"]["listen"] == "127.0.0.1:1883"
    assert document["mqtt"]["max_ack_pending"] == WINDOW >= 1000


def test_other_doors_change_the_accounts_and_nothing_else() -> None:
    """A reload has only the accounts to compare."""
    before = render(Endpoints(Path("/x"), 1883), Limits(), DOORS)
    after = with_doors(before, Doors([GATEWAY], HASH, HASH))
    assert after == render(Endpoints(Path("/x"), 1883), Limits(), Doors([GATEWAY], HASH, HASH))
    assert mqtt_address(after) == ("127.0.0.1", 1883)


def test_publishers_cannot_fill_the_part_kept_for_sessions() -> None:
    """What messages and retained messages may take leaves room in the store."""
    limits = Limits(store=16 * 1024**2)
    assert limits.messages + limits.retained < limits.store


def test_the_files_of_mosquitto_hold_hashes_and_two_patterns() -> None:
    """Devices share two patterns; each gateway has its own lines."""
    assert passwords([DEVICE]) == f"dev-one:{hash_of_kind(DEVICE, PBKDF2)}\n"
    assert rights([DEVICE, GATEWAY]).splitlines() == [
        "pattern write constantes/v1/up/%u/#",
        "pattern read constantes/v1/down/%u",
        "",
        "user gateway-0a1b2c3d",
        "topic read constantes/v1/up/#",
        "topic write constantes/v1/down/#",
    ]


def test_the_gateways_account_is_made_once_and_private(tmp_path: Path) -> None:
    """The same name, secret and client id come back, from files that only this user reads."""
    folder = tmp_path / "broker"
    first = gateway_credentials(folder)
    assert gateway_credentials(folder) == first
    assert steward_account(folder).secret != first.secret
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_gateways_secrets_are_not_in_its_repr(tmp_path: Path) -> None:
    """A log line or an error that shows the credentials shows the name only."""
    own = gateway_credentials(tmp_path)
    assert own.secret not in repr(own)
    assert own.client_id not in repr(own)
    assert "." not in own.client_id


def test_the_files_of_mosquitto_are_private_and_leave_no_drafts(tmp_path: Path) -> None:
    """Only whole files of mode 0600 lie in the folder."""
    MosquittoGate(tmp_path, []).admit([DEVICE])
    found = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert found == dict.fromkeys(("accounts.lock", "acl", "gateway.json", "passwords"), 0o600)
