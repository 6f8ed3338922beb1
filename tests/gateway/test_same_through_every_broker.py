"""One seeded stream of messages through Mosquitto and through the embedded broker leaves two equal ledgers."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from gateway.consumer import Consumer
from gateway.counts import Counts
from gateway.mqtt import MqttSource
from ingest.clock import utc_text
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.ledger.relational import RelationalLedger
from registry import devices
from scripts.probes.brokers import Account, Site, embedded, until
from tests.support.brokers import account_at
from tests.support.ledgers import body, register
from tests.support.servers import mosquitto_site

SEED, MESSAGES = 20261121, 2000
ACTIVE, REVOKED, UNKNOWN = ("bp-0001", "bp-0002", "bp-0003"), "bp-revoked", "bp-unknown"
SENDERS = (*ACTIVE, REVOKED, UNKNOWN)
STARTED = time.time_ns() // 1000
DAY = 86_400_000_000


@dataclass(frozen=True)
class Sent:
    """What one device publishes: below its own name, these bytes."""

    sender: str
    rest: str
    payload: bytes


class Stream:
    """Devices that count, measure, repeat, contradict themselves and send rubbish, the same for a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._streams = {sender: f"{self._random.getrandbits(128):032x}" for sender in SENDERS}
        self._next = dict.fromkeys(SENDERS, 0)
        self._before: dict[str, list[bytes]] = {sender: [] for sender in SENDERS}

    def messages(self, count: int) -> Iterator[Sent]:
        """First a hello of some, then anything in turn."""
        for sender in ACTIVE[:2]:
            yield self.hello(sender)
        for _ in range(count - 2):
            sender = self._random.choices(SENDERS, [10, 10, 10, 1, 1])[0]
            kind = self._random.choices(list(KINDS), [weight for weight, _ in KINDS.values()])[0]
            yield KINDS[kind][1](self, sender)

    def _body(self, sender: str, seq: int, **more: object) -> dict[str, Any]:
        systolic = self._random.randint(95, 160)
        taken_at = utc_text(STARTED - self._random.randint(1, 80) * DAY)
        return body(seq, systolic, **{"stream": self._streams[sender], "taken_at": taken_at, "clock": 1} | more)

    def _count(self, sender: str) -> int:
        seq = self._next[sender]
        self._next[sender] = seq + 1
        return seq

    def _reading(self, sender: str, content: dict[str, Any], rest: str = "reading") -> Sent:
        payload = json.dumps(content).encode()
        self._before[sender].append(payload)
        return Sent(sender, rest, payload)

    def good(self, sender: str) -> Sent:
        """A reading in order."""
        return self._reading(sender, self._body(sender, self._count(sender)))

    def gap(self, sender: str) -> Sent:
        """Numbers that never come."""
        self._next[sender] += self._random.randint(1, 5)
        return self.good(sender)

    def late(self, sender: str) -> Sent:
        """A number that may have come before: then a conflict."""
        return self._reading(sender, self._body(sender, self._random.randrange(self._next[sender] + 1)))

    def bad(self, sender: str) -> Sent:
        """A member that the contract does not allow."""
        wrong: dict[str, Any] = self._random.choice(WRONG)
        return self._reading(sender, self._body(sender, self._count(sender)) | wrong)

    def impossible(self, sender: str) -> Sent:
        """A value that cannot be."""
        content = self._body(sender, self._count(sender))
        content["values"]["systolic"] = self._random.choice(
            [{"value": 1280, "unit": "mm[Hg]"}, {"value": 128, "unit": "mmHg"}, {"value": 60, "unit": "mm[Hg]"}, {}]
        )
        return self._reading(sender, content)

    def wrong_time(self, sender: str) -> Sent:
        """Ahead, too old, or a clock that was never set."""
        at = self._random.choice([STARTED + 2 * DAY, STARTED - 200 * DAY, 0])
        return self._reading(sender, self._body(sender, self._count(sender), taken_at=utc_text(at)))

    def repeat(self, sender: str) -> Sent:
        """The same bytes again."""
        before = self._before[sender]
        return Sent(sender, "reading", self._random.choice(before)) if before else self.good(sender)

    def other_words(self, sender: str) -> Sent:
        """The same content in other bytes."""
        before = self.repeat(sender).payload
        turned = dict(reversed((json.loads(before) | {"battery": self._random.randint(0, 100)}).items()))
        return Sent(sender, "reading", json.dumps(turned, indent=1).encode())

    def conflict(self, sender: str) -> Sent:
        """Other content under the same key."""
        content = json.loads(self.repeat(sender).payload)
        content["values"] = self._body(sender, 0)["values"]
        return self._reading(sender, content)

    def rubbish(self, sender: str) -> Sent:
        """No JSON object."""
        payload = self._random.choice([b"", b"{", b"\xff\xfe", b"[]", b"null", b"\0" * 9, self._random.randbytes(40)])
        return Sent(sender, self._random.choice(["reading", "hello", "state"]), payload)

    def elsewhere(self, sender: str) -> Sent:
        """A topic that is none of a device's."""
        rest = self._random.choice(["blob/38a0/0", "readings", "reading/more", "for/scale-77/reading"])
        return Sent(sender, rest, json.dumps(self._body(sender, self._count(sender))).encode())

    def hello(self, sender: str) -> Sent:
        """With a clock that may be synchronised or not."""
        content = {"v": 1, "conn": "a1b2c3d4", "stream": self._streams[sender], "next": self._next[sender]}
        clock = {"epoch": 1, "synced": self._random.random() < 0.5}
        return Sent(sender, "hello", json.dumps(content | {"clock": clock}).encode())

    def lost(self, sender: str) -> Sent:
        """Numbers that will never come."""
        span = [self._random.randint(0, 5), self._next[sender] + 5]
        content = {"v": 1, "conn": "a1b2c3d4", "stream": self._streams[sender], "lost": [span]}
        return Sent(sender, "state", json.dumps(content).encode())

    def long(self, sender: str) -> Sent:
        """More than the contract allows."""
        return Sent(sender, "reading", b" " * 1_200_000)


WRONG: Sequence[dict[str, Any]] = (
    {"v": 2},
    {"kind": "mood"},
    {"taken_at": "yesterday"},
    {"taken_at": 1_795_000_000},
    {"flags": ["loud"]},
    {"context": {"position": "upside_down"}},
    {"values": {"systolic": {"value": "128", "unit": "mm[Hg]"}}},
    {"seq": 2**53},
    {"clock": 2**60},
)

KINDS: dict[str, tuple[float, Callable[[Stream, str], Sent]]] = {
    "good": (50, Stream.good),
    "gap": (4, Stream.gap),
    "late": (5, Stream.late),
    "bad": (6, Stream.bad),
    "impossible": (4, Stream.impossible),
    "wrong time": (3, Stream.wrong_time),
    "repeat": (10, Stream.repeat),
    "other words": (4, Stream.other_words),
    "conflict": (5, Stream.conflict),
    "rubbish": (3, Stream.rubbish),
    "elsewhere": (3, Stream.elsewhere),
    "hello": (2, Stream.hello),
    "lost": (1, Stream.lost),
    "long": (0.1, Stream.long),
}

_JOURNAL = """
SELECT j.device, j.hub, j.channel, j.stream, j.seq, j.sha, j.size, j.outcome, j.reason, j.pointer, f.sha,
       r.reading, r.kind, r.taken_at, r.used_at, r.mark, r."offset", r.position IS NOT NULL, j.position
FROM journal j LEFT JOIN reading r ON r.position = j.position LEFT JOIN journal f ON f.position = j.first
ORDER BY coalesce(j.hub, j.device), j.position
"""
_MEASURED = "SELECT position, metric, value, unit, normal, unusual FROM measurement ORDER BY position, ordinal"
_GAPS = 'SELECT device, stream, "first", last FROM gap WHERE closed_at IS NULL'


def through(broker: AbstractContextManager[Site], folder: Path, sent: Sequence[Sent]) -> dict[str, list[Any]]:
    """Publish everything through a broker, each device on a connection of its own; return what the ledger has then."""
    with broker as site, open_ledger(folder / "ledger.sqlite") as file:
        enrol(file)
        subscribed, stop, counts = threading.Event(), threading.Event(), CollectorRegistry()
        source = MqttSource(account_at(site), subscribed.set)
        consumer = Consumer(
            source,
            RelationalLedger(file),
            lambda: time.time_ns() // 1000,
            disciplined=lambda: True,
            counts=Counts(counts),
        )
        loop = threading.Thread(target=consumer.run, args=(stop,), daemon=True)
        loop.start()
        assert subscribed.wait(10)
        publish(site, sent)
        until(lambda: told(counts) == len(sent), "every message is answered", 60)
        stop.set()
        loop.join()
        source.close()
        return contents(file)


def enrol(file: OpenLedger) -> None:
    """Register the devices, one of them revoked since."""
    for device in (*ACTIVE, REVOKED):
        register(file, device)
    file.writer.write(lambda connection: devices.revoke(connection, REVOKED, STARTED))


def publish(site: Site, sent: Sequence[Sent]) -> None:
    """Let everybody in, and have each publish its own messages in order, all at the same time."""
    accounts = {sender: Account(sender) for sender in SENDERS}
    site.gate.admit([account.user for account in accounts.values()])
    clients = {sender: site.device(account) for sender, account in accounts.items()}
    for client in clients.values():
        assert client.connect(site.address) == 0
    infos = [
        clients[message.sender].paho.publish(
            f"constantes/v1/up/{message.sender}/{message.rest}", message.payload, qos=1
        )
        for message in sent
    ]
    for info in infos:
        info.wait_for_publish(60)
        assert info.is_published()
    assert all(client.cuts == 0 for client in clients.values())


def told(counts: CollectorRegistry) -> int:
    """How many messages were acknowledged."""
    names = ("constantes_messages_total", "constantes_told_total")
    return int(sum(sample.value for metric in counts.collect() for sample in metric.samples if sample.name in names))


def contents(file: OpenLedger) -> dict[str, list[Any]]:
    """Journal with readings and measurements, by device and order of arrival, and missing numbers."""
    with file.readers.connect() as connection:
        measured: dict[int, list[Any]] = {}
        for position, *rest in connection.execute(text(_MEASURED)):
            measured.setdefault(position, []).append(tuple(rest))
        rows = [(*row[:-1], measured.get(row[-1], [])) for row in connection.execute(text(_JOURNAL))]
        # How missing numbers are grouped depends on where a batch happened to end; which are missing does not.
        missing = [
            (device, stream, seq)
            for device, stream, first, last in connection.execute(text(_GAPS))
            for seq in range(first, last + 1)
        ]
        return {"journal": rows, "missing": sorted(missing)}


@pytest.mark.services
def test_one_seeded_stream_leaves_equal_ledgers_through_mosquitto_and_the_embedded_broker(tmp_path: Path) -> None:
    """Key, payload hash, verdict, reason and measurements do not depend on the broker."""
    sent = list(Stream(SEED).messages(MESSAGES))
    assert sent == list(Stream(SEED).messages(MESSAGES))
    one = through(mosquitto_site(tmp_path / "mosquitto"), tmp_path / "one", sent)
    other = through(embedded(tmp_path / "embedded"), tmp_path / "other", sent)
    assert one["journal"] == other["journal"]
    assert one["missing"] == other["missing"]
    assert len(one["missing"]) > 10
    verdicts = {(row[7], row[8]) for row in one["journal"]}
    assert len(verdicts) > 20, "the stream has become too tame to prove anything"
