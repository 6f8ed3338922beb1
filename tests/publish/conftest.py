"""A ledger with a device, a patient, and a publisher."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, text

from fhir_export.destinations import Destination, Dispatch
from fhir_export.model import Deployment, decode
from fhir_export.publish import Publisher
from ingest.judge import judge
from ingest.ledger.files import OpenLedger
from ingest.ledger.port import Item
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.schema import DUE
from ingest.model import ClockFacts, DeviceStatus, Facts, Judged
from registry import assignments, devices, people
from registry.model import Assignment, Patient
from tests.support.engines import ENGINES, Place, fresh
from tests.support.ledgers import NOW, raw

DEVICE = "bp-0001"


@dataclass
class Desk:
    """What people, devices and the publisher do to one ledger."""

    file: OpenLedger
    destinations: list[Destination] = field(default_factory=lambda: [Destination("record", "write")])
    now: int = NOW

    def __post_init__(self) -> None:
        self.dispatch = Dispatch(self.destinations)

    def publisher(self, file: OpenLedger | None = None) -> Publisher:
        """A publisher, on this ledger or one that stands before it."""
        return Publisher(
            file or self.file, Deployment("2.999.1"), self.dispatch, lambda: self.now, disciplined=lambda: True
        )

    def drain(self, publisher: Publisher | None = None) -> None:
        """Publish until nothing is left."""
        publisher = publisher or self.publisher()
        while publisher.step():
            pass

    def commit(self, *items: Item) -> None:
        """What the gateway does."""
        RelationalLedger(self.file).commit(items, NOW).result(10)

    def register(self, device: str = DEVICE, *people_: str, site: str | None = "site-1") -> None:
        """A device and patients."""
        self.file.writer.write(lambda c: devices.add(c, devices.NewDevice(device, site=site), "-", NOW))
        for name in people_:
            person = Patient(name, "EXEMPLE-FICTIF", ("Camille",), "1970-01-01", "unknown", test=True)
            self.file.writer.write(partial(people.add, patient=person, now=NOW))

    def assign(self, device: str, patient: str, start: int = 0, end: int | None = None) -> str:
        """Give the device to the patient."""
        made = Assignment(assignments.new_id(), device, patient, start, end)
        self.file.writer.write(lambda connection: assignments.assign(connection, made, NOW))
        return made.assignment

    def due(self, what: str, position: int) -> None:
        """What an operation asks of the publisher."""
        self.file.writer.write(lambda c: c.execute(DUE.insert().values(what=what, ref=str(position))))

    def rows(self, statement: str) -> list[Row[Any]]:
        """What a reader sees."""
        with self.file.readers.connect() as connection:
            return list(connection.execute(text(statement)).all())

    def feed(self, type_: str = "Observation") -> list[dict[str, Any]]:
        """The bodies of every version of a type, in order; without gateway and clock, which have their own tests."""
        rows = self.rows("SELECT * FROM feed ORDER BY position")
        return [
            decode(row.body).body for row in rows if row.type == type_ and not row.id.endswith(("-gateway", "-clock"))
        ]

    def inbox(self) -> list[tuple[int, str]]:
        """What waits, and why."""
        return [(row.position, row.why) for row in self.rows("SELECT position, why FROM inbox ORDER BY position")]


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A new ledger, of each engine in turn."""
    yield from fresh(request, tmp_path)


@pytest.fixture
def desk(place: Place) -> Iterator[Desk]:
    """A desk with a device and two patients."""
    with place.open() as file:
        made = Desk(file)
        made.register(DEVICE, "p1", "p2")
        yield made


def unverified(payload: bytes) -> Judged:
    """A reading whose clock is not known."""
    return judge(raw(payload), Facts(NOW, DeviceStatus.ACTIVE, {0: ClockFacts()}))
