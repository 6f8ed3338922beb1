"""Ledgers of every kind, and messages to put into them: shared by the tests of ledger, gateway and publishing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from ingest.content.found import Found, Picture
from ingest.inspection.inspector import Inspector
from ingest.judge import judge
from ingest.ledger.files import OpenLedger, open_ledger
from ingest.ledger.memory import MemoryLedger
from ingest.ledger.port import Ledger
from ingest.ledger.relational import RelationalLedger
from ingest.ledger.schema import CONFIRMED, DEVICE, KEY, SERVES
from ingest.model import Channel, ClockFacts, DeviceStatus, Facts, Judged, Key, RawMessage
from tests.support.canary import carrying

NOW = 1_795_000_000_000_000
"""2026-11-18, in microseconds."""
STREAM = "5f0c2f5e9a4b4c0d8e7f6a5b4c3d2e1f"
FACTS = Facts(NOW, DeviceStatus.ACTIVE, {0: ClockFacts(synced=True)})
IMPLEMENTATIONS = ("relational", "memory")


@dataclass(frozen=True)
class Bench:
    """A ledger under test, with what others do to it: registry, delivery, inspector."""

    ledger: Ledger
    register: Callable[[str], None]
    confirm: Callable[[Key], None]
    look: Callable[[], object]
    serve: Callable[[str, str], None]


@contextmanager
def bench(kind: str, folder: Path) -> Iterator[Bench]:
    """A ledger of one of ``IMPLEMENTATIONS``."""
    if kind == "memory":
        memory = MemoryLedger()
        yield Bench(
            memory,
            lambda device: memory.statuses.update({device: DeviceStatus.ACTIVE}),
            memory.confirm,
            memory.contents.look,
            lambda hub, device: memory.served.setdefault(device, set()).add(hub),
        )
        return
    with open_ledger(folder / "ledger.sqlite") as file:
        yield relational(file)


def relational(file: OpenLedger) -> Bench:
    """An open ledger of either engine, on the bench."""
    return Bench(
        RelationalLedger(file),
        lambda device: register(file, device),
        lambda key: confirm(file, key),
        Inspector(file, Looks(), lambda: NOW).step,
        lambda hub, device: serve(file, hub, device),
    )


def body(seq: int = 0, systolic: object = 128, **more: object) -> dict[str, Any]:
    """A blood pressure as a device sends it."""
    pressures = {"systolic": systolic, "diastolic": 82}
    return {
        "v": 1,
        "stream": STREAM,
        "seq": seq,
        "kind": "blood_pressure",
        "taken_at": "2026-11-18T08:30:00+04:00",
        "values": {name: {"value": value, "unit": "mm[Hg]"} for name, value in pressures.items()},
        **more,
    }


def raw(
    payload: bytes, device: str = "bp-0001", channel: Channel = Channel.READING, *, dup: bool = False
) -> RawMessage:
    """A message as it came."""
    return RawMessage(device, channel, payload, NOW, dup=dup)


def judged(payload: bytes, device: str = "bp-0001", *, dup: bool = False) -> Judged:
    """The verdict on a payload."""
    return judge(raw(payload, device, dup=dup), FACTS)


def reading(seq: int = 0, systolic: object = 128, device: str = "bp-0001", **more: object) -> Judged:
    """A judged blood pressure."""
    return judged(json.dumps(carrying(body(seq, systolic, **more))).encode(), device)


def register(file: OpenLedger, device: str) -> None:
    """Put a device into the registry's table."""
    row = {"device": device, "simulated": 1, "secret_hash": "-", "added_at": NOW}
    file.writer.write(lambda connection: connection.execute(DEVICE.insert().values(**row)))


def serve(file: OpenLedger, hub: str, device: str) -> None:
    """Let a hub speak for a device from the beginning of time on."""
    row = {"serves": f"{hub}-{device}", "hub": hub, "device": device, "start": 0, "made_at": NOW}
    file.writer.write(lambda connection: connection.execute(SERVES.insert().values(**row)))


class Looks:
    """Looks into nothing: answers as told, or with a picture of one pixel; remembers what it was shown."""

    def __init__(self, answers: Sequence[Found | Exception] = ()) -> None:
        self._answers: Iterator[Found | Exception] = iter(answers)
        self.shown: list[bytes] = []

    def look(self, path: Path, content_type: str, kind: str, out: Path) -> Found:
        """See ``ingest.inspection.inspector.Look``."""
        del content_type, kind, out
        self.shown.append(path.read_bytes())
        answer = next(self._answers, Found(picture=Picture(1, 1, 8)))
        if isinstance(answer, Exception):
            raise answer
        return answer


def confirm(file: OpenLedger, key: Key) -> None:
    """Note that the record has a reading, as the delivery does."""
    where = (KEY.c.device == key.device) & (KEY.c.stream == bytes.fromhex(key.stream)) & (KEY.c.seq == key.seq)

    def job(connection: Connection) -> None:
        position = connection.execute(KEY.select().where(where)).one().position
        connection.execute(CONFIRMED.insert().values(reading=position, device=key.device, at=NOW))

    file.writer.write(job)
