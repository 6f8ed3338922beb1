"""What the project expects of a broker, one function an expectation.

In: a `Site` fresh for each expectation. Out: a `Finding`: met or not, and a figure.
Refuses to know: which broker it is.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.broker.knock import ACCEPTED, knock
from gateway.broker.nats_config import ACK_WAIT_S
from scripts.probes.brokers import DOWN, UP, Account, Client, Site, until

_BATCH = 1000  # the gateway's commit batch
_EXTRA_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one expectation; `figure` is for people."""

    met: bool
    figure: str


def adding_and_revoking(site: Site) -> Finding:
    """Devices come and go on the running broker; the revoked one is cut, nobody else."""
    site.gateway()
    accounts = [Account(f"dev-{number:03}") for number in range(200)]
    users = [account.user for account in accounts]
    site.gate.admit(users[:-1])
    _connected(site, accounts[0])
    leaves = _connected(site, accounts[1])
    began = time.monotonic()
    site.gate.admit(users[:1] + users[2:])
    took = time.monotonic() - began
    until(lambda: leaves.cuts == 1, "the revoked device is cut")
    others = sum(client.cuts for client in site.clients) - leaves.cuts  # before a knock takes over a client id
    is_let_in = [site.is_let_in(account) for account in (accounts[0], accounts[1], accounts[-1])]
    return Finding(
        is_let_in == [True, False, True] and others == 0,
        f"{took * 1000:.0f} ms with 200 users, {others} others cut",
    )


def permissions(site: Site) -> Finding:
    """A device speaks and hears under its own name only; the rest reaches nobody, at QoS 1 too."""
    gateway, mine, other = site.gateway(), Account("dev-mine"), Account("dev-other")
    site.gate.admit([mine.user, other.user])
    intruder, bystander = _connected(site, mine), _connected(site, other)
    bystander.subscribe(f"{DOWN}/dev-other")
    code = intruder.subscribe(f"{DOWN}/dev-other")
    own = intruder.subscribe(f"{DOWN}/dev-mine")
    forged = intruder.publish_all(f"{UP}/dev-other/reading", [b"forged"])
    intruder.publish_all(f"{DOWN}/dev-other", [b"forged"])
    intruder.publish(f"{UP}/dev-mine/reading", b"own")
    gateway.publish(f"{DOWN}/dev-other", b"for another")
    gateway.publish(f"{DOWN}/dev-mine", b"for me")
    until(lambda: bool(intruder.received and gateway.received and bystander.received), "the rightful messages")
    heard = (gateway.payloads(), intruder.payloads(), bystander.payloads())
    return Finding(
        heard == ([b"own"], [b"for me"], [b"for another"]) and own == 1,
        f"SUBACK {code} for a foreign topic, {len(forged)} of 1 forged message PUBACKed, 0 delivered",
    )


def large_messages(site: Site) -> Finding:
    """Messages above the contract's limit reach the gateway, which answers them."""
    gateway, client = site.gateway(), _device(site)
    began = time.monotonic()
    for size in (1_200_000, 7_000_000):
        client.publish(f"{UP}/dev-one/reading", bytes(size))
    until(lambda: [len(payload) for payload in gateway.payloads()] == [1_200_000, 7_000_000], "both messages")
    return Finding(client.cuts == 0, f"1.2 and 7 MB in {time.monotonic() - began:.2f} s")


def waiting_receipt(site: Site) -> Finding:
    """A receipt waits for a device that is away and kept its session."""
    gateway, account = site.gateway(), Account("dev-one")
    site.gate.admit([account.user])
    first = site.device(account, clean=False)
    first.connect(site.address)
    first.subscribe(f"{DOWN}/dev-one")
    first.leave()
    gateway.publish(f"{DOWN}/dev-one", b"receipt")
    again = site.device(account, clean=False)
    again.connect(site.address)
    began = time.monotonic()
    until(lambda: again.payloads() == [b"receipt"], "the receipt")
    return Finding(met=True, figure=f"{(time.monotonic() - began) * 1000:.0f} ms after the connection")


def retained_messages(site: Site) -> Finding:
    """A message published as retained is not lost for that, or the device is told by a cut connection."""
    gateway, client = site.gateway(), _device(site)
    taken = client.publish_all(f"{UP}/dev-one/reading", [b"kept"])
    client.paho.publish(f"{UP}/dev-one/state", b"retained", qos=1, retain=True)
    until(lambda: client.cuts > 0 or b"retained" in gateway.payloads(), "delivery or a cut")
    seen = gateway.payloads().count(b"retained")
    gateway.subscribe(f"{UP}/#")
    client.publish_all(f"{UP}/dev-one/state", [b"last"], 1)
    until(lambda: client.cuts > 0 or b"last" in gateway.payloads(), "the last message")
    again = gateway.payloads().count(b"retained") - seen
    told = "device cut" if client.cuts else f"delivered, and {again} more at the next subscription"
    return Finding(len(taken) == 1 and bool(client.cuts or seen), told)


def before_the_first_subscription(site: Site) -> Finding:
    """Nothing is PUBACKed for a gateway that has no place in the store yet."""
    account = Account("dev-one")
    site.gate.admit([account.user])
    if (code := knock(site.address, account.name, account.secret)) != ACCEPTED:
        site.gateway()
        site.gate.admit([account.user])
        return Finding(site.is_let_in(account), f"refused (code {code}) until it has subscribed")
    client = _connected(site, account)
    taken = client.publish_all(f"{UP}/dev-one/reading", [b"early"] * 100)
    gateway = site.gateway()
    client.publish(f"{UP}/dev-one/reading", b"late")
    until(lambda: b"late" in gateway.payloads(), "the late message")
    lost = len(taken) - gateway.payloads().count(b"early")
    return Finding(lost == 0, f"{lost} of {len(taken)} PUBACKed messages lost")


def window(site: Site) -> Finding:
    """A whole commit batch is in flight before the first acknowledgement."""
    gateway, client = site.gateway(acks=False), _device(site)
    client.publish_all(f"{UP}/dev-one/reading", _numbered(6000))
    until(lambda: len(gateway.received) >= _BATCH, "a commit batch")
    settled = -1
    while settled != len(gateway.received):
        settled = len(gateway.received)
        time.sleep(0.3)
    return Finding(settled >= _BATCH, f"{settled:,} of 6,000 in flight")


def unacknowledged_return(site: Site) -> Finding:
    """What a crashed gateway had not acknowledged comes back to its next connection."""
    gateway, client = site.gateway(acks=False), _device(site)
    client.publish_all(f"{UP}/dev-one/reading", _numbered(500))
    until(lambda: len(gateway.received) == len(_numbered(500)), "all messages")
    if (socket := gateway.paho.socket()) is not None:
        gateway.paho.loop_stop()
        socket.close()
    began = time.monotonic()
    again = site.gateway()
    until(lambda: set(again.payloads()) == set(_numbered(500)), "all again", ACK_WAIT_S + _EXTRA_S)
    return Finding(met=True, figure=f"500 of 500 after {time.monotonic() - began:.1f} s")


def broker_killed(site: Site) -> Finding:
    """kill -9 of the broker loses no PUBACKed message that waits for the gateway."""  # noqa: D403 (a command)
    site.gateway().leave()
    client = _device(site)
    taken = client.publish_all(f"{UP}/dev-one/reading", _numbered(2000))
    site.crash()
    again, marker = site.gateway(), _connected(site, Account("dev-one"), admit=True)
    marker.publish(f"{UP}/dev-one/state", b"last")
    until(lambda: b"last" in again.payloads(), "the message after the crash")
    _settle(again, len(taken) + 1)
    lost = len(set(taken) - set(again.payloads()))
    return Finding(lost == 0, f"{lost:,} of {len(taken):,} lost")


def full_store(site: Site) -> Finding:
    """When the store is full publishers are cut, and the gateway still connects and drains every PUBACKed message."""
    site.gateway().leave()
    account, taken, cut_after = Account("dev-one"), set[bytes](), 0
    site.gate.admit([account.user])
    for attempt in range(40):
        client = _connected(site, account)
        block = [f"{attempt}-{number}-".encode().ljust(100_000, b".") for number in range(20)]
        taken |= set(client.publish_all(f"{UP}/dev-one/reading", block, 5))
        client.leave()
        if client.cuts > 1 or len(taken) < 20 * (attempt + 1):
            cut_after = len(taken)
            break
    gateway = site.gateway()
    _settle(gateway, len(taken))
    lost = len(taken - set(gateway.payloads()))
    client = _connected(site, account)
    goes_on = bool(client.publish_all(f"{UP}/dev-one/reading", [b"goes on"], 5))
    return Finding(
        cut_after > 0 and lost == 0 and goes_on,
        f"cut after {cut_after} of 100 kB; drained, {lost} lost" if cut_after else "never full",
    )


EXPECTATIONS: tuple[tuple[str, Callable[[Site], Finding]], ...] = (
    ("devices added and revoked while it runs", adding_and_revoking),
    ("permissions of each device, QoS 1", permissions),
    ("messages above the contract's limit", large_messages),
    ("a receipt waits for an absent device", waiting_receipt),
    ("retained messages", retained_messages),
    ("messages before the gateway's first subscription", before_the_first_subscription),
    ("in-flight window of a commit batch", window),
    ("unacknowledged messages after a gateway's crash", unacknowledged_return),
    ("PUBACKed messages after kill -9 of the broker", broker_killed),
)


def _connected(site: Site, account: Account, *, admit: bool = False) -> Client:
    if admit:
        site.gate.admit([account.user])
    client = site.device(account)
    client.connect(site.address)
    return client


def _device(site: Site) -> Client:
    return _connected(site, Account("dev-one"), admit=True)


def _numbered(count: int) -> list[bytes]:
    return [f"{number:06}".encode().ljust(300, b".") for number in range(count)]


def _settle(client: Client, wanted: int) -> None:
    """Wait until `wanted` messages came, or none for a second."""
    seen, since = -1, time.monotonic()
    while len(client.received) < wanted and time.monotonic() - since < 1:
        if len(client.received) != seen:
            seen, since = len(client.received), time.monotonic()
        time.sleep(0.02)
