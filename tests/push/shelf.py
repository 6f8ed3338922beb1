"""A ledger that is filled by hand with resources that are due, and a clock that a test moves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection, Table, select

from fhir_export.feed import feed_hash
from fhir_export.push.port import Outgoing
from ingest.ledger.files import OpenLedger
from ingest.ledger.schema import CONFIRMED, DELIVERED, DELIVERY, FEED, JOURNAL, READING

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

    file: OpenLedger
    position: int = 0
    journal: int = 0
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    _kept: list[tuple[tuple[object, ...], dict[str, object]]] = field(default_factory=list)
    _together: bool = False

    def journals(self, device: str, count: int = 1) -> int:
        """Readings of this device, which nobody sent; the position of the first."""
        first = self.journal + 1
        self.journal += count
        row = {
            "received_at": 1, "kept_at": 1, "channel": "reading", "device": device, "sha": b"s", "size": 1,
            "outcome": "stored", "row_hash": b"h",
        }  # fmt: skip
        reading = {
            "reading": b"r", "device": device, "kind": "blood_pressure", "clock": 0, "taken_at": "", "used_at": 1,
            "mark": "device", "row_hash": b"h",
        }  # fmt: skip
        for table, each in ((JOURNAL, row), (READING, reading)):
            rows = [each | {"position": first + n} for n in range(count)]
            self.file.writer.write(partial(_insert, table, rows))
        return first

    def add(
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
        self._kept.append(((*row, feed_hash(row)), waits))
        if not self._together:
            self._write()
        return Outgoing(*key, body)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write what the block adds in one transaction: for many."""
        self._together = True
        yield
        self._together = False
        self._write()

    def _write(self) -> None:
        feed = [dict(zip(FEED.c.keys(), row, strict=True)) for row, _ in self._kept]
        delivery = [waits for _, waits in self._kept]
        self._kept.clear()
        self.file.writer.write(lambda c: (c.execute(FEED.insert(), feed), c.execute(DELIVERY.insert(), delivery)))

    def readings(self, count: int, device: str = "bp7-0001") -> list[Outgoing]:
        """Device, Patient, and for each reading two Observations and their Provenance, as `publish` orders them."""
        with self.together():
            done = [
                self.add({"resourceType": "Device", "id": "d-1"}),
                self.add({"resourceType": "Patient", "id": "p-1"}),
            ]
            refers = {"patient": "p-1", "device": "d-1"}
            first = self.journals(device, count)
            for n in range(count):
                reading = first + n
                names = [f"r{n}-blood-pressure", f"r{n}-heart-rate"]
                done += [self.add(observation(name, n), reading=reading, **refers) for name in names]
                targets = [{"reference": f"Observation/{name}"} for name in names]
                done.append(
                    self.add(
                        {"resourceType": "Provenance", "id": f"r{n}-provenance", "target": targets}, reading=reading
                    )
                )
        return done

    def release(self) -> None:
        """Make what is parked due again, as a person would."""
        self.file.writer.write(
            lambda c: c.execute(DELIVERY.update().where(DELIVERY.c.state == "parked").values(state="due", answer=None))
        )

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


def _insert(table: Table, rows: list[dict[str, Any]], connection: Connection) -> None:
    connection.execute(table.insert(), rows)
