"""An outbox as publishing leaves it, of any size, in seconds.

Comes in: an open ledger, how many readings. Goes out: journal, feed and delivery rows, as if so many blood pressures
had been taken, published and delivered to nobody yet. Refuses to know: who empties it.

One reading goes the real way, from its message to the feed. The others are that one with ids of their own: mapping
takes a millisecond each, and is not what is measured here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from app.office import office
from app.settings import Settings
from fhir_export.destinations import Destination, Dispatch
from fhir_export.feed import feed_hash
from fhir_export.model import Deployment
from fhir_export.publish import Publisher
from ingest.judge import judge
from ingest.ledger.files import OpenLedger
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.schema import DELIVERY, FEED, JOURNAL
from ingest.model import Channel, ClockFacts, DeviceStatus, Facts, RawMessage
from registry.devices import NewDevice
from registry.people import NewPatient

DESTINATION = "record"
_NOW = 1_795_000_000_000_000  # 2026-11-18, microseconds
_TOGETHER = 500  # readings in one transaction: nobody else writes here


def fill(file: OpenLedger, settings: Settings, readings: int, *, seed: str = "") -> None:
    """Make so many readings due: Devices, one Patient, and for each reading its Observations and Provenance.

    ``seed`` makes other ids, so that outboxes of two runs can go to one record. The ledger has to be empty.
    """
    _first(file, settings, hashlib.sha256(seed.encode()).hexdigest()[:32])
    with file.readers.connect() as connection:
        made = [tuple(row) for row in connection.execute(select(FEED).order_by(FEED.c.position))]
        journal = connection.execute(select(JOURNAL)).mappings().one()
    of_reading = [row for row in made if row[7] is not None]
    old = _reading_id(of_reading)
    last = made[-1][0]
    for start in range(1, readings, _TOGETHER):
        numbers = range(start, min(start + _TOGETHER, readings))
        rows = list(_copies(of_reading, old, numbers, last, seed))
        last = rows[-1][0]
        journals = [dict(journal) | {"position": 1 + n, "seq": n} for n in numbers]
        file.writer.write(partial(_write, journals=journals, rows=rows))


def _first(file: OpenLedger, settings: Settings, stream: str) -> None:
    registrar = office(settings, file).registrar
    person = registrar.add_patient(NewPatient("EXEMPLE-FICTIF", ("Alpha",), "1980-01-01", "female", test=True))
    device = registrar.add_device(NewDevice(f"bp-{stream[:8]}", simulated=True, method="cuff")).device
    registrar.assign(device, person.patient, start=0)
    taken_at = datetime.fromtimestamp(_NOW / 1e6, UTC).isoformat()
    values = {"systolic": 128, "diastolic": 82, "mean": 97}
    message = {
        "v": 1, "stream": stream, "seq": 0, "kind": "blood_pressure", "taken_at": taken_at,
        "values": {name: {"value": value, "unit": "mm[Hg]"} for name, value in values.items()}
        | {"pulse": {"value": 64, "unit": "/min"}},
    }  # fmt: skip
    raw = RawMessage(device, Channel.READING, json.dumps(message).encode(), _NOW, dup=False)
    facts = Facts(_NOW, DeviceStatus.ACTIVE, {0: ClockFacts(synced=True)})
    RelationalLedger(file).commit([judge(raw, facts)], _NOW).result()
    dispatch = Dispatch([Destination(DESTINATION, "write")])
    publisher = Publisher(file, Deployment("2.999.1"), dispatch, lambda: _NOW, disciplined=lambda: True)
    while publisher.step():
        pass


def _reading_id(rows: Sequence[tuple[Any, ...]]) -> bytes:
    """The first 32 hex digits of the ids of what was made of a reading."""
    (id_,) = {row[2][:32] for row in rows}
    return str(id_).encode()


def _copies(
    rows: Sequence[tuple[Any, ...]], old: bytes, numbers: range, last: int, seed: str
) -> Iterator[tuple[Any, ...]]:
    position = last
    for number in numbers:
        new = hashlib.sha256(f"{seed}{number}".encode()).hexdigest()[:32]
        for _, type_, id_, version, at, patient, device, _, body, _ in rows:
            position += 1
            about = (position, type_, new + id_[32:], version, at, patient, device, 1 + number)
            row = (*about, body.replace(old, new.encode()))
            yield (*row, feed_hash(row))


def _write(connection: Connection, journals: Sequence[dict[str, Any]], rows: Sequence[tuple[Any, ...]]) -> None:
    connection.execute(JOURNAL.insert(), journals)
    connection.execute(FEED.insert(), [dict(zip(FEED.c.keys(), row, strict=True)) for row in rows])
    connection.execute(
        DELIVERY.insert(),
        [
            {
                "destination": DESTINATION, "position": position, "type": type_, "id": id_, "patient": patient,
                "device": device, "state": "due", "tries": 0, "next_try": _NOW, "due_at": _NOW, "answer": None,
            }
            for position, type_, id_, _, _, patient, device, *_ in rows
        ],
    )  # fmt: skip
