"""Bad input through a running broker: each bad message gets its receipt, and what it has to hold off is held off."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from gateway.consumer import Consumer
from gateway.counts import Counts
from gateway.mqtt import MqttSource
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.ledger.relational import RelationalLedger
from ingest.reasons import REGISTRY, Reason
from registry import devices
from scripts.probes.brokers import Account, Client, Site, embedded, until
from tests.cases.bad import recipes
from tests.cases.bad.recipes import Scene
from tests.support.brokers import account_at
from tests.support.ledgers import register
from tests.support.servers import mosquitto_site

ROLES = {role: f"bad-{role}" for role in ("device", "second", "stranger", "revoked", "hub")}
PLAIN = re.compile(r"[a-z0-9/]+").fullmatch
"""Topics that no broker has an opinion of; the others are below."""
PATIENCE_S = 30.0
MOST = 8 * 1024**2 - 4096
"""Bytes of the longest message that a broker takes, less what its topic needs."""
LINE = 8192
"""Bytes of the longest line that is given to ``mosquitto_pub``; a longer message is a file."""
UP, DOWN = "constantes/v1/up", "constantes/v1/down"


def now() -> int:
    """Microseconds."""
    return time.time_ns() // 1000


@dataclass
class Station:
    """A broker, a gateway behind it, and the devices' ends."""

    site: Site
    file: OpenLedger
    counts: CollectorRegistry
    accounts: Mapping[str, Account]
    ears: dict[str, Client] = field(default_factory=dict)
    made: int = 0

    def hears(self, role: str) -> list[dict[str, Any]]:
        """Receipts that came down to a role, by a connection beside the one that it sends on."""
        if role not in self.ears:
            ear = self.ears[role] = self.site.device(self.accounts[role], f"{ROLES[role]}-ear")
            assert ear.connect(self.site.address) == 0
            assert ear.subscribe(f"{DOWN}/{ROLES[role]}") == 1
        return [told for payload in self.ears[role].payloads() for told in json.loads(payload).get("receipts", ())]

    def good(self) -> bytes:
        """A reading that will be stored."""
        self.made += 1
        stream = hashlib.sha256(f"good {self.made}".encode()).hexdigest()[:32]
        return recipes.written({"reading": "heart_rate"}, Scene(now(), stream, ROLES))

    def answered(self, payload: bytes, role: str = "second") -> dict[str, Any]:
        """The receipt for a payload, waited for."""
        sha = hashlib.sha256(payload).hexdigest()[:16]
        until(lambda: any(told["sha"] == sha for told in self.hears(role)), "the receipt", PATIENCE_S)
        return next(told for told in self.hears(role) if told["sha"] == sha)

    def still_works(self) -> None:
        """A good reading of a device that has done nothing is stored."""
        self.hears("second")
        payload = self.good()
        client = Client(ROLES["second"], self.accounts["second"].secret, ROLES["second"])
        assert client.connect(self.site.address) == 0
        client.publish(f"{UP}/{ROLES['second']}/reading", payload)
        assert self.answered(payload)["verdict"] == "stored"
        client.leave()

    def journal(self) -> list[tuple[str, str]]:
        """(device, outcome) of every message that was kept."""
        with self.file.readers.connect() as connection:
            return [tuple(row) for row in connection.execute(text("SELECT device, outcome FROM journal"))]


@contextmanager
def station(broker: AbstractContextManager[Site], folder: Path) -> Iterator[Station]:
    """A gateway over a broker; roles are registered as their names say, and all may connect."""
    with broker as site, open_ledger(folder / "ledger.sqlite") as file:
        for role in ("device", "second", "revoked", "hub"):
            register(file, ROLES[role])
        file.writer.write(lambda connection: devices.revoke(connection, ROLES["revoked"], now()))
        subscribed, stop, counts = threading.Event(), threading.Event(), CollectorRegistry()
        source = MqttSource(account_at(site), subscribed.set)
        consumer = Consumer(source, RelationalLedger(file), now, disciplined=lambda: True, counts=Counts(counts))
        loop = threading.Thread(target=consumer.run, args=(stop,), daemon=True)
        loop.start()
        assert subscribed.wait(10)
        accounts = {role: Account(name) for role, name in ROLES.items()}
        site.gate.admit([account.user for account in accounts.values()])
        try:
            yield Station(site, file, counts, accounts)
        finally:
            stop.set()
            loop.join(10)
            source.close()


@pytest.fixture(name="place", scope="module")
def embedded_station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """Over the embedded broker."""
    folder = tmp_path_factory.mktemp("wire")
    with station(embedded(folder / "broker"), folder) as made:
        yield made


# ---------------------------------------------------------------- mosquitto_pub


@dataclass(frozen=True)
class Sent:
    """A message of the catalogue that fits one publish: who publishes it, where, and what is expected."""

    case: str
    sender: str
    topic: str
    payload: bytes
    expected: Mapping[str, Any]

    @property
    def is_line(self) -> bool:
        """Whether ``mosquitto_pub`` can read it as a line."""
        return 0 < len(self.payload) < LINE and not set(self.payload) & {0, 10}


def sendable() -> Iterator[Sent]:
    """Single messages without marks of a broker, that are answered, on plain topics, no longer than it takes."""
    for row in recipes.rows():
        for variant in row.variants:
            told = variant.told
            apart = {"messages", "content", "cut", "times", "retained", "dup", "topic"} & told.keys()
            if apart or not told.get("wire", True) or not PLAIN(told.get("to", "reading")) or _silent(told["expect"]):
                continue
            case = f"{row.id} {variant.name}"
            scene = Scene(now(), hashlib.sha256(case.encode()).hexdigest()[:32], ROLES)
            (payload,) = recipes.payloads(told, scene)
            if len(payload) > MOST:
                continue
            sender = told.get("through", told.get("from", "device"))
            yield Sent(case, sender, recipes.topic(told, scene), payload, told["expect"])


def _silent(expected: Mapping[str, Any]) -> bool:
    return expected.get("verdict") == "none" or expected.get("receipt") is False


def publish(
    place: Station, sender: str, topic: str, *how: str, stdin: bytes = b"", options: Sequence[str] = ()
) -> None:
    """``mosquitto_pub`` at QoS 1 until it has ended."""
    host, port = place.site.address
    account = place.accounts[sender]
    command = ["mosquitto_pub", "-h", host, "-p", str(port), "-u", account.name, "-P", account.secret, "-q", "1"]
    subprocess.run(
        [*command, "-i", account.name, *options, "-t", topic, *how], input=stdin, check=True, timeout=PATIENCE_S
    )


@pytest.mark.services
def test_every_bad_message_gets_its_receipt(place: Station, tmp_path: Path) -> None:
    """Published by plain ``mosquitto_pub``: verdict, reason, pointer and action come down by the hash of the bytes."""
    messages = sorted(sendable(), key=lambda sent: (sent.sender, sent.topic))
    assert len(messages) > 250, "the catalogue has become too small to prove anything"
    for sender in {sent.sender for sent in messages}:
        place.hears(sender)
    for (sender, topic), group in groupby(messages, key=lambda sent: (sent.sender, sent.topic)):
        of_topic = list(group)
        lines = [sent.payload for sent in of_topic if sent.is_line]
        if lines:
            publish(place, sender, topic, "-l", stdin=b"\n".join(lines) + b"\n")
        for sent in of_topic:
            if not sent.is_line:
                path = tmp_path / "payload"
                path.write_bytes(sent.payload)
                publish(place, sender, topic, *(["-f", str(path)] if sent.payload else ["-n"]))
    wrong = {sent.case: found for sent in messages if (found := _difference(place, sent))}
    assert wrong == {}
    place.still_works()


def _difference(place: Station, sent: Sent) -> Sequence[Mapping[str, Any]]:
    """The receipts for these bytes when none of them is what the catalogue says; two cases may have the same bytes."""
    place.answered(sent.payload, sent.sender)
    reason = sent.expected.get("reason")
    expected = {
        "verdict": sent.expected.get("verdict", "quarantined"),
        "reason": reason,
        "pointer": sent.expected.get("pointer"),
        "action": REGISTRY[Reason(reason)].action.value if reason else None,
    }
    sha = hashlib.sha256(sent.payload).hexdigest()[:16]
    told = [each for each in place.hears(sent.sender) if each["sha"] == sha]
    found = [{name: each.get(name) for name in expected} for each in told]
    return [] if expected in found else found


MQTT_5 = [
    ["-D", "publish", "content-type", "application/cbor"],
    ["-D", "publish", "payload-format-indicator", "1"],
    ["-D", "publish", "message-expiry-interval", "60"],
    ["-D", "publish", "response-topic", "constantes/v1/down/bad-second"],
    [part for number in range(500) for part in ("-D", "publish", "user-property", f"name{number}", "x" * 20)],
]


@pytest.mark.services
def test_properties_of_mqtt_5_change_nothing(tmp_path: Path) -> None:
    """J30: a content type, a format, an expiry, 500 user properties: the payload alone is judged."""
    with station(mosquitto_site(tmp_path / "broker"), tmp_path) as place:
        name = ROLES["second"]
        for options in MQTT_5:
            for payload, verdict in (
                (place.good(), "stored"),
                (f"\xff{len(options)}".encode("latin-1"), "quarantined"),
            ):
                publish(place, "second", f"{UP}/{name}/reading", "-s", stdin=payload, options=["-V", "5", *options])
                sha = hashlib.sha256(payload).digest()
                until(lambda sha=sha: _outcome(place, sha) is not None, "it is kept", PATIENCE_S)  # type: ignore[misc]
                assert _outcome(place, sha) == verdict


def _outcome(place: Station, sha: bytes) -> str | None:
    with place.file.readers.connect() as connection:
        query = text("SELECT outcome FROM journal WHERE sha = :sha")
        found: str | None = connection.execute(query, {"sha": sha}).scalar()
        return found


# ---------------------------------------------------------------- raw packets


def packet(kind: int, *parts: bytes) -> bytes:
    """An MQTT 3.1.1 control packet (section 2.2): first byte, length, the rest."""
    body, length = b"".join(parts), b""
    size = len(body)
    while True:
        size, low = divmod(size, 128)
        length += bytes([low | (0x80 if size else 0)])
        if not size:
            return bytes([kind]) + length + body


def field_of(content: bytes) -> bytes:
    """A field with its length before it (section 1.5.3)."""
    return len(content).to_bytes(2, "big") + content


def connect(account: Account, client_id: bytes, will: tuple[str, bytes] | None = None) -> bytes:
    """CONNECT with a clean session, name, secret, and perhaps a will at QoS 1 (section 3.1)."""
    flags = 0b1100_0010 | (0b0000_1100 if will else 0)
    wills = [field_of(will[0].encode()), field_of(will[1])] if will else []
    words = [field_of(account.name.encode()), field_of(account.secret.encode())]
    return packet(0x10, field_of(b"MQTT"), bytes([4, flags, 0, 60]), field_of(client_id), *wills, *words)


def publishing(topic: bytes, payload: bytes) -> bytes:
    """PUBLISH at QoS 1, packet 7 (section 3.3)."""
    return packet(0x32, field_of(topic), b"\0\7", payload)


@contextmanager
def line(place: Station, *packets: bytes) -> Iterator[socket.socket]:
    """A connection on which these packets were sent; the broker may cut it whenever it wants."""
    with socket.create_connection(place.site.address, 10) as connection:
        for each in packets:
            connection.sendall(each)
        yield connection


def until_quiet(connection: socket.socket) -> bytes:
    """What the broker answers until it says nothing for a moment, or hangs up."""
    connection.settimeout(0.3)
    found = b""
    with suppress(OSError):
        while more := connection.recv(65536):
            found += more
    return found


FORBIDDEN = [
    "$SYS/broker/uptime", f"$share/g/{UP}/bad-device/reading", f"{UP}/*/reading", f"{UP}/>", f"{UP}/bad-second/reading",
    f"{UP}/bad-device.x/reading", f"{DOWN}/bad-device", f"{DOWN}/bad-second", f"{UP}/bad-second/for/bad-device/reading",
    "constantes/v1/up", "$JS/API/STREAM/DELETE/x", "$MQTT/sub/x", f"{UP}/bad device/reading",
    f"/{UP}/bad-device/reading", f"{UP}/bad-device\n/reading", f"{UP}//reading", f"{UP}/b\u0430d-second/reading",
]  # fmt: skip


@pytest.mark.parametrize("topic", FORBIDDEN)
def test_forbidden_topics_reach_nobody(place: Station, topic: str) -> None:
    """T7, T15: what a device publishes elsewhere than below its own name reaches neither gateway nor devices."""
    heard = {role: len(place.hears(role)) for role in ("device", "second")}
    before = place.journal()
    forged = recipes.written({"reading": "heart_rate"}, Scene(now(), "f" * 32, ROLES))
    account = place.accounts["device"]
    with line(place, connect(account, account.name.encode()), publishing(topic.encode(), forged)) as connection:
        until_quiet(connection)
    place.still_works()
    assert place.journal() == [*before, (ROLES["second"], "stored")]
    assert len(place.hears("device")) == heard["device"]
    assert len(place.hears("second")) == heard["second"] + 1


def test_a_will_is_no_reading(place: Station) -> None:
    """T9: a will on ``state`` with the body of a reading is taken as a state, and makes no reading."""
    account, before = place.accounts["device"], place.journal()
    told = place.counts.get_sample_value("constantes_told_total") or 0
    will = (f"{UP}/{account.name}/state", place.good())
    with line(place, connect(account, account.name.encode(), will)) as connection:
        assert connection.recv(4) == b"\x20\x02\0\0"
    until(lambda: (place.counts.get_sample_value("constantes_told_total") or 0) == told + 1, "the will", PATIENCE_S)
    assert place.journal() == before
    place.still_works()


def test_a_reading_at_qos_0_disturbs_nobody(place: Station) -> None:
    """T10: it promises nothing; what is seen of it is judged like any other, and those behind it are stored."""
    account, payload = place.accounts["device"], place.good()
    topic = f"{UP}/{account.name}/reading".encode()
    place.hears("device")
    with line(place, connect(account, account.name.encode()), packet(0x30, field_of(topic), payload)) as connection:
        until_quiet(connection)
        behind = place.good()
        connection.sendall(publishing(topic, behind))
        assert place.answered(behind, "device")["verdict"] == "stored"
    sha = hashlib.sha256(payload).hexdigest()[:16]
    assert [told["verdict"] for told in place.hears("device") if told["sha"] == sha] in ([], ["stored"])


def test_a_client_id_used_twice_loses_nothing(place: Station) -> None:
    """T12: the second connection ends the first; what either published is stored."""
    account = place.accounts["second"]
    payloads = [place.good() for _ in range(2)]
    place.hears("second")
    clients = [Client(account.name, account.secret, account.name) for _ in payloads]
    for client, payload in zip(clients, payloads, strict=True):
        assert client.connect(place.site.address) == 0
        client.publish(f"{UP}/{account.name}/reading", payload)
    until(lambda: clients[0].cuts == 1, "the first is cut")
    assert clients[1].cuts == 0
    assert [place.answered(payload)["verdict"] for payload in payloads] == ["stored"] * 2
    for client in clients:
        client.leave()


BURST = 800
"""More would need file numbers beyond what this process' own clients can wait for."""


def test_a_burst_of_connections_holds_nobody_up(place: Station) -> None:
    """T12: hundreds of silent connections, some with a wrong secret: a good reading is answered meanwhile."""
    wrong = connect(Account(ROLES["device"]), b"burst")
    open_ones: list[socket.socket] = []
    try:
        for number in range(BURST):
            connection = socket.create_connection(place.site.address, 10)
            open_ones.append(connection)
            if number % 200 == 0:
                connection.sendall(wrong)
        place.still_works()
    finally:
        for connection in open_ones:
            connection.close()
    place.still_works()


@pytest.mark.parametrize(
    "client_id",
    [b"a" * 65_535, b"", b"/+#", b"constantes/v1/up/#", b"bad-second", b"\xff\xfe", b"a\0b"],
    ids=["64 kB", "empty", "wildcards", "a filter", "another device", "no text", "NUL"],
)
def test_no_client_id_widens_a_right(place: Station, client_id: bytes) -> None:
    """T13: whatever a device calls itself, it publishes below its own name or nowhere, and hears what is its own."""
    before, account = place.journal(), place.accounts["device"]
    subscribe = packet(0x82, b"\0\1", field_of(f"{DOWN}/#".encode()), b"\1")
    forged = publishing(f"{UP}/bad-second/reading".encode(), place.good())
    with line(place, connect(account, client_id), subscribe) as connection:
        until_quiet(connection)
        with suppress(OSError):  # the broker may have hung up
            connection.sendall(forged)
        place.still_works()
        assert b"receipts" not in until_quiet(connection)
    assert place.journal() == [*before, (ROLES["second"], "stored")]
