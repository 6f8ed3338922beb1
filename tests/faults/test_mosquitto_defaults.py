"""Mosquitto with its own limits, and a gateway that is away: what it drops is made good by receipts, or is a gap.

By default Mosquitto 2.0 keeps 1,000 messages for a subscriber that is away, drops what comes then, and acknowledges it
to the device all the same. The shipped configuration keeps more; somebody else's may not.

Sizes from the environment: DEFAULTS_READINGS (3,000 when absent).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import select

from gateway.broker.credentials import GatewayCredentials
from gateway.consumer import Consumer
from gateway.counts import Counts
from gateway.events import SESSION_LOST, Events
from gateway.mqtt import Account, MqttSource
from gateway.rounds import Rounds
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.schema import ALARM, GAP, KEY
from scripts.probes.brokers import Account as DeviceAccount
from scripts.services import mosquitto
from scripts.services.mosquitto import Server
from scripts.services.process import LOOPBACK, Life, Process
from simulators.devices.outbox import Kept, issued
from simulators.load import Load, run
from tests.faults.installation import until
from tests.faults.trusting import Trusting
from tests.support.ledgers import register

READINGS = int(os.environ.get("DEFAULTS_READINGS", "3000"))
ASKED = READINGS // 2
KEEPS = 1_000
"""`max_queued_messages` when nothing is set: mosquitto.conf(5)."""
LIMITS = ("max_queued_messages", "max_inflight_messages")

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(180 + READINGS // 50),
    pytest.mark.skipif(bool(mosquitto.missing()), reason=mosquitto.missing() or "Mosquitto is here"),
]


class Defaults(Server):
    """The shipped configuration without its limits."""

    def _made(self) -> Life:
        shipped = mosquitto.placed(mosquitto.SHIPPED.read_text("utf-8"), self.folder, self.accounts, self.port)
        kept = [line for line in shipped.splitlines() if not line.startswith(LIMITS)]
        assert len(shipped.splitlines()) - len(kept) == len(LIMITS)
        configuration = self.folder / "mosquitto.conf"
        configuration.write_text("\n".join([*kept, ""]), "utf-8")
        return Process("Mosquitto", [mosquitto.program(), "-c", str(configuration)], self._answers, self.folder / "log")


@dataclass(frozen=True)
class Place:
    """A broker, a ledger, and devices that are let in and registered."""

    broker: Defaults
    file: OpenLedger
    events: Events
    devices: dict[str, str]

    @contextmanager
    def gateway(self) -> Iterator[None]:
        """A gateway that is there, and leaves its session behind."""
        own: GatewayCredentials = self.broker.credentials
        account = Account(LOOPBACK, self.broker.port, own.username, own.secret, own.client_id)
        subscribed, stop = threading.Event(), threading.Event()
        source = MqttSource(account, subscribed.set, self.events.session_lost)
        ledger = RelationalLedger(self.file)
        consumer = Consumer(source, ledger, now, disciplined=lambda: True, counts=Counts(CollectorRegistry()))
        work = (consumer.run, Rounds(source, ledger, now, self.events).run)
        threads = [threading.Thread(target=target, args=(stop,), daemon=True) for target in work]
        try:
            assert subscribed.wait(10)
            for thread in threads:
                thread.start()
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            source.close()

    def stored(self, device: str) -> set[int]:
        """The numbers of a device that the ledger holds."""
        with self.file.readers.connect() as connection:
            return set(connection.execute(select(KEY.c.seq).where(KEY.c.device == device)).scalars())

    def missing(self, device: str) -> set[int]:
        """The numbers of its open gaps."""
        open_ones = select(GAP.c.first, GAP.c.last).where(GAP.c.device == device, GAP.c.closed_at.is_(None))
        with self.file.readers.connect() as connection:
            return {seq for first, last in connection.execute(open_ones) for seq in range(first, last + 1)}

    def alarms(self) -> list[str]:
        """The codes of all alarms."""
        with self.file.readers.connect() as connection:
            return list(connection.execute(select(ALARM.c.code)).scalars())


def now() -> int:
    """Microseconds UTC."""
    return time.time_ns() // 1000


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Give a Mosquitto with its own limits and an empty ledger."""
    folder = tmp_path / "mosquitto"
    folder.mkdir(mode=0o700)
    broker = Defaults(folder)
    broker.shut_out()
    accounts = [DeviceAccount(name) for name in ("trusts", "asks")]
    try:
        broker.start()
        with open_ledger(tmp_path / "ledger.sqlite") as file:
            made = Place(broker, file, Events(now), {account.name: account.secret for account in accounts})
            for name in made.devices:
                register(file, name)
            with made.gateway():  # the session begins before any device is let in
                broker.gate.admit([account.user for account in accounts])
            yield made
    finally:
        broker.stop()


def test_what_mosquitto_drops_is_sent_again_or_is_a_gap(place: Place, tmp_path: Path) -> None:
    """A device that waits for receipts loses nothing; of one that does not, exactly the lost numbers are open gaps."""
    trusting = Trusting(place.broker.url, "trusts", place.devices["trusts"])
    trusting.publish(READINGS)
    until(lambda: trusting.settle() == 0, "Mosquitto acknowledged everything")
    taken = list(trusting.taken)
    outbox, told = tmp_path / "outbox", list[dict[str, object]]()
    asks = Load(
        place.broker.url, (("asks", place.devices["asks"]),), count=ASKED, rate=2_000.0, outbox=outbox, window=ASKED,
        repeat_s=2.0, deadline_s=90.0,
    )  # fmt: skip
    asking = threading.Thread(target=lambda: told.append(run(asks)), daemon=True)
    asking.start()
    until(lambda: outbox.exists() and sum(1 for _ in issued(outbox)) == ASKED, "it has measured everything")
    with place.gateway():
        asking.join(120)
        trusting.publish(1)
        until(lambda: trusting.settle() == 0 and READINGS in place.stored("trusts"), "the gateway has the last one")
        stored = place.stored("trusts")
        lost = {reading.seq for reading in taken} - stored
        assert place.missing("trusts") == lost
        until(lambda: not place.missing("asks"), "no gap of the device with receipts is left")
    trusting.close()
    assert READINGS - KEEPS <= len(lost) < READINGS, "Mosquitto dropped nothing: nothing is shown"
    assert told[0]["unanswered"] == 0
    assert place.stored("asks") == {reading.seq for reading in made(outbox)}
    assert len(place.stored("asks")) == ASKED
    assert place.alarms() == []
    print({"taken": READINGS, "lost": len(lost), "gaps": len(place.missing("trusts")), "asked": told})  # noqa: T201 - for -s


def made(outbox: Path) -> list[Kept]:
    """All that was ever measured."""
    return list(issued(outbox))


def test_a_session_that_mosquitto_lost_is_told_with_its_window(place: Place) -> None:
    """Started without what it had kept it knows no session: one alarm; and none when the session was kept."""
    before = now()
    with place.gateway():
        place.broker.kill()
        (place.broker.folder / "mosquitto.db").unlink(missing_ok=True)
        place.broker.start()
        until(lambda: place.alarms() == [SESSION_LOST], "it is told")
    with place.file.readers.connect() as connection:
        row = connection.execute(ALARM.select()).one()
    assert before < row.since < row.last_at < now()
    with place.gateway():
        assert place.events.due() == []
    assert place.alarms() == [SESSION_LOST]
