"""Every gate does the same: one suite over both brokers."""

import pytest

from gateway.broker.accounts import BrokerUser
from scripts.probes.brokers import Account, Site, until


def test_admitted_users_can_connect_when_the_call_returns(site: Site) -> None:
    """Who is on the list is let in at once; who is not is refused."""
    site.gateway()
    listed, stranger = Account("dev-listed"), Account("dev-stranger")
    site.gate.admit([listed.user])
    assert site.is_let_in(listed)
    assert not site.is_let_in(stranger)
    assert not site.is_let_in(Account("dev-listed"))


def test_the_gateway_is_let_in_without_being_listed(site: Site) -> None:
    """An empty list shuts out devices only."""
    site.gate.admit([])
    site.gateway()


def test_a_revoked_user_is_cut_and_the_others_are_left_alone(site: Site) -> None:
    """The list is the whole truth: who is no longer on it loses the connection, who stays notices nothing."""
    gateway = site.gateway()
    leaves, stays, comes = Account("dev-leaves"), Account("dev-stays"), Account("dev-comes")
    site.gate.admit([leaves.user, stays.user])
    leaving, staying = site.device(leaves), site.device(stays)
    assert leaving.connect(site.address) == 0
    assert staying.connect(site.address) == 0
    site.gate.admit([stays.user, comes.user])
    until(lambda: leaving.cuts == 1, "the revoked connection is cut")
    assert not site.is_let_in(leaves)
    assert site.is_let_in(comes)
    staying.publish(f"constantes/v1/up/{stays.name}/state", b"still here")
    until(lambda: len(gateway.received) == 1, "the gateway hears the one that stays")
    assert (gateway.cuts, staying.cuts) == (0, 0)


def test_repeating_a_list_disturbs_nobody(site: Site) -> None:
    """A second call with the same list keeps every connection."""
    gateway, account = site.gateway(), Account("dev-one")
    site.gate.admit([account.user])
    client = site.device(account)
    client.connect(site.address)
    site.gate.admit([account.user])
    client.publish(f"constantes/v1/up/{account.name}/state", b"same connection")
    until(lambda: len(gateway.received) == 1, "the message arrives")
    assert (gateway.cuts, client.cuts) == (0, 0)


def test_a_new_secret_replaces_the_old_one(site: Site) -> None:
    """A device enrolled again gets in with its new secret only."""
    site.gateway()
    old, new = Account("dev-one"), Account("dev-one")
    site.gate.admit([old.user])
    site.gate.admit([new.user])
    assert site.is_let_in(new)
    assert not site.is_let_in(old)


def test_a_device_publishes_only_below_its_own_name(site: Site) -> None:
    """What a device publishes under another name, or downwards, reaches nobody."""
    gateway, mine, other = site.gateway(), Account("dev-mine"), Account("dev-other")
    site.gate.admit([mine.user, other.user])
    bystander = site.device(other)
    bystander.connect(site.address)
    assert bystander.subscribe(f"constantes/v1/down/{other.name}") == 1
    intruder = site.device(mine)
    intruder.connect(site.address)
    for topic in (f"up/{other.name}/reading", f"down/{other.name}", "up/reading", f"up/{mine.name}-x/reading"):
        intruder.publish(f"constantes/v1/{topic}", b"forged")
    intruder.publish(f"constantes/v1/up/{mine.name}/reading", b"own")
    until(lambda: bool(gateway.received), "the gateway hears the device's own message")
    assert [message.topic for message in gateway.received] == [f"constantes/v1/up/{mine.name}/reading"]
    assert bystander.received == []


@pytest.mark.parametrize("wanted", ["down/dev-other", "down/#", "down/+", "up/#", "up/dev-mine/#"])
def test_a_device_hears_only_what_is_for_it(site: Site, wanted: str) -> None:
    """A subscription to anything but its own topic is refused, or hears nothing."""
    gateway, mine, other = site.gateway(), Account("dev-mine"), Account("dev-other")
    site.gate.admit([mine.user, other.user])
    listener = site.device(mine)
    listener.connect(site.address)
    listener.subscribe(f"constantes/v1/{wanted}")
    assert listener.subscribe(f"constantes/v1/down/{mine.name}") == 1
    listener.publish(f"constantes/v1/up/{mine.name}/state", b"mine")
    gateway.publish(f"constantes/v1/down/{other.name}", b"for another")
    gateway.publish(f"constantes/v1/down/{mine.name}", b"for me")
    until(lambda: b"for me" in listener.payloads(), "the receipt arrives")
    assert set(listener.payloads()) == {b"for me"}


def test_a_device_cannot_take_the_gateways_queue(site: Site) -> None:
    """What waits for the gateway is still there after a device connected under the name that it can know."""
    gateway, honest, thief = site.gateway(), Account("dev-honest"), Account("dev-thief")
    site.gate.admit([honest.user, thief.user])
    gateway.leave()
    sender = site.device(honest)
    sender.connect(site.address)
    sender.publish(f"constantes/v1/up/{honest.name}/reading", b"waits")
    robber = site.device(thief, client_id=site.credentials.username)
    robber.connect(site.address)
    robber.leave()
    again = site.gateway()
    until(lambda: bool(again.received), "the waiting message arrives")
    assert again.payloads() == [b"waits"]


def test_a_device_does_not_cut_the_gateway_by_its_client_id(site: Site) -> None:
    """A device that connects under the gateway's public name leaves the gateway's connection alone."""
    gateway, thief = site.gateway(), Account("dev-thief")
    site.gate.admit([thief.user])
    robber = site.device(thief, client_id=site.credentials.username)
    assert robber.connect(site.address) == 0
    robber.publish(f"constantes/v1/up/{thief.name}/state", b"here")
    until(lambda: bool(gateway.received), "the gateway still hears")
    assert gateway.cuts == 0


@pytest.mark.parametrize("name", ["dev.one", "dev/one", "dev>", "*", "+", "#", "dev one", "_steward", "dev:x", "d\n"])
def test_a_name_that_could_widen_a_right_is_refused(site: Site, name: str) -> None:
    """A device's name never reaches a broker's files unless it is a device id."""
    with pytest.raises(ValueError, match="cannot be named"):
        site.gate.admit([BrokerUser(name, Account("dev-one").user.secret_hash, "device")])
