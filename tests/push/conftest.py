"""A ledger file with resources that are due, a record beside it, and a clock that a test moves."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select

from fhir_export.feed import feed_hash
from fhir_export.push.delivery import Delivery
from fhir_export.push.port import Outgoing, Record
from ingest.ledger.files import LedgerFile, open_ledger
from ingest.ledger.schema import CONFIRMED, DELIVERED, DELIVERY, FEED, JOURNAL

SECOND = 1_000_000
HERE = "record"


@dataclass(slots=True)
class Clock:
    """Instants that move only when told to."""

    now: int = 1_800_000_000 * SECOND

    def __call__(self) -> int:
        """The instant."""
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.now += int(seconds * SECOND)


@dataclass(slots=True)
class Shelf:
    """A ledger that is filled by hand: what `publish` does, less the mapping."""

    file: LedgerFile
    position: int = 0
    journal: int = 0
    versions: dict[tuple[str, str], int] = field(default_factory=dict)

    def journals(self, device: str) -> int:
        """A journal row of this device; its position."""
        self.journal += 1
        row = {
            "position": self.journal, "received_at": 1, "channel": "reading", "device": device, "sha": b"s", "size": 1,
            "outcome": "stored", "row_hash": b"h",
        }  # fmt: skip
        self.file.writer.write(lambda c: c.execute(JOURNAL.insert(), row))
        return self.journal

    def add(  # noqa: PLR0913 - a row has columns
        self,
        resource: dict[str, object],
        *,
        reading: int | None = None,
        patient: str | None = None,
        device: str | None = None,
        parked: str | None = None,
        destination: str = HERE,
    ) -> Outgoing:
        """One version, due (or parked) at a destination."""
        self.position += 1
        key = str(resource["resourceType"]), str(resource["id"])
        version = self.versions[key] = self.versions.get(key, 0) + 1
        body = json.dumps(resource, separators=(",", ":"), ensure_ascii=False).encode().replace(b'"36.60"', b"36.60")
        row = (self.position, *key, version, 1, patient, device, reading, body)
        waits = {
            "destination": destination, "position": self.position, "type": key[0], "id": key[1], "patient": patient,
            "device": device, "state": "parked" if parked else "due", "tries": 0, "next_try": 1, "due_at": 1,
            "answer": parked,
        }  # fmt: skip
        self.file.writer.write(lambda c: (c.execute(FEED.insert().values((*row, feed_hash(row)))), c.execute(DELIVERY.insert(), waits)))  # noqa: E501
        return Outgoing(*key, body)

    def readings(self, count: int, device: str = "bp7-0001") -> list[Outgoing]:
        """Device, Patient, and for each reading two Observations and their Provenance, as `publish` orders them."""
        done = [self.add({"resourceType": "Device", "id": "d-1"}), self.add({"resourceType": "Patient", "id": "p-1"})]
        refers = {"patient": "p-1", "device": "d-1"}
        for n in range(count):
            reading = self.journals(device)
            names = [f"r{n}-blood-pressure", f"r{n}-heart-rate"]
            done += [self.add(observation(name, n), reading=reading, **refers) for name in names]
            targets = [{"reference": f"Observation/{name}"} for name in names]
            done.append(self.add({"resourceType": "Provenance", "id": f"r{n}-provenance", "target": targets}, reading=reading))
        return done

    def waiting(self) -> dict[str, tuple[str, str | None]]:
        """What is not delivered: state and answer code by id."""
        with self.file.readers.connect() as connection:
            rows = connection.execute(select(DELIVERY.c.id, DELIVERY.c.state, DELIVERY.c.answer))
            return {id_: (state, answer) for id_, state, answer in rows}

    def delivered(self) -> list[int]:
        """Positions that were confirmed."""
        with self.file.readers.connect() as connection:
            return list(connection.execute(select(DELIVERED.c.position).order_by(DELIVERED.c.position)).scalars())

    def confirmed(self) -> list[tuple[int, str]]:
        """Readings that the record has whole, with their devices."""
        with self.file.readers.connect() as connection:
            rows = connection.execute(select(CONFIRMED.c.reading, CONFIRMED.c.device).order_by(CONFIRMED.c.position))
            return [(reading, device) for reading, device in rows]


def observation(id_: str, n: int = 0) -> dict[str, object]:
    """A small Observation with a value whose last zero counts."""
    return {
        "resourceType": "Observation", "id": id_, "status": "final", "subject": {"reference": "Patient/p-1"},
        "device": {"reference": "Device/d-1"}, "valueQuantity": {"value": "36.60"}, "note": [{"text": str(n)}],
    }  # fmt: skip


@pytest.fixture
def clock() -> Clock:
    """The test's clock."""
    return Clock()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """An empty ledger."""
    with open_ledger(tmp_path / "ledger.sqlite") as file:
        yield Shelf(file)


@pytest.fixture
def delivers(shelf: Shelf, clock: Clock) -> Callable[[Record], Delivery]:
    """Make a delivery from the shelf to a record."""
    return lambda record: Delivery(shelf.file, HERE, record, clock, random.Random(1).random)


@pytest.fixture
def settle(clock: Clock) -> Callable[[Delivery], None]:
    """Run rounds, letting the time pass that each asks for, until nothing is left that could be sent."""

    def run(delivery: Delivery, most: int = 2000) -> None:
        for _ in range(most):
            step = delivery.step()
            clock.pass_by(step.wait_s + 0.001)
            if not delivery.health().backlog.due:
                return
        raise AssertionError(f"not settled: {delivery.health()} {delivery.counts}")

    return run
